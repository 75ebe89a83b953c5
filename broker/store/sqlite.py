"""A store in one SQLite file: what one machine needs, and other processes may read while one writes.

Durable when `write` returns: every batch is one transaction with synchronous=FULL. The journal forgets what
its positions have passed, and those live in another file, so they must never run ahead of rows that a power
cut can take; one fsync for 5,000 rows costs a tenth of the rate. There is no table of last points: to find
one in the primary key takes 5 µs, to keep a table a quarter of the write rate at 10,000 streams.
https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from broker.errors import StoreUnavailable
from broker.points import Columns, Cursor, Point, Rows, Value
from broker.store.sift import keep_all
from broker.times import EARLIEST, LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_Bound: TypeAlias = tuple[int, int, str, int | float | str | bytes, str]
_Found: TypeAlias = tuple[int, int | float | str | bytes, str, str]

_FORMAT = 1  # user_version: what is in the file; 0 is a file that nobody has prepared yet
_WAIT_S = 5.0  # for another process that holds the file; longer than any batch takes
_CACHE_KIB = 16_384  # for 10,000 streams, each row to another: 64 MB saves 3 % of the processor's time, 4 MB costs 10 %
_CHECKPOINT_PAGES = 16_000  # 64 MB: half as fast again as 16 MB at 1,000 streams
_TOGETHER = 100  # rows a statement: half the time of one each (2.6 instead of 4.7 µs a row)

# `value` has no type on purpose: REAL would make 0.0 of -0.0, and NUMERIC an integer of 1.0.
# What is not finite is refused: SQLite makes NULL of NaN, and 9e999 is its infinity
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS points (
    stream INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL,
    value NOT NULL CHECK (value NOT IN (9e999, -9e999)), extra TEXT NOT NULL,
    PRIMARY KEY (stream, time, key)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
COMMIT;
"""
_ROW = "(?, ?, ?, ?, ?)"
_REPLACE = "ON CONFLICT DO UPDATE SET value = excluded.value, extra = excluded.extra"
_KEEP_ONE = f"INSERT INTO points VALUES {_ROW} {_REPLACE}"  # nosec B608  # noqa: S608 - constants, as below
_KEEP_MANY = f"INSERT INTO points VALUES {', '.join([_ROW] * _TOGETHER)} {_REPLACE}"  # nosec B608  # noqa: S608
_OF_STREAM = "FROM points WHERE stream = (SELECT id FROM streams WHERE name = ?)"
_ERASE = f"DELETE {_OF_STREAM}"
_ERASE_KEYS = f"{_ERASE} AND key IN (SELECT value FROM json_each(?))"  # nosec B608  # noqa: S608 - constants
_FIND = f"SELECT time, value, key, extra {_OF_STREAM}"
_READ = f"{_FIND} AND time >= ? AND time < ? ORDER BY time, key LIMIT ?"
_READ_AFTER = f"{_FIND} AND (time, key) > (?, ?) AND time < ? ORDER BY time, key LIMIT ?"
_READ_BACK = f"{_FIND} AND time >= ? AND time < ? ORDER BY time DESC, key DESC LIMIT ?"
_READ_BACK_AFTER = f"{_FIND} AND time >= ? AND (time, key) < (?, ?) ORDER BY time DESC, key DESC LIMIT ?"
_COLUMNS = _READ.replace(", extra", "")
_COLUMNS_AFTER = _READ_AFTER.replace(", extra", "")
_COUNT = f"SELECT count(*) {_OF_STREAM} AND time >= ? AND time < ?"
_LATEST = f"{_FIND} ORDER BY time DESC, key DESC LIMIT 1"

# SQLite has no booleans: they are one byte, which is no other value's storage class
_BYTE = {False: b"\x00", True: b"\x01"}


class SqliteStore:
    """Points in the file at `path`. One process writes; any number of threads and processes read.

    With `readonly` the file may be missing: the store is empty until somebody writes it. `write` then raises
    StoreUnavailable.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = None if readonly else self._open_writer()

    def write(self, rows: Rows) -> None:
        with self._lock:
            keep_all(rows, self._keep)

    def read(
        self,
        stream: str,
        start: int,
        end: int,
        *,
        after: Cursor | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Point]:
        start, end = max(start, EARLIEST), min(end, LATEST)
        if limit <= 0 or start >= end or (after and (after[0] < start if newest_first else after[0] >= end)):
            return []
        with self._reading() as db:
            if db is None:
                return []
            if newest_first:
                found = _read_back(db, stream, start, end, after, limit)
            else:
                found = db.execute(*_from(_READ, _READ_AFTER, stream, start, end, after, limit))
            return [_point(row) for row in found]

    def columns(self, stream: str, start: int, end: int, *, after: Cursor | None = None, limit: int) -> Columns:
        start, end = max(start, EARLIEST), min(end, LATEST)
        if limit <= 0 or start >= end or (after and after[0] >= end):
            return Columns((), (), ())
        with self._reading() as db:
            if db is None:
                return Columns((), (), ())
            found = db.execute(*_from(_COLUMNS, _COLUMNS_AFTER, stream, start, end, after, limit))
            flat = list(chain.from_iterable(found))  # a tenth faster than by rows, and no garbage to look through
        return Columns(flat[::3], _values(flat[1::3]), flat[2::3])

    def count(self, stream: str, start: int, end: int) -> int:
        with self._reading() as db:
            return db.execute(_COUNT, (stream, start, end)).fetchone()[0] if db is not None else 0

    def latest(self, streams: Iterable[str]) -> dict[str, Point]:
        with self._reading() as db:
            if db is None:
                return {}
            found = ((stream, db.execute(_LATEST, (stream,)).fetchone()) for stream in streams)
            return {stream: _point(row) for stream, row in found if row is not None}

    def erase(self, stream: str) -> None:
        """Forget every point of a stream, on the disk too: its pages are overwritten and the log is emptied.

        A reader that is in the middle of the log keeps it until the next checkpoint.
        """
        self._erase(_ERASE, (stream,))

    def erase_keys(self, stream: str, keys: Iterable[str]) -> None:
        """As `erase`, of some points; it looks at each of the stream."""
        self._erase(_ERASE_KEYS, (stream, json.dumps(list(keys))))

    def _erase(self, statement: str, bound: tuple[str, ...]) -> None:
        with self._lock:
            with self._transaction() as db:
                db.execute("PRAGMA secure_delete = ON")  # not always: it costs a sixth of the write rate
                try:
                    db.execute(statement, bound)
                finally:
                    db.execute("PRAGMA secure_delete = OFF")
            with self._told():
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self._closed = True
        while self._readers:
            self._readers.pop().close()
        if self._writer is not None:
            with self._lock:  # CPython 3.11 crashes where a thread uses a connection while another closes it
                self._writer.close()

    def _keep(self, rows: Rows) -> str | None:
        try:
            with self._transaction() as db:
                bound = sorted(
                    self._bound(db, rows), key=_identity
                )  # neighbours share a page; equal rows stay in order
                whole = len(bound) - len(bound) % _TOGETHER
                many = (bound[first : first + _TOGETHER] for first in range(0, whole, _TOGETHER))
                db.executemany(_KEEP_MANY, (tuple(chain.from_iterable(rows)) for rows in many))
                db.executemany(_KEEP_ONE, bound[whole:])
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeEncodeError) as error:
            return str(error)
        return None

    def _bound(self, db: sqlite3.Connection, rows: Rows) -> list[_Bound]:
        ids = self._ids
        return [
            (
                ids.get(stream) or self._id(db, stream),
                point.time,
                point.key,
                _BYTE[point.value] if point.value.__class__ is bool else point.value,
                point.extra,
            )
            for stream, point in rows
        ]

    def _id(self, db: sqlite3.Connection, stream: str) -> int:
        """A stream's number. It stays when the stream is erased, so that remembering it is always right."""
        db.execute("INSERT INTO streams (name) VALUES (?) ON CONFLICT DO NOTHING", (stream,))
        number: int = db.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()[0]
        self._ids[stream] = number
        return number

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            db = self._writer
            if db is None:
                raise StoreUnavailable(f"{self._path.name} was opened for reading only")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                self._ids.clear()  # numbers given out in this transaction are taken back
                if db.in_transaction:  # a full disk may have ended it already
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection nobody else uses now; none while there is no file, or nothing in it.

        They are passed from thread to thread, not kept by thread: a pool of threads comes and goes.
        """
        with self._told():
            db = self._idle_reader() or self._open_reader()
            try:
                yield db
            finally:
                if db is not None:
                    self._give_back(db)

    def _idle_reader(self) -> sqlite3.Connection | None:
        with suppress(IndexError):  # not looked up before: another thread may take the last one meanwhile
            return self._readers.pop()
        return None

    def _give_back(self, db: sqlite3.Connection) -> None:
        if self._closed:
            db.close()
        else:
            self._readers.append(db)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.DataError):
            raise
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path.name}: {error}") from error

    def _open_writer(self) -> sqlite3.Connection:
        with self._told():
            db = _connect(str(self._path))
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._check(db)
            db.executescript(_SCHEMA)
            return db

    def _open_reader(self) -> sqlite3.Connection | None:
        if self._closed:
            raise StoreUnavailable(f"{self._path.name} was closed")
        if not self._path.exists():
            return None
        db = _connect(f"{self._path.absolute().as_uri()}?mode=ro")
        if self._check(db) == _FORMAT:
            return db
        db.close()
        return None

    def _check(self, db: sqlite3.Connection) -> int:
        found: int = db.execute("PRAGMA user_version").fetchone()[0]
        if found > _FORMAT:
            db.close()
            raise StoreUnavailable(f"{self._path.name} has format {found}; this version reads up to {_FORMAT}")
        return found


def _from(
    begin: str, go_on: str, stream: str, start: int, end: int, after: Cursor | None, limit: int
) -> tuple[str, tuple[str | int, ...]]:
    """The statement that reads from `start`, or from `after` on if that is later, and what it binds."""
    if after is None or after[0] < start:
        return begin, (stream, start, end, limit)
    return go_on, (stream, *after, end, limit)


def _read_back(
    db: sqlite3.Connection, stream: str, start: int, end: int, after: Cursor | None, limit: int
) -> sqlite3.Cursor:
    if after is None or after[0] >= end:
        return db.execute(_READ_BACK, (stream, start, end, limit))
    return db.execute(_READ_BACK_AFTER, (stream, start, *after, limit))


def _connect(name: str) -> sqlite3.Connection:
    # autocommit: transactions are begun by name; threads take turns, but sqlite3 can't see that they do
    return sqlite3.connect(name, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, uri=True)


def _identity(row: _Bound) -> tuple[int, int, str]:
    return row[:3]


def _point(row: _Found) -> Point:
    time, value, key, extra = row
    return Point(time, value == _BYTE[True] if isinstance(value, bytes) else value, key, extra)


def _values(kept: list[Any]) -> list[Value]:
    if bytes not in set(map(type, kept)):
        return kept
    return [value == _BYTE[True] if isinstance(value, bytes) else value for value in kept]
