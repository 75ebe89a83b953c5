"""Moving what is remembered from a file to other tables, when a home's partitions are to be found by other machines; and copying it to a file again, for
a backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from broker.tables.protocol import Read, Rows, Tables
from broker.tables.sqlite import SqliteTables


def move(file: Path, to: Tables) -> None:
    """All rows of all tables that a file has, in place of those that are there, whole or not at all; the file is `.moved` then.

    The tables are there already, in this version's form. Nobody else may use either meanwhile. Raises Unavailable.
    """
    with closing(SqliteTables(file)) as old, to.changing():
        for table in _tables(old):
            columns = _columns(old, table, but="id")  # which is given anew
            rows = old.execute(f"select {columns} from {table}")  # nosec B608  # noqa: S608 - the file's own names
            to.execute(f"delete from {table}")  # nosec B608  # noqa: S608 - likewise
            _insert(to, f"insert into {table} ({columns})", rows)
    file.rename(file.with_suffix(".moved"))


def copy(read: Read, schema: str, file: Path) -> None:
    """All rows of a schema's tables, in a file that is not there yet. Raises Unavailable."""
    with closing(SqliteTables(file)) as new:
        new.make(schema)
        tables = _tables(new)
        for table in tables:
            new.execute(f"delete from {table}")  # nosec B608  # noqa: S608 - the schema's own names
        _add(read, tables, new)


def add(read: Read, tables: Iterable[str], file: Path) -> None:
    """The rows of these tables that a file does not have yet. Raises Unavailable."""
    with closing(SqliteTables(file)) as known:
        _add(read, tables, known)


def _add(read: Read, tables: Iterable[str], to: SqliteTables) -> None:
    with to.changing():
        for table in tables:
            columns = _columns(to, table)
            rows = read(f"select {columns} from {table}", ())  # nosec B608  # noqa: S608 - the file's own names
            _insert(to, f"insert or ignore into {table} ({columns})", rows)


def _insert(to: Tables, insert: str, rows: Rows) -> None:
    if rows:
        to.execute_many(f"{insert} values ({', '.join('?' * len(rows[0]))})", rows)


def _tables(of: SqliteTables) -> Sequence[str]:
    asked = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
    return [name for (name,) in of.execute(asked)]


def _columns(of: SqliteTables, table: str, *, but: str = "") -> str:
    names = [name for (name,) in of.execute("select name from pragma_table_info(?)", (table,))]
    return ", ".join(f'"{name}"' for name in names if name != but)
