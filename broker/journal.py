"""The journal: what was acknowledged, in the order it came, on disk. One SQLite file, WAL, synchronous=FULL.

Everything else is driven from it: live releases and receipts from the memory of what was just written, the stores from
their own place in it, also after a crash. The process that takes messages in is its only writer; others read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from broker.entry import Entry, shown
from broker.errors import JournalFull, Unavailable
from broker.presence import Presence
from broker.smoothing import Seen, Sight
from broker.topics import source

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode
_seen = msgspec.json.Decoder(Seen).decode

Sights: TypeAlias = Mapping[tuple[str, Seen], Sight | None]
"""By input topic; None: it is gone."""

KEPT_REFUSALS = 1_000
"""A gateway's newest refusals that are kept: a day of one a minute, and at most 2 MB."""
_SCHEMA = """
create table if not exists batches (seq integer primary key, body blob not null);
create table if not exists places (name text primary key, seq integer not null) without rowid;
create table if not exists gateways (
    organisation text, gateway text, accepted integer not null, refused integer not null, last_seen integer, left integer, outbox text,
    primary key (organisation, gateway)) without rowid;
create table if not exists refusals (
    id integer primary key, organisation text not null, gateway text not null, time integer not null,
    topic text not null, place integer not null, reason text not null, payload text not null, encoding text);
create table if not exists untimed (
    packet_id integer primary key, digest integer not null, arrived integer not null, number integer not null);
create table if not exists sights (
    topic text not null, seen text not null, last integer not null, told integer not null,
    primary key (topic, seen)) without rowid;
create index if not exists refusals_of_gateway on refusals (organisation, gateway, id);
"""
_BEFORE_WILLS = """
begin immediate;
alter table gateways rename to gateways_before;
"""
_SINCE_WILLS = """
insert into gateways select *, null, null from gateways_before;
drop table gateways_before;
commit;
"""


class Batch(NamedTuple):
    """What was written in one go."""

    seq: int
    """Counts from 1 without gaps."""
    entries: list[Entry]


@dataclass(slots=True)
class _Totals:
    """What a batch adds to a gateway's row."""

    accepted: int = 0
    refused: int = 0
    last_seen: int | None = None
    left: int | None = None
    outbox: str | None = None


class RefusedMessage(NamedTuple):
    """A refusal as it is kept for the owner."""

    time: int
    topic: str
    place: int
    """The record's place in the pack."""
    reason: str
    payload: str
    encoding: str | None


class Untimed(NamedTuple):
    """How a message without times is recognised when it is delivered once more."""

    digest: int
    """CRC-32 of topic and payload."""
    arrived: int
    """When (ns) it came first, which is the time of its records."""
    number: int
    """How many messages had come before it."""


class Journal:
    """The writer's side. Calls block for a commit, 0.5 ms on an SSD; one thread."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self._db.execute("pragma auto_vacuum = none")
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        if "left" not in {row[1] for row in self._db.execute("pragma table_info(gateways)")}:
            self._db.executescript(_BEFORE_WILLS + _SCHEMA + _SINCE_WILLS)
        if "outbox" not in {row[1] for row in self._db.execute("pragma table_info(gateways)")}:
            self._db.execute("alter table gateways add column outbox text")
        self._page = int(self._db.execute("pragma page_size").fetchone()[0])
        self._limit = limit_bytes
        last = self._db.execute("select max(seq) from batches").fetchone()[0]
        behind = self._db.execute("select max(seq) from places where name <> 'messages'").fetchone()[
            0
        ]  # which counts others
        self.last = max(last or 0, behind or 0)
        """The number of the newest batch."""
        self._trimmed = 0

    def append(
        self, entries: list[Entry], places: dict[str, int], untimed: dict[int, Untimed], sights: Sights | None = None
    ) -> Batch:
        """Write a batch, the readers' places, the untimed messages by packet id and the tags that are there; when it returns, all are on disk.

        Raises JournalFull, and ValueError for no entries, and then nothing was written.
        """
        if not entries:
            raise ValueError("a batch has at least one entry: whoever reads the journal takes its time from them")
        if self.used_bytes() >= self._limit:
            raise JournalFull(f"the journal holds its limit of {self._limit} bytes")
        batch = Batch(self.last + 1, entries)
        with self._writing():
            self._db.execute("insert into batches values (?, ?)", (batch.seq, _encode(entries)))
            self._count(entries)
            self._place(places)
            if untimed:
                self._db.executemany(
                    "insert or replace into untimed values (?, ?, ?, ?)", [(i, *u) for i, u in untimed.items()]
                )
            self._see(sights or {})
        self.last = batch.seq
        return batch

    def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first, some megabytes at most."""
        return _read(self._db, after, most_bytes)

    def place(self, name: str) -> int:
        """The last batch that reader `name` is done with; 0 if none."""
        found = self._db.execute("select seq from places where name = ?", (name,)).fetchone()
        return found[0] if found else 0

    def keep_places(self, places: dict[str, int]) -> None:
        """Write the readers' places now. Raises JournalFull."""
        with self._writing():
            self._place(places)

    def trim(self, upto: int, *, most: int = 1_000) -> None:
        """Forget batches up to this number, a few at a time so that nobody waits for it. Raises JournalFull."""
        upto = min(upto, self._trimmed + most) if self._trimmed else upto
        if upto > self._trimmed:
            with self._writing():
                self._db.execute("delete from batches where seq <= ?", (upto,))
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
        return _presences(self._db)

    def refusals(self, organisation: str, gateway: str, limit: int) -> list[RefusedMessage]:
        """The newest first."""
        rows = self._db.execute(
            "select time, topic, place, reason, payload, encoding from refusals "
            "where organisation = ? and gateway = ? order by id desc limit ?",
            (organisation, gateway, limit),
        )
        return [RefusedMessage(*row) for row in rows]

    def untimed(self) -> dict[int, Untimed]:
        """By packet id, the messages without times that may be delivered once more."""
        rows = self._db.execute("select packet_id, digest, arrived, number from untimed")
        return {packet_id: Untimed(*rest) for packet_id, *rest in rows}

    def sights(self, came: int) -> dict[str, dict[Seen, Sight]]:
        """The tags that are there, by input topic; their last reads are taken to have come at `came` (ns)."""
        found: dict[str, dict[Seen, Sight]] = {}
        for topic, seen, last, told in self._db.execute("select topic, seen, last, told from sights"):
            found.setdefault(topic, {})[_seen(seen)] = Sight(last, told, came)
        return found

    def forget_sights(self, topic: str) -> None:
        """Erase what is remembered of a topic's tags. Raises Unavailable."""
        try:
            self._db.execute("delete from sights where topic = ?", (topic,))
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the journal can't be written: {error}") from error

    def close(self) -> None:
        self._db.close()

    def _see(self, sights: Sights) -> None:
        gone = [(topic, _spelt(seen)) for (topic, seen), sight in sights.items() if sight is None]
        there = [(topic, _spelt(seen), sight.last, sight.told) for (topic, seen), sight in sights.items() if sight]
        self._db.executemany("delete from sights where topic = ? and seen = ?", gone)
        self._db.executemany("insert or replace into sights values (?, ?, ?, ?)", there)

    def _count(self, entries: list[Entry]) -> None:
        totals: dict[tuple[str, str], _Totals] = {}
        for entry in entries:
            whose = source(entry.topic)
            if whose is None:
                continue
            total = totals.setdefault(whose[:2], _Totals())
            total.accepted += len(entry.points)
            total.refused += len(entry.refusals)
            total.outbox = entry.outbox or total.outbox
            if entry.says == "offline":
                total.left = entry.arrived
            elif not entry.concluded:
                total.last_seen = entry.arrived
            if entry.refusals:
                self._keep_refusals(whose[:2], entry)
        self._db.executemany(
            "insert into gateways values (?, ?, ?, ?, ?, ?, ?) on conflict do update set accepted = accepted + excluded.accepted,"
            " refused = refused + excluded.refused, last_seen = coalesce(excluded.last_seen, last_seen),"
            " left = coalesce(excluded.left, left), outbox = coalesce(excluded.outbox, outbox)",
            [(*whose, *astuple(total)) for whose, total in totals.items()],
        )

    def _keep_refusals(self, whose: tuple[str, str], entry: Entry) -> None:
        payload, encoding = shown(entry.payload)
        rows = [
            (*whose, entry.arrived, entry.topic, refusal.index, refusal.reason, payload, encoding)
            for refusal in entry.refusals[:KEPT_REFUSALS]
        ]
        self._db.executemany(
            "insert into refusals (organisation, gateway, time, topic, place, reason, payload, encoding) values (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._db.execute(
            "delete from refusals where organisation = ?1 and gateway = ?2 and id <= (select id from refusals"
            " where organisation = ?1 and gateway = ?2 order by id desc limit 1 offset ?3)",
            (*whose, KEPT_REFUSALS),
        )

    def _place(self, places: dict[str, int]) -> None:
        self._db.executemany("insert or replace into places values (?, ?)", list(places.items()))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.OperationalError as error:
            raise JournalFull(f"the journal can't be written: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")


class JournalReader:
    """Another process's side: reads only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first; none while there is no journal yet. Raises Unavailable."""
        with self._reading() as db:
            return _read(db, after, most_bytes) if db else []

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard. Raises Unavailable."""
        with self._reading() as db:
            return _presences(db) if db else []

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


def _spelt(seen: Seen) -> str:
    return msgspec.json.encode(seen).decode()


def _presences(db: sqlite3.Connection) -> list[Presence]:
    rows = db.execute("select organisation, gateway, accepted, refused, last_seen, left, outbox from gateways")
    return [Presence(*row) for row in rows]


def _read(db: sqlite3.Connection, after: int, most_bytes: int) -> list[Batch]:
    batches, size = [], 0
    for seq, body in db.execute("select seq, body from batches where seq > ? order by seq", (after,)):
        batches.append(Batch(seq, _decode(body)))
        size += len(body)
        if size >= most_bytes:
            break
    return batches
