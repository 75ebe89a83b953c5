"""What a partition remembers, in each of its homes: to be opened, closed and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from broker.tables.postgresql import PostgresSource, PostgresTables, Server
from broker.tables.sqlite import SqliteSource, SqliteTables

if TYPE_CHECKING:
    from pathlib import Path

    from broker.tables.protocol import Source, Tables
    from tests.servers import Postgres


class Kept(Protocol):
    """A partition's own."""

    def tables(self) -> Tables: ...
    def source(self) -> Source: ...


class InFile:
    """SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tables(self) -> Tables:
        return SqliteTables(self._path)

    def source(self) -> Source:
        return SqliteSource(self._path)


class InPostgres:
    """A schema of a database of its own."""

    def __init__(self, postgres: Postgres) -> None:
        self.server = Server(postgres.new_database(), postgres.PASSWORD)

    def tables(self) -> Tables:
        return PostgresTables(self.server, 2, "test")

    def source(self) -> Source:
        return PostgresSource(self.server, 2)
