"""What comes in: written raw, released where nothing of it waits, and noted in the windows where it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from broker import times, topics
from broker.entry import Entry
from broker.journal.protocol import Batch
from broker.keeper.closer import Closer
from broker.keeper.known import Known
from broker.keeper.news import News
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress, Window
from broker.keeper.releaser import Releaser
from broker.keeper.tally import DELIVERED, REJECTED, RELEASED, STORED, Tally, decided, of_records
from broker.keeper.watch import Watch
from broker.keeper.windows import due_of
from broker.keeper.writing import write
from broker.metrics import RELEASED as RECORDS_RELEASED
from broker.metrics import STORED as RECORDS_STORED
from broker.metrics import count_withheld
from broker.points import Row
from broker.privacy.aggregate import start_of
from broker.release import begins
from broker.store.protocol import Store

NOTHING: tuple[str, tuple[Feed, ...]] = ("", ())


class Sorted(NamedTuple):
    """What is to be done with batches."""

    raw: list[Row]
    released: list[Row]
    single: list[tuple[Feed, Entry]]
    """What is released an entry at a time, as a feed that samples has to look at what it released before."""


class Arrivals:
    """A batch is in the raw store before its releases."""

    def __init__(
        self,
        *,
        known: Known,
        progress: Progress,
        raw: Store,
        released: Store,
        releaser: Releaser,
        closer: Closer,
        news: News,
        watch: Watch,
        lateness: int,
    ) -> None:
        self._known = known
        self._progress = progress
        self._raw = raw
        self._released = released
        self._releaser = releaser
        self._closer = closer
        self._news = news
        self._watch = watch
        self._lateness = lateness

    def keep(self, batches: list[Batch]) -> None:
        """Keep these together, but where a window is due between two of them: it holds what came before, and nothing of after.

        Raises StoreUnavailable.
        """
        together: list[Batch] = []
        touched: Counter[Window] = Counter()
        tally = Tally()
        earliest = times.LATEST
        for batch in batches:
            arrived = batch.entries[0].arrived
            if self._progress.is_due(arrived) or earliest <= arrived:
                self._keep(together, touched, tally)
                together, touched, tally, earliest = [], Counter(), Tally(), times.LATEST
            self._closer.close_due(arrived)
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
            for feed in self._known.plan.by_topic.get(entry.topic, NOTHING)[1]
            if feed.window_ns is not None
            for window in self._windows(feed, entry, tally)
        )

    def _windows(self, feed: Feed, entry: Entry, tally: Tally) -> Iterator[Window]:
        length = feed.window_ns
        assert length is not None
        start = begins(feed.shown_by[0].release, feed.shown_by[0].offer)
        for point in entry.points:
            first = start_of(point.time, length)
            due = due_of(feed, first, self._lateness)
            if start is not None and first < start:
                count_withheld({"before_offer": 1})
                tally[feed.stream, "before_offer"] += 1
            elif feed.sealed and entry.arrived >= due:
                count_withheld({"late": 1})  # it is never opened again
                tally[feed.stream, "late"] += 1
            else:
                yield Window(feed.stream, first, due)

    def _keep(self, batches: list[Batch], touched: Counter[Window], tally: Tally) -> None:
        if not batches:
            return
        found = self._sorted(batches, tally)
        _not_taken(tally, STORED, refused := write(self._raw, found.raw, self._progress))
        RECORDS_STORED.inc(len(found.raw) - len(refused))
        _not_taken(tally, DELIVERED, refused := write(self._released, found.released, self._progress))
        RECORDS_RELEASED.inc(len(found.released) - len(refused))
        for feed, entry in found.single:
            points = sorted(entry.points, key=lambda point: point.time)
            outcome = self._releaser.release(feed, points, entry.arrived)
            decided(tally, feed.stream, of_records(outcome))
            self._news.tell(feed, outcome.points)
        self._progress.advance(batches[-1].seq, touched, tally)

    def _sorted(self, batches: list[Batch], tally: Tally) -> Sorted:
        found = Sorted([], [], [])
        for entry in (entry for batch in batches for entry in batch.entries if entry.points):
            known = self._known.plan.by_topic.get(entry.topic)
            if known is None:
                count_withheld({"datastream_deleted": len(entry.points)})  # after it was taken in
                tally[_raw_stream(entry.topic), "datastream_deleted"] += len(entry.points)
                continue
            stream, feeds = known
            found.raw.extend(Row(stream, point) for point in entry.points)
            tally[stream, STORED] += len(entry.points)
            for feed in feeds:
                self._sort(feed, entry, found, tally)
        return found

    def _sort(self, feed: Feed, entry: Entry, found: Sorted, tally: Tally) -> None:
        if not entry.concluded:
            self._watch.heard(feed.stream, entry.arrived)
        tally[feed.stream, RELEASED] += len(entry.points)
        if feed.profile.at_once:
            outcome = self._releaser.shown(feed, entry.points, entry.arrived)
            decided(tally, feed.stream, of_records(outcome))
            found.released.extend(Row(feed.stream, point) for point in outcome.points)
        elif feed.window_ns is None:
            found.single.append((feed, entry))


def _raw_stream(topic: str) -> str:
    """Where the points of a topic rest, or would."""
    whose = topics.source(topic)
    return f"{whose.organisation}/{whose.datastream}" if whose else topic


def _not_taken(tally: Tally, instead_of: str, rows: list[Row]) -> None:
    """Correct what was counted as taken by a store."""
    for row in rows:
        tally[row.stream, instead_of] -= 1
        tally[row.stream, REJECTED] += 1
