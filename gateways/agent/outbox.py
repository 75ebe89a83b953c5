"""What was heard and is not yet receipted, on disk: one SQLite file, WAL, synchronous=FULL.

A call that returns has written: a power cut after it loses nothing. What was kept stays until the broker said `stored` or
`rejected`; sent twice it is one point, for each record carries its own time. It is bounded, and counts what it drops.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker.errors import Unavailable
from gateways.agent.parcel import Held, Keep, Message, Parcel, Weight, make_room, messages

_SCHEMA = """
create table if not exists parcels (
    id integer primary key autoincrement, topic text not null, records integer not null, body blob not null);
create table if not exists places (source text primary key, at text not null) without rowid;
create table if not exists counts (what text primary key, records integer not null) without rowid;
"""
AT_ONCE = 200
"""Parcels that are looked at for one message, which carries at most 1,000 records."""


class Outbox:
    """Its one owner's; one thread. Calls block for a commit: 1 ms on an SSD, 20 ms on a memory card."""

    def __init__(self, path: Path, *, limit_bytes: int, keep: Keep) -> None:
        """Raises Unavailable if it can't be opened, or another process has it."""
        self._limit, self._keep = limit_bytes, keep
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
            path.chmod(0o600)
            self._db.execute("pragma locking_mode = exclusive")  # two that send from one file would settle each other's
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript("begin immediate;" + _SCHEMA + "commit;")
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"the outbox {path} can't be used (does another gateway run on it?): {error}") from error
        size, pending = self._db.execute(
            "select coalesce(sum(length(body)), 0), coalesce(sum(records), 0) from parcels"
        ).fetchone()
        self._size: int = size
        self.pending: int = pending
        """Records that wait for a receipt."""
        self._counts: dict[str, int] = dict(self._db.execute("select what, records from counts"))

    @property
    def counts(self) -> Mapping[str, int]:
        """Records since this outbox was made: `kept`, `stored`, `rejected`, `dropped`, and what else `put` was told of."""
        return self._counts

    def put(self, new: Sequence[Parcel], places: Mapping[str, str], counts: Mapping[str, int], *, sent: int) -> int:
        """Keep these, how far their sources were read, and what is counted, all or nothing; returns the records dropped.

        `sent`: parcels up to this id are on their way, and stay. Raises Unavailable when the disk can't take it.
        """
        with self._changing():
            dropped = sum(self._put(parcel, sent) for parcel in new)
            self._place(places)
            self._count({**counts, "dropped": dropped})
        return dropped

    def _put(self, parcel: Parcel, sent: int) -> int:
        room = make_room(len(parcel.body), self._oldest(sent), self._size, self._limit, self._keep)
        for weight in room.drop:
            self._db.execute("delete from parcels where id = ?", (weight.id,))
            self._size -= weight.size
            self.pending -= weight.records
        if not room.takes:
            return parcel.records
        self._db.execute("insert into parcels (topic, records, body) values (?, ?, ?)", parcel)
        self._size += len(parcel.body)
        self.pending += parcel.records
        self._count({"kept": parcel.records})
        return sum(weight.records for weight in room.drop)

    def _place(self, places: Mapping[str, str]) -> None:
        """An empty place is none any more."""
        self._db.executemany("insert or replace into places values (?, ?)", [one for one in places.items() if one[1]])
        self._db.executemany("delete from places where source = ?", [(name,) for name, at in places.items() if not at])

    def _oldest(self, sent: int) -> Iterator[Weight]:
        found = self._db.execute("select id, records, length(body) from parcels where id > ? order by id", (sent,))
        return (Weight(*row) for row in found)

    def next(self, after: int) -> Message | None:
        """The message that comes after parcel `after`, or None."""
        rows = self._db.execute(
            "select id, topic, records, body from parcels where id > ? order by id limit ?", (after, AT_ONCE)
        )
        return next(messages(Held(id_, Parcel(*parcel)) for id_, *parcel in rows), None)

    def settle(self, message: Message, *, stored: int, rejected: int) -> None:
        """The broker answered: forget the message. Raises Unavailable when the disk can't take it."""
        within = (message.first, message.last)
        weight = "select coalesce(sum(length(body)), 0) from parcels where id between ? and ?"
        with self._changing():
            self._size -= self._db.execute(weight, within).fetchone()[0]
            self.pending -= message.records
            self._db.execute("delete from parcels where id between ? and ?", within)
            self._count({"stored": stored, "rejected": rejected})

    def places(self, source: str) -> dict[str, str]:
        """How far this source was read, by the names that it gave: its own, or beginning with its own and a slash."""
        found = self._db.execute(
            "select source, at from places where source = ?1 or substr(source, 1, length(?1) + 1) = ?1 || '/'",
            (source,),
        )
        return dict(found.fetchall())

    def close(self) -> None:
        self._db.close()

    def _count(self, more: Mapping[str, int]) -> None:
        for what, records in more.items():
            if records:
                self._counts[what] = self._counts.get(what, 0) + records
                self._db.execute("insert or replace into counts values (?, ?)", (what, self._counts[what]))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        before = self._size, self.pending, dict(self._counts)
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            self._size, self.pending, self._counts = before
            raise Unavailable(f"the outbox can't be written: {error}") from error
