"""The last released picture of each camera's release, in one SQLite file. One process writes, others read.

Only the last one is kept: a history of pictures would let anyone follow people through the city backwards in time, which no blur prevents.
What is replaced or erased is overwritten in the file (https://www.sqlite.org/pragma.html#pragma_secure_delete).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from broker.errors import StoreUnavailable

_WAIT_S = 5.0
_SCHEMA = "create table if not exists pictures (release text primary key, time integer not null, jpeg blob not null)"


class Kept(NamedTuple):
    """A picture as it was released."""

    time: int
    """When (ns) its frame came."""
    jpeg: bytes


class Pictures:
    """With `readonly` the file may be missing: then there is none."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None if readonly else self._open_writer()

    def keep(self, release: str, picture: Kept) -> None:
        """From now on this one. Raises StoreUnavailable."""
        with self._using() as db:
            assert db is not None
            db.execute("insert or replace into pictures values (?, ?, ?)", (release, *picture))

    def latest(self, release: str) -> Kept | None:
        """Raises StoreUnavailable."""
        with self._using() as db:
            found = db and db.execute("select time, jpeg from pictures where release = ?", (release,)).fetchone()
            return Kept(*found) if found else None

    def latest_time(self, release: str) -> int | None:
        """When (ns) the frame came. Raises StoreUnavailable."""
        with self._using() as db:
            found = db and db.execute("select time from pictures where release = ?", (release,)).fetchone()
            return int(found[0]) if found else None

    def keep_only(self, releases: Collection[str]) -> None:
        """Erase all others'. Raises StoreUnavailable."""
        with self._using() as db:
            assert db is not None
            known = {row[0] for row in db.execute("select release from pictures")}
            db.executemany("delete from pictures where release = ?", [(one,) for one in known - set(releases)])

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection | None]:
        with self._lock:
            try:
                if self._db is None and self._path.exists():
                    uri = f"file:{self._path}?mode=ro"
                    self._db = sqlite3.connect(
                        uri, uri=True, isolation_level=None, timeout=_WAIT_S, check_same_thread=False
                    )
                yield self._db
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the pictures can't be reached: {error}") from error

    def _open_writer(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=_WAIT_S, check_same_thread=False)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma secure_delete = on")
        db.execute(_SCHEMA)
        return db
