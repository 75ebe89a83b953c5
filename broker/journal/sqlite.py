"""A journal on one machine: one SQLite file, WAL, synchronous=FULL.

A commit is made on the caller's own thread, 0.5 ms on an SSD, and has everything that belongs to the batch: after a crash all of it is
there or nothing. The process that takes messages in is the only writer; others read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from broker.entry import Entry
from broker.errors import JournalFull, Unavailable
from broker.journal.beside import BesideTables, heard, presences, upgrade
from broker.journal.protocol import Batch, Beside, OnSafe, RefusedMessage, Untimed
from broker.presence import Presence
from broker.smoothing import Seen, Sight
from broker.tables.sqlite import SqliteSource, SqliteTables

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode

TRIMMED_AT_ONCE = 1_000  # batches, so that nobody waits for it
_SCHEMA = "create table if not exists batches (seq integer primary key, body blob not null);"


class SqliteJournal:
    """The writer's side. Calls block for a commit; one thread."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self._tables = SqliteTables(path)
        self._db = self._tables.db
        self._db.executescript(_SCHEMA)
        upgrade(self._db)
        self._beside = BesideTables(self._tables)
        self._page = int(self._db.execute("pragma page_size").fetchone()[0])
        self._limit = limit_bytes
        last = self._db.execute("select max(seq) from batches").fetchone()[0]
        self.last = max(last or 0, self._beside.furthest())
        """The number of the newest batch."""
        self._trimmed = 0

    def append(self, entries: list[Entry], beside: Beside, on_safe: OnSafe) -> None:
        """Write a batch with all that is beside it; `on_safe` is called before this returns.

        Raises JournalFull, and ValueError for no entries, and then nothing was written.
        """
        if not entries:
            raise ValueError("a batch has at least one entry: whoever reads the journal takes its time from them")
        if self.used_bytes() >= self._limit:
            raise JournalFull(f"the journal holds its limit of {self._limit} bytes")
        batch = Batch(self.last + 1, entries)
        with self._beside.writing():
            self._tables.execute("insert into batches values (?, ?)", (batch.seq, _encode(entries)))
            self._beside.count(entries)
            self._beside.keep_places(beside.places)
            if beside.untimed:
                self._beside.keep_untimed(beside.untimed)
            if beside.sights:
                self._beside.keep_sights(beside.sights)
        self.last = batch.seq
        on_safe([batch])

    def take_over(self, packs: list[tuple[int, bytes]], counted: int) -> None:
        """Write batches of another journal, with the numbers that they have there; up to `counted` they are counted already. Raises JournalFull."""
        with self._beside.writing():
            self._tables.execute_many("insert into batches values (?, ?)", packs)
            for seq, body in packs:
                if seq > counted:
                    self._beside.count(_decode(body))
        self.last = packs[-1][0]

    async def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first, some megabytes at most."""
        return _read(self._db, after, most_bytes)

    def place(self, name: str) -> int:
        """The last batch that reader `name` is done with; 0 if none."""
        return self._beside.place(name)

    def keep_places(self, places: Mapping[str, int]) -> None:
        """Write the readers' places now. Raises JournalFull."""
        with self._beside.writing():
            self._beside.keep_places(places)

    def trim(self, upto: int) -> None:
        """Forget batches up to this number, a few at a time. Raises JournalFull."""
        upto = min(upto, self._trimmed + TRIMMED_AT_ONCE) if self._trimmed else upto
        if upto > self._trimmed:
            with self._beside.writing():
                self._tables.execute("delete from batches where seq <= ?", (upto,))
            self._trimmed = upto

    def used_bytes(self) -> int:
        """Bytes of the file that are in use."""
        pages = (
            self._db.execute("pragma page_count").fetchone()[0]
            - self._db.execute("pragma freelist_count").fetchone()[0]
        )
        return int(pages) * self._page

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard."""
        return presences(self._tables.execute)

    def refusals(self, organisation: str, gateway: str, limit: int) -> list[RefusedMessage]:
        """The newest first."""
        return self._beside.refusals(organisation, gateway, limit)

    def untimed(self) -> dict[int, Untimed]:
        """By packet id, the messages without times that may be delivered once more."""
        return self._beside.untimed()

    def sights(self, came: int) -> dict[str, dict[Seen, Sight]]:
        """The tags that are there, by input topic; their last reads are taken to have come at `came` (ns)."""
        return self._beside.sights(came)

    def forget_sights(self, topic: str) -> None:
        """Erase what is remembered of a topic's tags. Raises Unavailable."""
        self._beside.forget_sights(topic)

    def close(self) -> None:
        self._db.close()


class SqliteReader:
    """Another process's side: reads only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = SqliteSource(path)
        self._db: sqlite3.Connection | None = None

    def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first; none while there is no journal yet. Raises Unavailable."""
        with self._reading() as db:
            return _read(db, after, most_bytes) if db else []

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard. Raises Unavailable."""
        return heard(self._beside)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        try:
            if self._db is None and self._path.exists():
                self._db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=5)
            yield self._db
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the journal can't be read: {error}") from error

    def close(self) -> None:
        if self._db is not None:
            self._db.close()


def _read(db: sqlite3.Connection, after: int, most_bytes: int) -> list[Batch]:
    batches, size = [], 0
    for seq, body in db.execute("select seq, body from batches where seq > ? order by seq", (after,)):
        batches.append(Batch(seq, _decode(body)))
        size += len(body)
        if size >= most_bytes:
            break
    return batches
