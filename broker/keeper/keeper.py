"""The loop that keeps: read the journal, write raw, write what is released, close windows, go on.

One thread and one order, so that nothing races: a batch is in the raw store before its releases, and a window is
computed from the raw store, where each point is once. Every step may be done twice without harm.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from broker import times, topics
from broker.consent import NONE
from broker.entry import Entry
from broker.errors import StoreRejected, StoreUnavailable, Unavailable
from broker.journal import Batch, JournalReader
from broker.keeper import state
from broker.keeper.draws import drawn
from broker.keeper.eraser import Eraser
from broker.keeper.plan import Feed, Plan, compile_plan
from broker.keeper.progress import Backfill, Progress, Window
from broker.keeper.revision import revised
from broker.keeper.tally import (
    DELIVERED,
    REJECTED,
    RELEASED,
    STORED,
    Tally,
    decided,
    of_records,
    of_windows,
    rejected,
    shared,
)
from broker.keeper.watch import Teller, Watch
from broker.keeper.windows import Found, cut, exact_windows, finished, first_of_each
from broker.metrics import BEHIND, KEYS_DESTROYED, REVISED, STORE_FAILED, STORE_REJECTED, WITHHELD
from broker.metrics import RELEASED as RECORDS_RELEASED
from broker.metrics import STORED as RECORDS_STORED
from broker.points import Cursor, Point, Row
from broker.privacy import pseudonymise
from broker.privacy.aggregate import start_of
from broker.privacy.draw import laplace
from broker.privacy.keys import PseudonymKeys
from broker.privacy.noise import Draw
from broker.privacy.profile import Sample
from broker.registry.reader import RegistryReader
from broker.registry.snapshot import Snapshot
from broker.release import Outcome, begins, pointwise
from broker.store.protocol import Store

log = structlog.get_logger()

REST_S = 0.05  # how long it waits when there is nothing to do: the delay of history behind live
RETRY_S = (0.2, 5.0)  # first and longest pause after a store did not answer
WINDOWS_AT_ONCE = 500  # released between two looks at the journal
CHUNK = 5_000  # points read at once when a stream is filled with what was stored before it
LEAST_CHUNK = 100  # of each datastream, where a stream is made of many
SPEAK_S = 0.5  # how often its state is told
KEEP_SEEN = 10 * times.SECOND  # what a crash may make it forget of when a release was last heard
NOTHING: tuple[str, tuple[Feed, ...]] = ("", ())
SLACK = times.MINUTE  # a past epoch's secret is kept this much longer, for whoever is behind


class LivePublisher(Teller, Protocol):
    """What publishes windows, and what is told of releases."""

    def publish(self, feed: Feed, points: list[Point]) -> None: ...
    def wants_retained(self) -> bool: ...
    def forward(self) -> None: ...


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    lateness: int
    """How long (ns) after a window's end records of it are waited for."""
    silent_after: int = 10 * times.MINUTE
    """How long (ns) a gateway or a datastream may say nothing before it is told silent."""


class Keeper:
    """Owns the stores' writing side."""

    def __init__(
        self,
        *,
        registry: RegistryReader,
        journal: JournalReader,
        progress: Progress,
        raw: Store,
        released: Store,
        keys: PseudonymKeys,
        hash_of: Callable[[str], str],
        live: LivePublisher,
        state_file: Path,
        settings: KeeperSettings,
        report: Callable[[list[tuple[str, int, int]]], object],
        clock: Callable[[], int] = time.time_ns,
        draw: Draw = laplace,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._progress = progress
        self._raw = raw
        self._released = released
        self._keys = keys
        self._hash_of = hash_of
        self._consents = NONE
        self._eraser = Eraser(progress, raw, released, keys, live, hash_of)
        self._live = live
        self._state_file = state_file
        self._settings = settings
        self._report = report
        self._published: dict[str, tuple[int, int]] = {}
        self._clock = clock
        self._draw = draw
        self._plan = Plan({}, {})
        self._snapshot = Snapshot(-1)
        self._watch = Watch(progress, settings.silent_after)
        self._through = 0
        self._spoke = 0.0
        self._newest: dict[str, int] = {}
        self._newest_of_cell: dict[tuple[str, str], int] = {}
        self._swept = 0
        self._followed = 0
        self._kept_seen = 0
        self._erased_for = -1  # the registry's revision
        self._sampled_upto: dict[str, int] = {}  # stream -> the newest interval of which something was released

    def run(self, stop: threading.Event) -> None:
        """Keep until told to stop."""
        pause = RETRY_S[0]
        while not stop.is_set():
            try:
                rested = not self.step()
                pause = RETRY_S[0]
                if rested:
                    stop.wait(REST_S)
            except (StoreUnavailable, Unavailable) as error:
                STORE_FAILED.inc()
                log.warning("keeper_waits", reason=str(error), pause_s=pause)
                self.speak(trouble=str(error))
                stop.wait(pause)
                pause = min(pause * 2, RETRY_S[1])

    def step(self) -> bool:
        """Do the next thing; whether there was any. Raises StoreUnavailable and Unavailable, and can then be called again."""
        asked = self._clock()
        batches = self._journal.read(self._progress.place)
        self._follow_registry()
        if batches:
            self._keep_in_order(batches)
            self._through = batches[-1].entries[-1].arrived
        else:
            self._through = asked
            self._close_due(asked)
        BEHIND.set(len(batches))
        busy = self._erase() or self._backfill() or bool(batches)
        if self._live.wants_retained():
            self._watch.told_nothing()
            self._publish_retained()
        self._live.forward()
        self._destroy_keys(asked)
        if time.monotonic() - self._spoke > SPEAK_S:
            self.speak()
        return busy

    # --- what came in

    def _keep_in_order(self, batches: list[Batch]) -> None:
        """Keep these together, but where a window is due between two of them: it holds what came before, and nothing of after."""
        together: list[Batch] = []
        touched: Counter[Window] = Counter()
        tally: Tally = Counter()
        earliest = times.LATEST
        for batch in batches:
            arrived = batch.entries[0].arrived
            if self._progress.is_due(arrived) or earliest <= arrived:
                self._keep(together, touched, tally)
                together, touched, tally, earliest = [], Counter(), Counter(), times.LATEST
            self._close_due(arrived)
            together.append(batch)
            new = self._touched(batch, tally)
            touched.update(new)
            earliest = min(earliest, *(window.due for window in new if window.due > arrived), times.LATEST)
        self._keep(together, touched, tally)

    def _touched(self, batch: Batch, tally: Tally) -> Counter[Window]:
        """The windows that these are in, and how many of them in each."""
        return Counter(
            window
            for entry in batch.entries
            if entry.points
            for feed in self._plan.by_topic.get(entry.topic, NOTHING)[1]
            if feed.window_ns is not None
            for window in self._windows(feed, entry, tally)
        )

    def _keep(self, batches: list[Batch], touched: Counter[Window], tally: Tally) -> None:
        if not batches:
            return
        entries = [entry for batch in batches for entry in batch.entries if entry.points]
        raw: list[Row] = []
        released: list[Row] = []
        sampled: list[tuple[Feed, Entry]] = []
        for entry in entries:
            found = self._plan.by_topic.get(entry.topic)
            if found is None:
                _withheld({"datastream_deleted": len(entry.points)})  # after it was taken in
                tally[_raw_stream(entry.topic), "datastream_deleted"] += len(entry.points)
                continue
            stream, feeds = found
            raw.extend(Row(stream, point) for point in entry.points)
            tally[stream, STORED] += len(entry.points)
            for feed in feeds:
                self._watch.heard(feed.stream, entry.arrived)
                tally[feed.stream, RELEASED] += len(entry.points)
                if feed.profile.at_once:
                    outcome = self._shown(feed, entry.points, entry.arrived)
                    decided(tally, feed.stream, of_records(outcome))
                    released.extend(Row(feed.stream, point) for point in outcome.points)
                elif feed.window_ns is None:
                    sampled.append((feed, entry))
        _not_taken(tally, STORED, refused := self._write(self._raw, raw))
        RECORDS_STORED.inc(len(raw) - len(refused))
        _not_taken(tally, DELIVERED, refused := self._write(self._released, released))
        RECORDS_RELEASED.inc(len(released) - len(refused))
        for feed, entry in sampled:
            outcome = self._keep_shown(feed, sorted(entry.points, key=_time), entry.arrived)
            decided(tally, feed.stream, of_records(outcome))
            self._tell(feed, outcome.points)
        self._progress.advance(batches[-1].seq, touched, tally)

    def _shown(self, feed: Feed, points: list[Point], arrived: int) -> Outcome:
        """What a feed without statistics shows of these."""
        shown = feed.shown_by[0]
        lateness, consents = self._settings.lateness, self._consents
        outcome = pointwise(shown.release, shown.offer, points, arrived, self._keys.key, lateness, consents)
        _withheld(outcome.withheld)
        self._watch.outcome(feed.stream, self._clock(), shown=bool(outcome.points), withheld=outcome.withheld)
        return outcome

    def _keep_shown(self, feed: Feed, points: list[Point], arrived: int) -> Outcome:
        """Release what a feed without statistics shows of these, at most one an interval where it samples."""
        outcome = self._sampled(feed, self._shown(feed, points, arrived))
        refused = {row.point for row in self._write(self._released, [Row(feed.stream, p) for p in outcome.points])}
        taken = [point for point in outcome.points if point not in refused]
        RECORDS_RELEASED.inc(len(taken))
        return Outcome(taken, {**outcome.withheld, REJECTED: len(outcome.points) - len(taken)})

    def _sampled(self, feed: Feed, outcome: Outcome) -> Outcome:
        sample = feed.profile.find(Sample)
        if sample is None:
            return outcome
        points = outcome.points
        fresh = [
            point for point in first_of_each(points, sample.every_ns) if self._is_first(feed, sample.every_ns, point)
        ]
        out = len(points) - len(fresh)
        _withheld({"sampled_out": out})
        return Outcome(fresh, {**outcome.withheld, "sampled_out": out})

    def _is_first(self, feed: Feed, every: int, point: Point) -> bool:
        """Whether nothing else of its interval was released before."""
        start = start_of(point.time, every)
        newest = self._sampled_upto.get(feed.stream)
        if newest is None:
            last = self._released.latest([feed.stream]).get(feed.stream)
            newest = start_of(last.time, every) if last else times.EARLIEST - every
        self._sampled_upto[feed.stream] = max(newest, start)
        there = self._released.read(feed.stream, start, start + every, limit=1) if start <= newest else []
        return not there or there[0] == point

    def _windows(self, feed: Feed, entry: Entry, tally: Tally) -> Iterator[Window]:
        length = feed.window_ns
        assert length is not None
        start = begins(feed.shown_by[0].release, feed.shown_by[0].offer)
        for point in entry.points:
            first = start_of(point.time, length)
            due = self._due(feed, first)
            if start is not None and first < start:
                _withheld({"before_offer": 1})
                tally[feed.stream, "before_offer"] += 1
            elif feed.sealed and entry.arrived >= due:
                _withheld({"late": 1})  # it is never opened again
                tally[feed.stream, "late"] += 1
            else:
                yield Window(feed.stream, first, due)

    def _due(self, feed: Feed, start: int) -> int:
        """When (ns) the window that begins at `start` is released."""
        assert feed.window_ns is not None
        lateness = 0 if feed.profile.aggregate is None else self._settings.lateness
        return start + feed.window_ns + max(lateness, feed.profile.delay_ns)

    def _write(self, store: Store, rows: list[Row]) -> list[Row]:
        """Returns those that the store will never take."""
        try:
            if rows:
                store.write(rows)
        except StoreRejected as error:
            STORE_REJECTED.inc(len(error.rows))
            log.error("store_rejected_points", count=len(error.rows), reason=error.reason)
            self._progress.reject((r.stream, r.point.time, r.point.key, error.reason) for r in error.rows)
            return error.rows
        return []

    # --- windows

    def _close_due(self, clock: int) -> None:
        while windows := self._progress.due(clock, WINDOWS_AT_ONCE):
            tally: Tally = Counter()
            for window in windows:
                feed = self._plan.by_stream.get(window.stream)
                if feed is not None:
                    fates = self._release_window(feed, window)
                    decided(tally, feed.stream, shared(self._progress.waiting(window), fates))
            self._progress.close_windows(windows, tally)

    def _release_window(self, feed: Feed, window: Window) -> dict[str, int]:
        """Returns what became of the records that it was made of."""
        length = feed.window_ns
        assert length is not None
        aggregated = feed.profile.aggregate is not None
        if feed.sealed and aggregated and self._released.read(feed.stream, window.start, window.start + 1, limit=1):
            return {DELIVERED: 1}  # released before a crash that came before this was noted; it stays as it was
        parts = [
            (source, _all(self._raw, source.stream, window.start, window.start + length)) for source in feed.sources
        ]
        if aggregated:
            shown, fates = self._aggregated(feed, parts)
        else:
            outcome = self._keep_shown(feed, parts[0][1], window.start + length)
            shown, fates = outcome.points, of_records(outcome)
        self._tell(feed, shown)
        return fates

    def _aggregated(self, feed: Feed, found: Found) -> tuple[list[Point], dict[str, int]]:
        """Release the windows of these; what became of their records."""
        windows = exact_windows(feed, found, self._consents)
        if feed.profile.noise is not None:
            windows = drawn(feed, windows, self._progress, self._draw)
        _withheld(windows.withheld)
        self._watch.outcome(feed.stream, self._clock(), shown=bool(windows.points), withheld=windows.withheld)
        shown = finished(feed, windows.points)
        before = self._before(feed, shown)
        fresh = revised(before, shown, self._clock())
        taken = len(fresh) - len(self._write(self._released, [Row(feed.stream, point) for point in fresh]))
        RECORDS_RELEASED.inc(taken)
        REVISED.inc(sum(point.cursor in before for point in fresh))
        return shown, rejected(of_windows(windows), len(fresh), taken)

    def _before(self, feed: Feed, shown: list[Point]) -> dict[Cursor, Point]:
        """What was released of these windows before."""
        if not shown:
            return {}
        first, last = shown[0].time, shown[-1].time
        return {point.cursor: point for point in _all(self._released, feed.stream, first, last + 1)}

    def _tell(self, feed: Feed, points: list[Point]) -> None:
        """Publish what is newer than all before: live goes forward only. All groups of a window go together."""
        for _, at in itertools.groupby(points, key=_time):
            together = [point for point in at if self._is_news(feed, point)]
            if together:
                self._publish(feed, together)
                for shown in feed.shown_by:
                    records, size = self._published.get(shown.offer.id, (0, 0))
                    sent = sum(len(shown.form.message(point)) for point in together)
                    self._published[shown.offer.id] = records + len(together), size + sent

    def _is_news(self, feed: Feed, point: Point) -> bool:
        """Whether it is newer than all that was published where it will be: of a stream, or of a cell, which has a topic of its own."""
        newest = self._newest.get(feed.stream, point.time - 1)
        if feed.profile.by_cell:
            newest = self._newest_of_cell.get((feed.stream, point.key), newest - 1)
        return point.time > newest

    def _publish(self, feed: Feed, points: list[Point]) -> None:
        for point in points:
            self._newest[feed.stream] = max(self._newest.get(feed.stream, point.time), point.time)
            if feed.profile.by_cell:
                self._newest_of_cell[feed.stream, point.key] = point.time
        if feed.profile.by_cell:
            named = [shown.topic(point) for shown in feed.shown_by for point in points]
            self._progress.note_cells(feed.stream, named)
        self._live.publish(feed, points)

    # --- what was stored before an offer

    def _follow_registry(self) -> None:
        asked = self._clock()
        if self._registry.revision() != self._snapshot.revision:
            self._follow(self._registry.snapshot())
        self._followed = asked

    def _follow(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._consents = snapshot.consented(self._hash_of)
        self._plan = compile_plan(self._snapshot)
        for stream in self._plan.by_stream.keys() - self._progress.known_streams():
            feed = self._plan.by_stream[stream]
            covered = begins(feed.shown_by[0].release, feed.shown_by[0].offer) is None
            self._progress.begin_backfill(stream, done=not covered)
        latest = self._released.latest([f.stream for f in self._plan.by_stream.values() if not f.profile.at_once])
        self._newest |= {stream: point.time for stream, point in latest.items()}

    def _backfill(self) -> bool:
        """Fill a chunk of the first stream that lacks what was stored before it; whether there was one."""
        for backfill in self._progress.backfills():
            feed = self._plan.by_stream.get(backfill.stream)
            if feed is None:
                self._progress.keep_backfill(backfill, {}, Counter(), done=True)
                continue
            fill = self._copy if feed.profile.aggregate is None else self._aggregate_past
            waiting: Counter[Window] = Counter()
            tally: Tally = Counter()
            done = fill(feed, backfill, waiting, tally)
            self._progress.keep_backfill(backfill, waiting, tally, done=done)
            return True
        return False

    def _copy(self, feed: Feed, backfill: Backfill, waiting: Counter[Window], tally: Tally) -> bool:
        after = (backfill.position, backfill.key)
        points = self._raw.read(feed.datastream.stream, times.EARLIEST, times.LATEST, after=after, limit=CHUNK)
        outcome = self._keep_shown(feed, self._already_due(feed, points, waiting), self._clock())
        tally[feed.stream, RELEASED] += len(points)
        decided(tally, feed.stream, of_records(outcome))
        if points:
            backfill.position, backfill.key = points[-1].cursor
        if len(points) == CHUNK:
            return False
        self._publish_newest(feed)
        return True

    def _already_due(self, feed: Feed, points: list[Point], waiting: Counter[Window]) -> list[Point]:
        """Those that need not wait; the windows of the others are noted."""
        length = feed.window_ns
        if length is None:
            return points
        now, ready = self._clock(), []
        for point in points:
            start = start_of(point.time, length)
            due = self._due(feed, start)
            if due > now:
                waiting[Window(feed.stream, start, due)] += 1
            else:
                ready.append(point)
        return ready

    def _aggregate_past(self, feed: Feed, backfill: Backfill, waiting: Counter[Window], tally: Tally) -> bool:
        length = feed.window_ns
        assert length is not None
        begin = max(backfill.position, times.EARLIEST)
        limit = max(CHUNK // len(feed.sources), LEAST_CHUNK)
        chunks = [self._raw.read(source.stream, begin, times.LATEST, limit=limit) for source in feed.sources]
        if not any(chunks):
            self._publish_newest(feed)
            return True
        first, end = cut(chunks, limit, length)
        if end > first:  # a window that goes on after a chunk waits for the next
            found = [[p for p in chunk if p.time < end] for chunk in chunks]
        else:
            end = first + length
            found = [_all(self._raw, source.stream, first, end) for source in feed.sources]
        ready = [(s, self._already_due(feed, points, waiting)) for s, points in zip(feed.sources, found, strict=True)]
        _, fates = self._aggregated(feed, ready)
        tally[feed.stream, RELEASED] += sum(map(len, found))
        decided(tally, feed.stream, fates)
        backfill.position = end
        return False

    def _publish_newest(self, feed: Feed) -> None:
        if feed.profile.at_once:
            return  # its retained value comes from whoever publishes it
        for point in self._released.latest([feed.stream]).values():
            if fresh := [one for one in self._of_moment(feed, point) if self._is_news(feed, one)]:
                self._publish(feed, fresh)

    def _of_moment(self, feed: Feed, newest: Point) -> list[Point]:
        """All groups of the window whose last group this is."""
        if not feed.profile.grouped:
            return [newest]
        return _all(self._released, feed.stream, newest.time, newest.time + 1)

    # --- what is no longer offered

    def _erase(self) -> bool:
        """Erase one thing that the registry says is gone; whether there was one."""
        if self._erased_for == self._snapshot.revision:
            return False
        stream = self._eraser.erase(self._snapshot, self._plan)
        if stream is None:
            self._erased_for = self._snapshot.revision
            return False
        self._watch.forget(stream)
        self._newest.pop(stream, None)
        self._newest_of_cell = {of: time for of, time in self._newest_of_cell.items() if of[0] != stream}
        self._sampled_upto.pop(stream, None)
        return True

    # --- the rest

    def _publish_retained(self) -> None:
        told = {stream: feed for stream, feed in self._plan.by_stream.items() if not feed.profile.at_once}
        for stream, point in self._released.latest(told).items():
            self._live.publish(told[stream], self._of_moment(told[stream], point))

    def _destroy_keys(self, now: int) -> None:
        if now - self._swept < SLACK:
            return
        self._swept = now
        behind = min(now, self._through) - SLACK - self._settings.lateness
        for feed in self._plan.by_stream.values():
            for shown in feed.shown_by:
                operator = shown.offer.profile.pseudonymise
                if operator is not None:
                    before = pseudonymise.epoch_of(behind - shown.offer.profile.delay_ns, operator.rotate_ns)
                    KEYS_DESTROYED.inc(self._keys.destroy(shown.offer.id, before))

    def speak(self, trouble: str = "") -> None:
        """Tell how it gets on, and unless that is in doubt, how every release and gateway does."""
        self._spoke = time.monotonic()
        waiting = tuple(backfill.stream for backfill in self._progress.backfills())
        state.write(
            self._state_file, state.KeeperState(time.time_ns(), self._through, waiting, self._followed, trouble)
        )
        if trouble:
            return
        self._watch.tell(self._live, self._plan, self._snapshot.gateways, self._journal.presences(), self._clock())
        if self._published:
            with suppress(Unavailable):  # the broker is down: it is told the next time
                self._report([(offer, *counts) for offer, counts in self._published.items()])
                self._published.clear()
        if self._clock() - self._kept_seen > KEEP_SEEN:
            self._kept_seen = self._clock()
            self._watch.keep()


def _all(store: Store, stream: str, start: int, end: int, after: tuple[int, str] | None = None) -> list[Point]:
    points: list[Point] = []
    while chunk := store.read(stream, start, end, after=points[-1].cursor if points else after, limit=CHUNK):
        points.extend(chunk)
        if len(chunk) < CHUNK:
            break
    return points


def _time(point: Point) -> int:
    return point.time


def _raw_stream(topic: str) -> str:
    """Where the points of a topic rest, or would."""
    whose = topics.source(topic)
    return f"{whose.organisation}/{whose.datastream}" if whose else topic


def _not_taken(tally: Tally, instead_of: str, rows: list[Row]) -> None:
    """Correct what was counted as taken by a store."""
    for row in rows:
        tally[row.stream, instead_of] -= 1
        tally[row.stream, REJECTED] += 1


def _withheld(reasons: dict[str, int]) -> None:
    for reason, count in reasons.items():
        WITHHELD.labels(reason).inc(count)
