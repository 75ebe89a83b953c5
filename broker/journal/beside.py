"""What is kept beside the batches: readers' places, what gateways sent, what was refused of it, and what whoever takes messages in must
remember over a crash. Whoever calls holds the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import msgspec

from broker.entry import Entry, shown
from broker.errors import JournalFull, Unavailable
from broker.journal.protocol import RefusedMessage, Sights, Untimed
from broker.presence import Presence
from broker.smoothing import Seen, Sight
from broker.tables.protocol import Read, Source, Tables
from broker.topics import source

_seen = msgspec.json.Decoder(Seen).decode

KEPT_REFUSALS = 1_000
"""A gateway's newest refusals that are kept: a day of one a minute, and at most 2 MB."""
SCHEMA = """
create table if not exists places (name text primary key, seq integer not null) without rowid;
create table if not exists gateways (
    organisation text, gateway text, accepted integer not null, refused integer not null, last_seen integer, "left" integer, outbox text,
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


@dataclass(slots=True)
class _Totals:
    """What a batch adds to a gateway's row."""

    accepted: int = 0
    refused: int = 0
    last_seen: int | None = None
    left: int | None = None
    outbox: str | None = None


class BesideTables:
    """Read and written by one task."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        tables.make(SCHEMA)

    @contextmanager
    def writing(self, *, on_disk: bool = True) -> Iterator[None]:
        """A transaction, as `Tables.changing`. Raises JournalFull, and then nothing of it was written."""
        try:
            with self._tables.changing(on_disk=on_disk):
                yield
        except (Unavailable, sqlite3.Error) as error:
            raise JournalFull(f"the journal can't be written: {error}") from error

    def place(self, name: str) -> int:
        found = self._tables.execute("select seq from places where name = ?", (name,))
        return found[0][0] if found else 0

    def furthest(self) -> int:
        """The furthest place of a reader."""
        found = self._tables.execute("select max(seq) from places where name <> 'messages'")  # which counts others
        return int(found[0][0] or 0)

    def keep_places(self, places: Mapping[str, int]) -> None:
        self._tables.execute_many(
            "insert into places values (?, ?) on conflict (name) do update set seq = excluded.seq", list(places.items())
        )

    def refusals(self, organisation: str, gateway: str, limit: int) -> list[RefusedMessage]:
        rows = self._tables.execute(
            "select time, topic, place, reason, payload, encoding from refusals "
            "where organisation = ? and gateway = ? order by id desc limit ?",
            (organisation, gateway, limit),
        )
        return [RefusedMessage(*row) for row in rows]

    def untimed(self) -> dict[int, Untimed]:
        rows = self._tables.execute("select packet_id, digest, arrived, number from untimed")
        return {packet_id: Untimed(*rest) for packet_id, *rest in rows}

    def keep_untimed(self, untimed: Mapping[int, Untimed]) -> None:
        rows = [(packet_id, *one) for packet_id, one in untimed.items()]
        self._tables.execute_many(
            "insert into untimed values (?, ?, ?, ?) on conflict (packet_id) do update set digest = excluded.digest,"
            " arrived = excluded.arrived, number = excluded.number",
            rows,
        )

    def sights(self, came: int) -> dict[str, dict[Seen, Sight]]:
        found: dict[str, dict[Seen, Sight]] = {}
        for topic, seen, last, told in self._tables.execute("select topic, seen, last, told from sights"):
            found.setdefault(topic, {})[_seen(seen)] = Sight(last, told, came)
        return found

    def keep_sights(self, sights: Sights) -> None:
        gone = [(topic, _spelt(seen)) for (topic, seen), sight in sights.items() if sight is None]
        there = [(topic, _spelt(seen), sight.last, sight.told) for (topic, seen), sight in sights.items() if sight]
        self._tables.execute_many("delete from sights where topic = ? and seen = ?", gone)
        self._tables.execute_many(
            "insert into sights values (?, ?, ?, ?) on conflict (topic, seen) do update set last = excluded.last, told = excluded.told",
            there,
        )

    def forget_sights(self, topic: str) -> None:
        self._tables.execute("delete from sights where topic = ?", (topic,))

    def count(self, entries: list[Entry]) -> None:
        """Add to what gateways sent, and keep what was refused of it."""
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
        self._tables.execute_many(
            "insert into gateways values (?, ?, ?, ?, ?, ?, ?) on conflict (organisation, gateway) do update set"
            " accepted = gateways.accepted + excluded.accepted, refused = gateways.refused + excluded.refused,"
            " last_seen = coalesce(excluded.last_seen, gateways.last_seen),"
            ' "left" = coalesce(excluded."left", gateways."left"), outbox = coalesce(excluded.outbox, gateways.outbox)',
            [(*whose, *astuple(total)) for whose, total in totals.items()],
        )

    def _keep_refusals(self, whose: tuple[str, str], entry: Entry) -> None:
        payload, encoding = shown(entry.payload)
        rows = [
            (*whose, entry.arrived, entry.topic, refusal.index, refusal.reason, payload, encoding)
            for refusal in entry.refusals[:KEPT_REFUSALS]
        ]
        self._tables.execute_many(
            "insert into refusals (organisation, gateway, time, topic, place, reason, payload, encoding) values (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._tables.execute(
            "delete from refusals where organisation = ? and gateway = ? and id <= (select id from refusals"
            " where organisation = ? and gateway = ? order by id desc limit 1 offset ?)",
            (*whose, *whose, KEPT_REFUSALS),
        )


def upgrade(db: sqlite3.Connection) -> None:
    """Bring the tables of an older version up to date, in the files that they lie in."""
    db.executescript(SCHEMA)
    if "left" not in {row[1] for row in db.execute("pragma table_info(gateways)")}:
        db.executescript(_BEFORE_WILLS + SCHEMA + _SINCE_WILLS)
    if "outbox" not in {row[1] for row in db.execute("pragma table_info(gateways)")}:
        db.execute("alter table gateways add column outbox text")


def heard(source: Source) -> list[Presence]:
    """Of every gateway that was heard, as another process sees it. Raises Unavailable."""
    with source.reading() as read:
        return presences(read)


def presences(read: Read) -> list[Presence]:
    """Of every gateway that was heard. Raises Unavailable."""
    rows = read('select organisation, gateway, accepted, refused, last_seen, "left", outbox from gateways', ())
    return [Presence(*row) for row in rows]


def _spelt(seen: Seen) -> str:
    return msgspec.json.encode(seen).decode()
