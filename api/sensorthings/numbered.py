"""Keeps the numbers of observations whose ids can't be made of what they are: see `numbers.py`. One SQLite file in the home."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from api.sensorthings import numbers
from broker.errors import StoreUnavailable
from broker.points import Cursor

_SCHEMA = """
create table if not exists numbers (
    release integer not null, number integer not null, time integer not null, key text not null,
    primary key (release, time, key)) without rowid;
create unique index if not exists numbers_of_release on numbers (release, number);
"""


class Numbers:
    """Ids of observations, given once and kept. May be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_SCHEMA)

    def of(self, release: int, places: Sequence[Cursor]) -> list[int]:
        """The ids of these observations of a release. Raises StoreUnavailable."""
        found = [numbers.number(release, *place) for place in places]
        missing = [place for place, known in zip(places, found, strict=True) if known is None]
        given = self._given(release, missing) if missing else {}
        return [given[place] if known is None else known for place, known in zip(places, found, strict=True)]

    def place(self, release: int, number: int) -> Cursor | None:
        """Where the observation is that was given this number. Raises StoreUnavailable."""
        try:
            with self._lock:
                row = self._db.execute(
                    "select time, key from numbers where release = ? and number = ?", (release, number)
                ).fetchone()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the numbers of observations can't be read: {error}") from error
        return (row[0], row[1]) if row else None

    def close(self) -> None:
        """After whoever is asking: CPython 3.11 crashes where a thread uses a connection while another closes it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep in one step what is numbered within: each by itself waits for the disk. Raises StoreUnavailable."""
        with self._lock:
            try:
                if self._db.in_transaction:  # of this thread, which has the lock
                    yield
                    return
                self._db.execute("begin immediate")
                try:
                    yield
                finally:
                    self._db.execute("commit")
            except sqlite3.Error as error:
                raise StoreUnavailable(f"an observation can't be numbered: {error}") from error

    def _given(self, release: int, places: Sequence[Cursor]) -> dict[Cursor, int]:
        with self.together():
            return {place: numbers.numbered(release, self._number(release, place)) for place in places}

    def _number(self, release: int, place: Cursor) -> int:
        row = self._db.execute(
            "select number from numbers where release = ? and time = ? and key = ?", (release, *place)
        ).fetchone()
        if row is not None:
            return int(row[0])
        (last,) = self._db.execute("select max(number) from numbers where release = ?", (release,)).fetchone()
        given = (last or 0) + 1
        self._db.execute("insert into numbers values (?, ?, ?, ?)", (release, given, *place))
        return given
