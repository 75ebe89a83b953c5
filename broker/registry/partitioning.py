"""How many partitions there are, which organisations were placed in one by hand, and which worker was given one."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, insert, select, update

from broker.errors import Conflict, NotFound
from broker.partition import Partitions
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.database import Database


class Partitioning:
    """Blocking calls; all raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> Partitions:
        """As they are."""
        with self._database.reading() as c:
            return reading.partitions(c)

    def fix(self, count: int) -> None:
        """The number of partitions, once and for all. Raises Conflict if it is another already: data would lie where nobody looks for it."""
        with self._database.changing() as c:
            known = c.execute(select(func.count()).select_from(t.partitions)).scalar_one()
            if known not in (0, count):
                raise Conflict(f"partitions: expected {known}, as this registry was made with, not {count}")
            if not known:
                c.execute(insert(t.partitions), [{"number": number} for number in range(count)])

    def place(self, organisation: str, partition: int) -> None:
        """Put an organisation in a partition before it has gateways. Raises NotFound, and Conflict once it has or had any: what came of them
        lies in the partition that it was in.
        """
        with self._database.changing() as c:
            _there(c, partition)
            if not c.execute(select(exists().where(t.organisations.c.id == organisation))).scalar():
                raise NotFound(f"there is no organisation {organisation}")
            if c.execute(select(exists().where(t.gateways.c.organisation == organisation))).scalar():
                raise Conflict(
                    f"organisation {organisation} has gateways: it stays where it is; give its partition to another worker"
                )
            c.execute(t.placements.delete().where(t.placements.c.organisation == organisation))
            c.execute(insert(t.placements).values(organisation=organisation, partition=partition))

    def give(self, partition: int, worker: int) -> None:
        """Let another worker serve a partition from now on. Raises NotFound."""
        with self._database.changing() as c:
            _there(c, partition)
            c.execute(update(t.partitions).where(t.partitions.c.number == partition).values(worker=worker))


def _there(connection: Connection, partition: int) -> None:
    if not connection.execute(select(exists().where(t.partitions.c.number == partition))).scalar():
        raise NotFound(f"there is no partition {partition}")
