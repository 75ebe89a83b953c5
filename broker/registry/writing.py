"""What every change of the registry is made of: a row added, changed or ended. All in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, Table, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from broker.errors import Conflict, NotFound


def add(connection: Connection, table: Table, **values: object) -> None:
    connection.execute(insert(table).values(**values))


def change(
    connection: Connection, table: Table, which: Sequence[ColumnElement[bool]], facts: Mapping[str, object]
) -> None:
    found = connection.execute(update(table).where(*which, table.c.ended.is_(None)).values(**facts))
    if not found.rowcount:
        raise NotFound(f"there is no such {table.name[:-1]}")


def end(connection: Connection, table: Table, which: Sequence[ColumnElement[bool]], now: int, **facts: object) -> None:
    change(connection, table, which, {"ended": now, **facts})


def none_left(connection: Connection, table: Table, which: ColumnElement[bool], otherwise: str) -> None:
    if connection.execute(select(exists().where(which, table.c.ended.is_(None)))).scalar():
        raise Conflict(f"{otherwise}: remove them first")


@contextmanager
def unique(what: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"there is already a {what}") from error
