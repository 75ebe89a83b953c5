"""How far the keeper came: its place in the journal, the windows that are open, and what is still to be backfilled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from typing import NamedTuple

import msgspec

from broker.errors import Unavailable
from broker.keeper.tally import Tally
from broker.points import Point
from broker.tables.protocol import Source, Tables

SCHEMA = """
create table if not exists place (seq integer not null);
insert into place select 0 where not exists (select 1 from place);
create table if not exists windows (stream text, start integer, due integer not null, records integer not null,
    primary key (stream, start)) without rowid;
create index if not exists windows_due on windows (due);
create table if not exists backfills (stream text primary key, position integer not null, key text not null, done integer not null)
    without rowid;
create index if not exists backfills_left on backfills (stream) where done = 0;
create table if not exists seen (stream text primary key, heard integer, shown integer, hidden integer, reason text not null)
    without rowid;
create table if not exists told (topic text primary key) without rowid;
create table if not exists cells (stream text, topic text, primary key (stream, topic)) without rowid;
create table if not exists erased (stream text primary key) without rowid;
create table if not exists erased_tags (tag text, asked integer, primary key (tag, asked)) without rowid;
create table if not exists spent (source text, start integer, stream text, amount integer not null, primary key (source, start, stream))
    without rowid;
create table if not exists drawn (stream text, start integer, points blob not null, primary key (stream, start)) without rowid;
create table if not exists tallies (stream text, fate text, records integer not null, primary key (stream, fate)) without rowid;
create table if not exists rejected (id integer primary key, stream text, time integer, key text, reason text);
"""


_TOGETHER = 100  # tallies a statement: two thirds of the time of one each (5.1 instead of 6.9 µs a message, with 100,000 streams)


def _tallied(count: int) -> str:
    values = ", ".join(["(?, ?, ?)"] * count)
    add = "on conflict (stream, fate) do update set records = tallies.records + excluded.records"
    return f"insert into tallies values {values} {add}"  # nosec B608  # noqa: S608 - constants


class Window(NamedTuple):
    """A window that has points which are not released yet."""

    stream: str
    start: int
    due: int
    """When (ns) it is to be released."""


class Drawn(NamedTuple):
    """A window that is drawn with noise, and what it costs. Amounts are billionths of an epsilon."""

    stream: str
    start: int
    sources: tuple[str, ...]
    """The datastreams whose budget pays."""
    amount: int
    budget: int
    period: tuple[int, int]
    """Beginning and end (ns) of the time for which the budget is."""


@dataclass(slots=True)
class Backfill:
    """A released stream that does not yet hold what was stored before it."""

    stream: str
    position: int
    key: str


@dataclass(slots=True)
class Seen:
    """What was last seen of a released stream: ns since 1970, or None."""

    heard: int | None = None
    """When something came that it might show."""
    shown: int | None = None
    hidden: int | None = None
    """When nothing was released of what came, for a `reason`."""
    reason: str = ""


class Progress:
    """The keeper is its only writer."""

    def __init__(self, tables: Tables) -> None:
        """Whoever opened the tables closes them."""
        self._tables = tables
        tables.make(SCHEMA)
        self.place: int = tables.execute("select seq from place")[0][0]
        self._earliest = self._first_due()

    def advance(self, place: int, touched: Mapping[Window, int], tally: Tally) -> None:
        """The stores hold everything up to batch `place`; so many more records wait for these windows."""
        with self._tables.changing():
            self._wait(touched, tally)
            self._tables.execute("update place set seq = ?", (place,))
        self.place = place
        self._opened(touched)

    def is_due(self, clock: int) -> bool:
        """Whether a window is to be released by `clock` (ns)."""
        return self._earliest is not None and self._earliest <= clock

    def due(self, clock: int, most: int) -> list[Window]:
        """The windows that are to be released by `clock` (ns), the earliest first."""
        if not self.is_due(clock):
            return []
        rows = self._tables.execute(
            "select stream, start, due from windows where due <= ? order by due limit ?", (clock, most)
        )
        return [Window(*row) for row in rows]

    def waiting(self, window: Window) -> int:
        """Records that wait for it."""
        found = self._tables.execute("select records from windows where stream = ? and start = ?", window[:2])
        return found[0][0] if found else 0

    def close_windows(self, windows: Iterable[Window], tally: Tally) -> None:
        """These are released or withheld."""
        gone = [(w.stream, w.start) for w in windows]
        with self._tables.changing():
            self._tables.execute_many("delete from windows where stream = ? and start = ?", gone)
            self._count(tally)
        self._earliest = self._first_due()

    def begin_backfills(self, new: Mapping[str, bool]) -> None:
        """Those of these streams that are new; whether there is nothing to be filled."""
        rows = [(stream, -(2**63), done) for stream, done in new.items()]
        self._in_one("insert into backfills values (?, ?, '', ?) on conflict (stream) do nothing", rows)

    def known_streams(self) -> set[str]:
        return {stream for (stream,) in self._tables.execute("select stream from backfills")}

    def backfills(self, most: int = 2**62) -> list[Backfill]:
        """What is still to be filled, by stream; so many at most."""
        rows = self._tables.execute(
            "select stream, position, key from backfills where done = 0 order by stream limit ?", (most,)
        )
        return [Backfill(*row) for row in rows]

    def keep_backfills(
        self, filled: Iterable[tuple[Backfill, bool]], touched: Mapping[Window, int], tally: Tally
    ) -> None:
        """They came this far, and are done or not; so many records wait for these windows."""
        with self._tables.changing():
            self._wait(touched, tally)
            self._tables.execute_many(
                "update backfills set position = ?, key = ?, done = ? where stream = ?",
                [(one.position, one.key, done, one.stream) for one, done in filled],
            )
        self._opened(touched)

    def reject(self, rows: Iterable[tuple[str, int, str, str]]) -> None:
        """Keep (stream, time, key, reason) of what a store will not take."""
        self._in_one("insert into rejected (stream, time, key, reason) values (?, ?, ?, ?)", list(rows))

    def seen(self) -> dict[str, Seen]:
        rows = self._tables.execute("select stream, heard, shown, hidden, reason from seen")
        return {stream: Seen(*rest) for stream, *rest in rows}

    def keep_seen(self, seen: dict[str, Seen]) -> None:
        rows = [(stream, *astuple(one)) for stream, one in seen.items()]
        self._in_one(
            "insert into seen values (?, ?, ?, ?, ?) on conflict (stream) do update set heard = excluded.heard,"
            " shown = excluded.shown, hidden = excluded.hidden, reason = excluded.reason",
            rows,
        )

    def told(self) -> list[str]:
        """Topics that have a retained status."""
        return [topic for (topic,) in self._tables.execute("select topic from told")]

    def note_told(self, topics: Collection[str]) -> None:
        if topics:
            self._in_one("insert into told values (?) on conflict (topic) do nothing", [(topic,) for topic in topics])

    def note_taken_back(self, topics: Collection[str]) -> None:
        if topics:
            self._in_one("delete from told where topic = ?", [(topic,) for topic in topics])

    def note_cells(self, stream: str, topics: Iterable[str]) -> None:
        """Topics of single cells, which have a retained value."""
        rows = [(stream, topic) for topic in topics]
        self._in_one("insert into cells values (?, ?) on conflict (stream, topic) do nothing", rows)

    def cells(self, stream: str) -> list[str]:
        return [topic for (topic,) in self._tables.execute("select topic from cells where stream = ?", (stream,))]

    def drawn(self, stream: str, start: int) -> list[Point] | None:
        """What was drawn of a window, which is never drawn again; None if it was not."""
        found = self._tables.execute("select points from drawn where stream = ? and start = ?", (stream, start))
        return msgspec.json.decode(found[0][0], type=list[Point]) if found else None

    def draw(self, window: Drawn, points: list[Point]) -> bool:
        """Pay for a window and keep what was drawn of it, both or neither, and on disk; False where a budget does not suffice."""
        with self._tables.changing():
            enough = all(
                self.spent(source, *window.period) + window.amount <= window.budget for source in window.sources
            )
            if enough:
                rows = [(source, window.start, window.stream, window.amount) for source in window.sources]
                self._tables.execute_many("insert into spent values (?, ?, ?, ?)", rows)
                kept = (window.stream, window.start, msgspec.json.encode(points))
                self._tables.execute("insert into drawn values (?, ?, ?)", kept)
        return enough

    def spent(self, source: str, start: int, end: int) -> int:
        """What a datastream's windows that begin in this time (ns) cost, of all its offers, those that were withdrawn included."""
        found = self._tables.execute(
            "select cast(coalesce(sum(amount), 0) as bigint) from spent where source = ? and start >= ? and start < ?",
            (source, start, end),
        )
        return int(found[0][0])

    def erased(self) -> set[str]:
        """Raw streams of deleted datastreams that are erased."""
        return {stream for (stream,) in self._tables.execute("select stream from erased")}

    def note_erased(self, stream: str) -> None:
        self._tables.execute("insert into erased values (?) on conflict (stream) do nothing", (stream,))

    def erased_tags(self) -> set[tuple[str, int]]:
        """(the tag's hash, when it was asked for) of what is erased."""
        return {(tag, asked) for tag, asked in self._tables.execute("select tag, asked from erased_tags")}

    def note_erased_tag(self, tag: str, asked: int) -> None:
        self._tables.execute("insert into erased_tags values (?, ?) on conflict (tag, asked) do nothing", (tag, asked))

    def forget(self, stream: str) -> None:
        """A released stream was erased: should it be wanted again, it begins anew."""
        with self._tables.changing():
            for table in ("backfills", "windows", "seen", "rejected", "cells", "drawn", "tallies"):
                self._tables.execute(f"delete from {table} where stream = ?", (stream,))  # nosec B608  # noqa: S608 - the names above

    def check(self) -> None:
        """Raises LeaseLost where another keeper may have gone on from here: to be called right before anything leaves."""
        self._tables.check()

    def _in_one(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with self._tables.changing():
            self._tables.execute_many(statement, rows)

    def _wait(self, touched: Mapping[Window, int], tally: Tally) -> None:
        self._tables.execute_many(
            "insert into windows values (?, ?, ?, ?)"
            " on conflict (stream, start) do update set records = windows.records + excluded.records",
            [(*window, records) for window, records in touched.items()],
        )
        self._count(tally)

    def _count(self, tally: Tally) -> None:
        rows = sorted((*whose, records) for whose, records in tally.items() if records)  # neighbours share a page
        whole = len(rows) - len(rows) % _TOGETHER
        many = [tuple(chain.from_iterable(rows[at : at + _TOGETHER])) for at in range(0, whole, _TOGETHER)]
        self._tables.execute_many(_tallied(_TOGETHER), many)
        self._tables.execute_many(_tallied(1), rows[whole:])

    def _first_due(self) -> int | None:
        due: int | None = self._tables.execute("select min(due) from windows")[0][0]
        return due

    def _opened(self, new: Iterable[Window]) -> None:
        for window in new:
            if self._earliest is None or window.due < self._earliest:
                self._earliest = window.due


class Kept(NamedTuple):
    """What the keeper counted, at one moment of it."""

    place: int
    """The last batch that is counted."""
    tallies: list[tuple[str, str, int]]
    """(stream, what became of them, records)"""
    waiting: list[tuple[str, int]]
    """(stream, records that wait for a window)"""


def kept(source: Source) -> Kept:
    """What was counted so far, as another process sees it. Raises Unavailable."""
    with source.reading() as read:
        place = read("select seq from place", ())
        if not place:
            raise Unavailable("what was kept can't be counted: nothing is yet")
        tallies = read("select stream, fate, records from tallies order by stream, fate", ())
        waiting = read("select stream, cast(sum(records) as bigint) from windows group by stream order by stream", ())
        return Kept(place[0][0], [*tallies], [*waiting])


def place_of(source: Source) -> int:
    """The keeper's place as another process sees it; 0 while it has not begun."""
    try:
        with source.reading() as read:
            found = read("select seq from place", ())
    except Unavailable:
        return 0
    return int(found[0][0]) if found else 0


def waits(source: Source, streams: Sequence[str], clock: int) -> bool:
    """Whether a window of these that was due by `clock` (ns) is not released yet, as another process sees it; in doubt it is not."""
    query = "select 1 from windows where due <= ? and stream in (select value from json_each(?)) limit 1"
    try:
        with source.reading() as read:
            return bool(read(query, (clock, msgspec.json.encode(streams).decode())))
    except Unavailable:
        return True
