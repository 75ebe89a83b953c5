"""Moving what is remembered from a file to other tables, when a home's partitions are to be found by other machines."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from broker.tables.protocol import Tables
from broker.tables.sqlite import SqliteTables


def move(file: Path, to: Tables) -> None:
    """All rows of all tables that a file has, in place of those that are there, whole or not at all; the file is `.moved` then.

    The tables are there already, in this version's form. Nobody else may use either meanwhile. Raises Unavailable.
    """
    with closing(SqliteTables(file)) as old, to.changing():
        for (table,) in old.execute("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"):
            names = [name for (name,) in old.execute("select name from pragma_table_info(?)", (table,))]
            columns = ", ".join(f'"{name}"' for name in names if name != "id")  # which is given anew
            rows = old.execute(f"select {columns} from {table}")  # nosec B608  # noqa: S608 - the file's own names
            to.execute(f"delete from {table}")  # nosec B608  # noqa: S608 - likewise
            places = ", ".join("?" * len(rows[0])) if rows else ""
            to.execute_many(f"insert into {table} ({columns}) values ({places})", rows)  # nosec B608  # noqa: S608 - likewise
    file.rename(file.with_suffix(".moved"))
