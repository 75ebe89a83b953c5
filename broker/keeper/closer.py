"""Releasing windows when they are due, each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from broker.keeper.known import Known
from broker.keeper.news import News
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress, Window
from broker.keeper.releaser import Computed, Releaser
from broker.keeper.tally import DELIVERED, Tally, decided, of_records, shared
from broker.keeper.windows import Found
from broker.privacy.trips import trips
from broker.store.protocol import Store
from broker.store.reads import points_of

AT_ONCE = 500  # windows that are noted as closed together
Due: TypeAlias = Sequence[tuple[Feed, Window]]


class Closer:
    """Computes each window from the raw store, where each point is once."""

    def __init__(
        self, *, known: Known, progress: Progress, raw: Store, released: Store, releaser: Releaser, news: News
    ) -> None:
        self._known = known
        self._progress = progress
        self._raw = raw
        self._released = released
        self._releaser = releaser
        self._news = news

    def close_due(self, clock: int) -> None:
        """Release or withhold all that is due by `clock` (ns). Raises StoreUnavailable."""
        while windows := self._progress.due(clock, AT_ONCE):
            tally = Tally()
            known = self._known.plan.by_stream
            due = [(known[window.stream], window) for window in windows if window.stream in known]
            for window, fates in (*self._close_statistics(due), *self._close_others(due)):
                decided(tally, window.stream, shared(self._progress.waiting(window), fates))
            self._progress.close_windows(windows, tally)

    def _close_statistics(self, due: Due) -> Iterator[tuple[Window, dict[str, int]]]:
        """Those of these that have statistics, all together; what became of the records that each was made of."""
        computed: list[tuple[Window, Computed]] = []
        for feed, window in due:
            if feed.profile.aggregate is None:
                continue
            if self._was_released(feed, window, until=window.start + 1):
                yield window, {DELIVERED: 1}
            else:
                computed.append((window, self._releaser.windows_of(feed, self._found(feed, window))))
        of_each = self._releaser.release_windows([of for _, of in computed])
        for (window, of), fates in zip(computed, of_each, strict=True):
            self._news.tell(of.feed, of.shown)
            yield window, fates

    def _close_others(self, due: Due) -> Iterator[tuple[Window, dict[str, int]]]:
        """The others, one by one: what is released of one may depend on what was of the one before."""
        for feed, window in due:
            if feed.profile.aggregate is not None:
                continue
            end = window.start + _length(feed)
            if not feed.profile.by_trip:
                ((_, points),) = self._found(feed, window)
                outcome = self._releaser.release(feed, points, end)
                self._news.tell(feed, outcome.points)
                yield window, of_records(outcome)
            elif self._was_released(feed, window, until=end):
                yield window, {DELIVERED: 1}
            else:
                yield window, self._close_trips(feed, window.start, end)

    def _was_released(self, feed: Feed, window: Window, *, until: int) -> bool:
        """Whether it is released that must stay as it was: before a crash that came before this was noted."""
        return feed.sealed and bool(self._released.read(feed.stream, window.start, until, limit=1))

    def _found(self, feed: Feed, window: Window) -> Found:
        end = window.start + _length(feed)
        return [(source, points_of(self._raw, source.stream, window.start, end)) for source in feed.sources]

    def _close_trips(self, feed: Feed, start: int, end: int) -> dict[str, int]:
        """Where a trip begins and ends depends on all datastreams of the offer."""
        operator = feed.profile.pseudonymise
        assert operator is not None
        sources = [release.datastream for release in feed.shown_by[0].offer.releases]
        found = [points_of(self._raw, source.stream, start, end) for source in sources]
        begins = trips([(source.place, points) for source, points in zip(sources, found, strict=True)], operator)
        own = sources.index(feed.datastream)
        outcome = self._releaser.release_trips(feed, found[own], begins[own], end)
        self._news.tell(feed, outcome.points)
        return of_records(outcome)


def _length(feed: Feed) -> int:
    assert feed.window_ns is not None
    return feed.window_ns
