"""Tables in a SQLite file, WAL, synchronous=FULL. Who may write is said by a lock on another file (`broker/part.py`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from broker.errors import Unavailable
from broker.tables.protocol import Read, Rows

PATIENCE_S = 5.0  # a commit of another process takes milliseconds


class SqliteTables:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)
        """For whoever keeps more in the file than this."""
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("pragma synchronous = full")

    def make(self, schema: str) -> None:
        self.db.executescript(schema)

    def execute(self, statement: str, values: Sequence[object] = ()) -> Rows:
        try:
            return self.db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        try:
            self.db.executemany(statement, rows)
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error

    @contextmanager
    def changing(self, *, on_disk: bool = True) -> Iterator[None]:
        if not on_disk:
            self.execute("pragma synchronous = normal")
        try:
            self.execute("begin immediate")
            yield
            self.execute("commit")
        finally:
            if self.db.in_transaction:
                self.db.execute("rollback")
            if not on_disk:
                self.db.execute("pragma synchronous = full")

    def check(self) -> None:
        """A file has one writer as long as that runs."""

    def close(self) -> None:
        self.db.close()


class SqliteSource:
    """Opened each time that it is read: the file may be replaced meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def reading(self) -> Iterator[Read]:
        if not self._path.exists():
            yield _nothing
            return
        try:
            opened = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=PATIENCE_S)
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error
        with closing(opened) as db:

            def read(statement: str, values: Sequence[object]) -> Rows:
                try:
                    return db.execute(statement, values).fetchall()
                except sqlite3.OperationalError as error:
                    raise _unavailable(error) from error

            with suppress(sqlite3.OperationalError):  # the first statement says what is wrong
                db.execute("begin")
            yield read

    def close(self) -> None:
        """Nothing stays open."""


def _nothing(_statement: str, _values: Sequence[object]) -> Rows:
    return []


def _unavailable(error: sqlite3.OperationalError) -> Unavailable:
    return Unavailable(f"what is remembered can't be read or written: {error}")
