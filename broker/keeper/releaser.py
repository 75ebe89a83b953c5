"""What is released of records and of windows, written to history; whoever asks decides when, and tells live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from broker import times
from broker.keeper.draws import drawn
from broker.keeper.known import Known
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress
from broker.keeper.revision import revised
from broker.keeper.tally import REJECTED, of_windows, rejected
from broker.keeper.watch import Watch
from broker.keeper.windows import Found, exact_windows, finished, first_of_each
from broker.keeper.writing import write
from broker.metrics import RELEASED, REVISED, count_withheld
from broker.points import Cursor, Point, Row
from broker.privacy.aggregate import start_of
from broker.privacy.noise import Draw
from broker.privacy.profile import Sample
from broker.release import KeyOf, Outcome, of_trips, pointwise
from broker.store.protocol import Store
from broker.store.reads import points_of


class Computed(NamedTuple):
    """Windows of a feed."""

    feed: Feed
    shown: list[Point]
    fresh: list[Point]
    """What of it is not in history so."""
    revised: int
    """How many of these are there otherwise."""
    fates: dict[str, int]
    """What becomes of the records that they were made of, where the store takes all."""


class Releaser:
    """Owns the writing side of what is released, but for what `arrivals.py` writes at once."""

    def __init__(
        self,
        *,
        known: Known,
        progress: Progress,
        released: Store,
        watch: Watch,
        key_of: KeyOf,
        lateness: int,
        clock: Callable[[], int],
        draw: Draw,
    ) -> None:
        self._known = known
        self._progress = progress
        self._released = released
        self._watch = watch
        self._key_of = key_of
        self._lateness = lateness
        self._clock = clock
        self._draw = draw
        self._sampled_upto: dict[str, int] = {}  # stream -> the newest interval of which something was released

    def shown(self, feed: Feed, points: list[Point], arrived: int) -> Outcome:
        """What a feed without statistics shows of these; nothing is written."""
        shown = feed.shown_by[0]
        consents = self._known.consents
        outcome = pointwise(shown.release, shown.offer, points, arrived, self._key_of, self._lateness, consents)
        return self._told(feed, outcome)

    def _told(self, feed: Feed, outcome: Outcome) -> Outcome:
        count_withheld(outcome.withheld)
        self._watch.outcome(feed.stream, self._clock(), shown=bool(outcome.points), withheld=outcome.withheld)
        return outcome

    def release(self, feed: Feed, points: list[Point], arrived: int) -> Outcome:
        """Release what a feed without statistics shows of these, at most one an interval where it samples."""
        return self._released_of(feed, self._sampled(feed, self.shown(feed, points, arrived)))

    def release_trips(self, feed: Feed, points: list[Point], begins: list[int | None], arrived: int) -> Outcome:
        """Release an epoch, trip by trip; of each point when its trip began, or None."""
        shown = feed.shown_by[0]
        consents = self._known.consents
        outcome = of_trips(shown.release, shown.offer, points, begins, arrived, self._key_of, self._lateness, consents)
        return self._released_of(feed, self._told(feed, outcome))

    def _released_of(self, feed: Feed, outcome: Outcome) -> Outcome:
        refused = {row.point for row in self._write(feed, outcome.points)}
        taken = [point for point in outcome.points if point not in refused]
        RELEASED.inc(len(taken))
        return Outcome(taken, {**outcome.withheld, REJECTED: len(outcome.points) - len(taken)})

    def windows_of(self, feed: Feed, found: Found) -> Computed:
        """The windows of these, computed and paid for, and not written yet."""
        windows = exact_windows(feed, found, self._known.consents)
        if feed.profile.noise is not None:
            windows = drawn(feed, windows, self._progress, self._draw)
        count_withheld(windows.withheld)
        self._watch.outcome(feed.stream, self._clock(), shown=bool(windows.points), withheld=windows.withheld)
        shown = finished(feed, windows.points)
        before = self._before(feed, shown)
        fresh = revised(before, shown, self._clock())
        return Computed(feed, shown, fresh, sum(point.cursor in before for point in fresh), of_windows(windows))

    def release_windows(self, computed: Sequence[Computed]) -> list[dict[str, int]]:
        """Release these: written together, since a store takes as long for one window as for hundreds. What became of the records of each."""
        rows = [Row(of.feed.stream, point) for of in computed for point in of.fresh]
        refused = {(row.stream, row.point.cursor) for row in write(self._released, rows, self._progress)}
        taken = [sum((of.feed.stream, point.cursor) not in refused for point in of.fresh) for of in computed]
        RELEASED.inc(sum(taken))
        REVISED.inc(sum(of.revised for of in computed))
        return [rejected(of.fates, len(of.fresh), count) for of, count in zip(computed, taken, strict=True)]

    def forget(self, stream: str) -> None:
        """It was erased."""
        self._sampled_upto.pop(stream, None)

    def _sampled(self, feed: Feed, outcome: Outcome) -> Outcome:
        sample = feed.profile.find(Sample)
        if sample is None:
            return outcome
        points = outcome.points
        fresh = [
            point for point in first_of_each(points, sample.every_ns) if self._is_first(feed, sample.every_ns, point)
        ]
        out = len(points) - len(fresh)
        count_withheld({"sampled_out": out})
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

    def _before(self, feed: Feed, shown: list[Point]) -> dict[Cursor, Point]:
        """What was released of these windows before."""
        if not shown:
            return {}
        first, last = shown[0].time, shown[-1].time
        return {point.cursor: point for point in points_of(self._released, feed.stream, first, last + 1)}

    def _write(self, feed: Feed, points: list[Point]) -> list[Row]:
        return write(self._released, [Row(feed.stream, point) for point in points], self._progress)
