"""A registry of the first schema is brought forward with all that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, create_engine, insert, select, text

from broker.registry import tables
from broker.registry.database import MIGRATIONS
from broker.registry.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "0001"
MOVED = {("offers", "terms"): ("offer_versions", "terms")}
"""Columns of the first schema that stand elsewhere now."""
SOMETHING: dict[type, object] = {
    bool: True,
    int: 1,
    float: 1.5,
    str: "x",
    bytes: b"\x00\xff",
    object: {"kept": ["é", 1]},
}
"""A value for a column, by its type: the same for all that may refer to one another."""


def migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def filled(connection: Connection) -> dict[str, dict[str, Any]]:
    """Put a row in every table that is there; by table."""
    there = MetaData()
    there.reflect(connection)
    rows = {}
    for table in there.sorted_tables:
        if table.name != "alembic_version":
            connection.execute(table.delete())
            rows[table.name] = {column.name: SOMETHING[column.type.python_type] for column in table.columns}
            connection.execute(insert(table).values(rows[table.name]))
    return rows


@pytest.fixture
def first(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A registry of the first schema in `tmp_path`; what is in it."""
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    with engine.begin() as connection:
        migrate(connection, FIRST)
        rows = filled(connection)
    engine.dispose()
    return rows


def test_a_registry_of_the_first_schema_migrates_forward_and_keeps_every_row(
    first: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    registry = Registry.in_home(tmp_path, None)
    registry.migrate()
    registry.migrate()  # what is there already is left as it is
    registry.close()
    now = MetaData()
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    with engine.connect() as connection:
        now.reflect(connection)
        for name, row in first.items():
            for column, value in row.items():
                table, where = MOVED.get((name, column), (name, column))
                assert connection.execute(select(now.tables[table].c[where])).scalars().all() == [value], (name, column)
        assert connection.execute(text("select version_num from alembic_version")).scalar() is not None
        assert {table.name for table in tables.metadata.sorted_tables} <= now.tables.keys()
        for wanted in tables.metadata.sorted_tables:
            assert {column.name for column in wanted.columns} <= set(now.tables[wanted.name].columns.keys()), (
                wanted.name
            )
    engine.dispose()
