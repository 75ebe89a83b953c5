"""Releasing windows when they are due, each once."""

from __future__ import annotations

from broker.keeper.known import Known
from broker.keeper.news import News
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress, Window
from broker.keeper.releaser import Releaser
from broker.keeper.tally import DELIVERED, Tally, decided, of_records, shared
from broker.privacy.trips import trips
from broker.store.protocol import Store
from broker.store.reads import points_of

AT_ONCE = 500  # windows that are noted as closed together


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
            for window in windows:
                feed = self._known.plan.by_stream.get(window.stream)
                if feed is not None:
                    fates = self._close(feed, window)
                    decided(tally, feed.stream, shared(self._progress.waiting(window), fates))
            self._progress.close_windows(windows, tally)

    def _close(self, feed: Feed, window: Window) -> dict[str, int]:
        """Returns what became of the records that it was made of."""
        length = feed.window_ns
        assert length is not None
        aggregated = feed.profile.aggregate is not None
        once = aggregated or feed.profile.by_trip
        if (
            feed.sealed
            and once
            and self._released.read(feed.stream, window.start, window.start + (1 if aggregated else length), limit=1)
        ):
            return {DELIVERED: 1}  # released before a crash that came before this was noted; it stays as it was
        end = window.start + length
        if feed.profile.by_trip:
            return self._close_trips(feed, window.start, end)
        parts = [(source, points_of(self._raw, source.stream, window.start, end)) for source in feed.sources]
        if aggregated:
            shown, fates = self._releaser.release_windows(feed, parts)
        else:
            outcome = self._releaser.release(feed, parts[0][1], end)
            shown, fates = outcome.points, of_records(outcome)
        self._news.tell(feed, shown)
        return fates

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
