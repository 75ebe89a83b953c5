"""How far the keeper came: its place in the journal, the windows that are open, and what is still to be backfilled."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from broker.errors import Unavailable
from broker.keeper.tally import Tally
from broker.points import Point

_SCHEMA = """
create table if not exists place (seq integer not null);
insert into place select 0 where not exists (select 1 from place);
create table if not exists windows (stream text, start integer, due integer not null, records integer not null,
    primary key (stream, start)) without rowid;
create index if not exists windows_due on windows (due);
create table if not exists backfills (stream text primary key, position integer not null, key text not null, done integer not null)
    without rowid;
create index if not exists backfills_left on backfills (stream) where not done;
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
    """One SQLite file; the keeper is its only writer."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        self.place: int = self._db.execute("select seq from place").fetchone()[0]
        self._earliest: int | None = self._db.execute("select min(due) from windows").fetchone()[0]

    def advance(self, place: int, touched: Mapping[Window, int], tally: Tally) -> None:
        """The stores hold everything up to batch `place`; so many more records wait for these windows."""
        with self._changing() as db:
            self._wait(db, touched, tally)
            db.execute("update place set seq = ?", (place,))
        self.place = place
        self._opened(touched)

    def is_due(self, clock: int) -> bool:
        """Whether a window is to be released by `clock` (ns)."""
        return self._earliest is not None and self._earliest <= clock

    def due(self, clock: int, most: int) -> list[Window]:
        """The windows that are to be released by `clock` (ns), the earliest first."""
        if not self.is_due(clock):
            return []
        rows = self._db.execute(
            "select stream, start, due from windows where due <= ? order by due limit ?", (clock, most)
        )
        return [Window(*row) for row in rows]

    def waiting(self, window: Window) -> int:
        """Records that wait for it."""
        found = self._db.execute("select records from windows where stream = ? and start = ?", window[:2]).fetchone()
        return found[0] if found else 0

    def close_windows(self, windows: Iterable[Window], tally: Tally) -> None:
        """These are released or withheld."""
        gone = [(w.stream, w.start) for w in windows]
        with self._changing() as db:
            db.executemany("delete from windows where stream = ? and start = ?", gone)
            _count(db, tally)
        self._earliest = self._db.execute("select min(due) from windows").fetchone()[0]

    def begin_backfills(self, new: Mapping[str, bool]) -> None:
        """These streams are new; whether there is nothing to be filled."""
        rows = [(stream, -(2**63), done) for stream, done in new.items()]
        with self._changing() as db:
            db.executemany("insert or ignore into backfills values (?, ?, '', ?)", rows)

    def known_streams(self) -> set[str]:
        return {stream for (stream,) in self._db.execute("select stream from backfills")}

    def backfills(self, most: int = -1) -> list[Backfill]:
        """What is still to be filled, by stream; so many at most."""
        rows = self._db.execute(
            "select stream, position, key from backfills where not done order by stream limit ?", (most,)
        )
        return [Backfill(*row) for row in rows]

    def keep_backfills(
        self, filled: Iterable[tuple[Backfill, bool]], touched: Mapping[Window, int], tally: Tally
    ) -> None:
        """They came this far, and are done or not; so many records wait for these windows."""
        with self._changing() as db:
            self._wait(db, touched, tally)
            db.executemany(
                "update backfills set position = ?, key = ?, done = ? where stream = ?",
                [(one.position, one.key, done, one.stream) for one, done in filled],
            )
        self._opened(touched)

    def reject(self, rows: Iterable[tuple[str, int, str, str]]) -> None:
        """Keep (stream, time, key, reason) of what a store will not take."""
        self._db.executemany("insert into rejected (stream, time, key, reason) values (?, ?, ?, ?)", list(rows))

    def seen(self) -> dict[str, Seen]:
        rows = self._db.execute("select stream, heard, shown, hidden, reason from seen")
        return {stream: Seen(*rest) for stream, *rest in rows}

    def keep_seen(self, seen: dict[str, Seen]) -> None:
        rows = [(stream, *astuple(one)) for stream, one in seen.items()]
        with self._changing() as db:
            db.executemany("insert or replace into seen values (?, ?, ?, ?, ?)", rows)

    def told(self) -> list[str]:
        """Topics that have a retained status."""
        return [topic for (topic,) in self._db.execute("select topic from told")]

    def note_told(self, topics: Collection[str]) -> None:
        if topics:
            with self._changing() as db:
                db.executemany("insert or ignore into told values (?)", [(topic,) for topic in topics])

    def note_taken_back(self, topics: Collection[str]) -> None:
        if topics:
            with self._changing() as db:
                db.executemany("delete from told where topic = ?", [(topic,) for topic in topics])

    def note_cells(self, stream: str, topics: Iterable[str]) -> None:
        """Topics of single cells, which have a retained value."""
        self._db.executemany("insert or ignore into cells values (?, ?)", [(stream, topic) for topic in topics])

    def cells(self, stream: str) -> list[str]:
        return [topic for (topic,) in self._db.execute("select topic from cells where stream = ?", (stream,))]

    def drawn(self, stream: str, start: int) -> list[Point] | None:
        """What was drawn of a window, which is never drawn again; None if it was not."""
        found = self._db.execute("select points from drawn where stream = ? and start = ?", (stream, start)).fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=list[Point])

    def draw(self, window: Drawn, points: list[Point]) -> bool:
        """Pay for a window and keep what was drawn of it, both or neither, and on disk; False where a budget does not suffice."""
        with self._changing() as db:
            enough = all(
                self.spent(source, *window.period) + window.amount <= window.budget for source in window.sources
            )
            if enough:
                rows = [(source, window.start, window.stream, window.amount) for source in window.sources]
                db.executemany("insert into spent values (?, ?, ?, ?)", rows)
                kept = (window.stream, window.start, msgspec.json.encode(points))
                db.execute("insert into drawn values (?, ?, ?)", kept)
        return enough

    def spent(self, source: str, start: int, end: int) -> int:
        """What a datastream's windows that begin in this time (ns) cost, of all its offers, those that were withdrawn included."""
        found = self._db.execute(
            "select coalesce(sum(amount), 0) from spent where source = ? and start >= ? and start < ?",
            (source, start, end),
        )
        return int(found.fetchone()[0])

    def erased(self) -> set[str]:
        """Raw streams of deleted datastreams that are erased."""
        return {stream for (stream,) in self._db.execute("select stream from erased")}

    def note_erased(self, stream: str) -> None:
        self._db.execute("insert or ignore into erased values (?)", (stream,))

    def erased_tags(self) -> set[tuple[str, int]]:
        """(the tag's hash, when it was asked for) of what is erased."""
        return set(self._db.execute("select tag, asked from erased_tags"))

    def note_erased_tag(self, tag: str, asked: int) -> None:
        self._db.execute("insert or ignore into erased_tags values (?, ?)", (tag, asked))

    def forget(self, stream: str) -> None:
        """A released stream was erased: should it be wanted again, it begins anew."""
        with self._changing() as db:
            for table in ("backfills", "windows", "seen", "rejected", "cells", "drawn", "tallies"):
                db.execute(f"delete from {table} where stream = ?", (stream,))  # nosec B608  # noqa: S608 - the names above

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("begin immediate")
        try:
            yield self._db
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    @staticmethod
    def _wait(db: sqlite3.Connection, touched: Mapping[Window, int], tally: Tally) -> None:
        db.executemany(
            "insert into windows values (?, ?, ?, ?) on conflict do update set records = records + excluded.records",
            [(*window, records) for window, records in touched.items()],
        )
        _count(db, tally)

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


def kept(path: Path) -> Kept:
    """What was counted so far, as another process sees it. Raises Unavailable."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5)) as db:
            db.execute("begin")  # one view for all three
            place = db.execute("select seq from place").fetchone()[0]
            tallies = db.execute("select stream, fate, records from tallies order by stream, fate").fetchall()
            waiting = db.execute("select stream, sum(records) from windows group by stream").fetchall()
            return Kept(place, tallies, waiting)
    except sqlite3.OperationalError as error:
        raise Unavailable(f"what was kept can't be counted: {error}") from error


def _count(db: sqlite3.Connection, tally: Tally) -> None:
    db.executemany(
        "insert into tallies values (?, ?, ?) on conflict do update set records = records + excluded.records",
        [(*whose, records) for whose, records in tally.items() if records],
    )


def place_of(path: Path) -> int:
    """The keeper's place as another process sees it; 0 while it has not begun."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as db:
            return int(db.execute("select seq from place").fetchone()[0])
    except (sqlite3.OperationalError, TypeError):
        return 0


def waits(path: Path, streams: Sequence[str], clock: int) -> bool:
    """Whether a window of these that was due by `clock` (ns) is not released yet, as another process sees it; in doubt it is not."""
    if not path.exists():
        return False
    query = "select 1 from windows where due <= ? and stream in (select value from json_each(?)) limit 1"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as db:
            return db.execute(query, (clock, msgspec.json.encode(streams).decode())).fetchone() is not None
    except sqlite3.OperationalError:
        return True
