"""Opening the registry's database: SQLite in the home, or PostgreSQL by URL. Migrations run at opening."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from broker.errors import Unavailable
from broker.registry import tables

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 10  # a change of the registry takes milliseconds; who waits longer than this is told


class Database:
    """Connections for reading, and for changing one at a time."""

    def __init__(self, url: URL) -> None:
        if url.get_backend_name() == "sqlite":
            self.engine = create_engine(url, connect_args={"timeout": BUSY_S})
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin)
        else:
            self.engine = create_engine(
                url,
                pool_pre_ping=True,
                isolation_level="REPEATABLE READ",
                connect_args={
                    "connect_timeout": BUSY_S,
                    "options": f"-c lock_timeout={BUSY_S}s -c statement_timeout={BUSY_S}s",
                },
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Raises Unavailable."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(f"the registry does not answer: {error.orig}") from error

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """One change, alone and whole: the revision grows, and either all of it holds or nothing. Raises Unavailable."""
        with self.noting() as connection:
            next_ = tables.revision.c.number + 1
            connection.execute(update(tables.revision).values(number=next_, changed=next_))
            yield connection

    @contextmanager
    def growing(self) -> Iterator[tuple[Connection, int]]:
        """A change that does nothing but add datastreams and offers, which bear the revision that is given: whoever follows reads them alone."""
        with self.noting() as connection:
            connection.execute(update(tables.revision).values(number=tables.revision.c.number + 1))
            yield connection, connection.execute(select(tables.revision.c.number)).scalar_one()

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """Write what nobody has to follow: the revision stays. Raises Unavailable."""
        noting = self.engine.execution_options(changing=True, isolation_level=_changing_isolation(self.engine))
        try:
            with noting.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(f"the registry does not answer: {error.orig}") from error

    def migrate(self) -> None:
        """Bring the schema to this version of Mitoyen."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.changing_schema() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def changing_schema(self) -> Iterator[Connection]:
        with self.engine.execution_options(changing=True).begin() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _changing_isolation(engine: Engine) -> str:
    # the update of the one revision row is the lock; under REPEATABLE READ whoever waited for it would be sent away
    return "READ COMMITTED" if engine.dialect.name == "postgresql" else "SERIALIZABLE"


def _configure_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's; transactions are begun by _begin
    cursor = connection.cursor()  # type: ignore[attr-defined]  # likewise
    pragmas = ("journal_mode = wal", "synchronous = full", "foreign_keys = on", f"busy_timeout = {BUSY_S * 1000}")
    for pragma in (*pragmas, "secure_delete = on"):  # what is erased is overwritten, too
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # taking the write lock at once, since a transaction that begins by reading can't wait for it later
    changing = connection.get_execution_options().get("changing")
    connection.exec_driver_sql("begin immediate" if changing else "begin")
