"""What was stored before an offer, shown by it too: a chunk at a time, so that what comes in waits for none of it longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from broker import times
from broker.keeper.known import Known
from broker.keeper.news import News
from broker.keeper.plan import Feed
from broker.keeper.progress import Backfill, Progress, Window
from broker.keeper.releaser import Releaser
from broker.keeper.tally import RELEASED, Tally, decided, of_records
from broker.keeper.windows import cut, due_of
from broker.points import Point
from broker.privacy.aggregate import start_of
from broker.store.protocol import Store
from broker.store.reads import points_of

CHUNK = 5_000  # points read at once when a stream is filled with what was stored before it
LEAST_CHUNK = 100  # of each datastream, where a stream is made of many
TOGETHER = 200  # streams that are filled at once, where little was stored before them: one has to be found on the disk for each


class Past:
    """A chunk that is filled twice does no harm."""

    def __init__(
        self,
        *,
        known: Known,
        progress: Progress,
        raw: Store,
        releaser: Releaser,
        news: News,
        lateness: int,
        clock: Callable[[], int],
    ) -> None:
        self._known = known
        self._progress = progress
        self._raw = raw
        self._releaser = releaser
        self._news = news
        self._lateness = lateness
        self._clock = clock

    def begin(self, feeds: Iterable[Feed]) -> None:
        """Note those of these that are new. A release of people shows nothing of before its offer."""
        self._progress.begin_backfills({feed.stream: feed.of_people for feed in feeds})

    def fill(self) -> bool:
        """Fill the first streams that lack what was stored before them, up to a chunk of it; whether there was one."""
        filled: list[tuple[Backfill, bool]] = []
        waiting: Counter[Window] = Counter()
        tally, read = Tally(), 0
        for backfill in self._progress.backfills(TOGETHER):
            done = self._fill(backfill, waiting, tally)
            filled.append((backfill, done))
            read += tally[backfill.stream, RELEASED]
            if not done or read >= CHUNK:
                break
        if filled:
            self._progress.keep_backfills(filled, waiting, tally)
        return bool(filled)

    def _fill(self, backfill: Backfill, waiting: Counter[Window], tally: Tally) -> bool:
        """Whether that was all of a stream."""
        feed = self._known.plan.by_stream.get(backfill.stream)
        if feed is None:
            return True
        fill = self._copy if feed.profile.aggregate is None else self._aggregate
        return fill(feed, backfill, waiting, tally)

    def _copy(self, feed: Feed, backfill: Backfill, waiting: Counter[Window], tally: Tally) -> bool:
        after = (backfill.position, backfill.key)
        points = self._raw.read(feed.datastream.stream, times.EARLIEST, times.LATEST, after=after, limit=CHUNK)
        outcome = self._releaser.release(feed, self._already_due(feed, points, waiting), self._clock())
        tally[feed.stream, RELEASED] += len(points)
        decided(tally, feed.stream, of_records(outcome))
        if points:
            backfill.position, backfill.key = points[-1].cursor
        if len(points) == CHUNK:
            return False
        self._news.tell_newest(feed)
        return True

    def _aggregate(self, feed: Feed, backfill: Backfill, waiting: Counter[Window], tally: Tally) -> bool:
        length = feed.window_ns
        assert length is not None
        begin = max(backfill.position, times.EARLIEST)
        limit = max(CHUNK // len(feed.sources), LEAST_CHUNK)
        chunks = [self._raw.read(source.stream, begin, times.LATEST, limit=limit) for source in feed.sources]
        if not any(chunks):
            self._news.tell_newest(feed)
            return True
        first, end = cut(chunks, limit, length)
        if end > first:  # a window that goes on after a chunk waits for the next
            found = [[p for p in chunk if p.time < end] for chunk in chunks]
        else:
            end = first + length
            found = [points_of(self._raw, source.stream, first, end) for source in feed.sources]
        ready = [(s, self._already_due(feed, points, waiting)) for s, points in zip(feed.sources, found, strict=True)]
        (fates,) = self._releaser.release_windows([self._releaser.windows_of(feed, ready)])
        tally[feed.stream, RELEASED] += sum(map(len, found))
        decided(tally, feed.stream, fates)
        backfill.position = end
        return False

    def _already_due(self, feed: Feed, points: list[Point], waiting: Counter[Window]) -> list[Point]:
        """Those that need not wait; the windows of the others are noted."""
        length = feed.window_ns
        if length is None:
            return points
        now, ready = self._clock(), []
        for point in points:
            start = start_of(point.time, length)
            due = due_of(feed, start, self._lateness)
            if due > now:
                waiting[Window(feed.stream, start, due)] += 1
            else:
                ready.append(point)
        return ready
