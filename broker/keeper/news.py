"""What goes out live of all that waits or is counted: what is newer than all before, because live goes forward only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from broker.errors import Unavailable
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress
from broker.keeper.watch import Teller
from broker.model import OfferId
from broker.points import Point
from broker.registry.snapshot import Snapshot
from broker.store.protocol import Store
from broker.store.reads import points_of


class LivePublisher(Teller, Protocol):
    """What publishes windows at one Mosquitto, and what is told of releases."""

    def publish(self, feed: Feed, points: list[Point]) -> None: ...
    def wants_retained(self) -> bool: ...
    def forward(self) -> None: ...


class Live(LivePublisher, Protocol):
    """The same at all of them."""

    def follow(self, snapshot: Snapshot) -> frozenset[OfferId]:
        """Publish where the registry says; answers with the offers that are heard at a Mosquitto where they were not."""
        ...


class News:
    """Remembers the newest that was published, of each stream or of each cell, and how much of each offer."""

    def __init__(self, live: Live, released: Store, progress: Progress) -> None:
        self._live = live
        self._released = released
        self._progress = progress
        self._newest: dict[str, int] = {}
        self._newest_of_cell: dict[tuple[str, str], int] = {}
        self._published: dict[str, tuple[int, int]] = {}

    def catch_up(self, feeds: Iterable[Feed]) -> None:
        """What was released of these before now is no news."""
        latest = self._released.latest([feed.stream for feed in feeds if not feed.profile.at_once])
        self._newest |= {stream: point.time for stream, point in latest.items()}

    def tell(self, feed: Feed, points: list[Point]) -> None:
        """Publish what is newer than all before. All groups of a window go together."""
        for _, at in itertools.groupby(points, key=lambda point: point.time):
            together = [point for point in at if self._is_news(feed, point)]
            if together:
                self._publish(feed, together)
                for shown in feed.shown_by:
                    records, size = self._published.get(shown.offer.id, (0, 0))
                    sent = sum(len(shown.form.message(point)) for point in together)
                    self._published[shown.offer.id] = records + len(together), size + sent

    def tell_newest(self, feed: Feed) -> None:
        """Publish the newest of what was stored before the offer."""
        if feed.profile.at_once:
            return  # its retained value comes from whoever publishes it
        for point in self._released.latest([feed.stream]).values():
            if fresh := [one for one in self._of_moment(feed, point) if self._is_news(feed, one)]:
                self._publish(feed, fresh)

    def tell_again(self, feeds: Iterable[Feed]) -> None:
        """Publish the newest of each once more: Mosquitto forgot what was retained."""
        told = {feed.stream: feed for feed in feeds if not feed.profile.at_once}
        for stream, point in self._released.latest(told).items():
            self._progress.check()
            self._live.publish(told[stream], self._of_moment(told[stream], point))

    def forget(self, stream: str) -> None:
        """It was erased."""
        self._newest.pop(stream, None)
        self._newest_of_cell = {of: time for of, time in self._newest_of_cell.items() if of[0] != stream}

    def report(self, to: Callable[[list[tuple[str, int, int]]], object]) -> None:
        """Report (offer, records, bytes) of what was published since this was last done."""
        if not self._published:
            return
        with suppress(Unavailable):  # the broker is down: it is told the next time
            to([(offer, *counts) for offer, counts in self._published.items()])
            self._published.clear()

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
        self._progress.check()
        self._live.publish(feed, points)

    def _of_moment(self, feed: Feed, newest: Point) -> list[Point]:
        """All groups of the window whose last group this is."""
        if not feed.profile.grouped:
            return [newest]
        return points_of(self._released, feed.stream, newest.time, newest.time + 1)
