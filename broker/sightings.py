"""Datastreams that ask for the events of tags in place of their reads (`smooth`): which tags are there, over restarts.

What is there is kept in the journal in the transaction that has its events, so that after a crash no arrival is told twice and no
departure is forgotten. The reads themselves are not kept: they are counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from broker.journal.protocol import Journal
from broker.metrics import READS_SMOOTHED
from broker.points import Point, tag_point
from broker.reading import TagRead
from broker.smoothing import Seen, Sight, Smoothing

_told = msgspec.json.Decoder(dict[str, object]).decode


class Sightings:
    """By input topic. What is here and not in the journal is `handed_over` to whoever writes it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._there: dict[str, Smoothing] = {}
        self._changes: dict[tuple[str, Seen], Sight | None] = {}
        self.forget()

    def events(self, topic: str, window: int, reads: Iterable[Point], now: int) -> list[Point]:
        """What happened by these reads of a datastream; `window` and `now` in ns."""
        smoothing = self._of(topic, window)
        came = [_read(point) for point in reads]
        happened = smoothing.see(came, now)
        READS_SMOOTHED.inc(len(came))
        self._note(topic, smoothing)
        return [_point(event) for event in happened]

    def departures(self, windows: Mapping[str, int], now: int) -> Iterator[tuple[str, list[Point]]]:
        """What is gone by now, by topic. `windows` (ns) of all that ask: what another remembers is erased. Raises Unavailable."""
        for topic in self._there.keys() - windows.keys():
            self._journal.forget_sights(topic)
            del self._there[topic]
        for topic in self._there:
            smoothing = self._of(topic, windows[topic])
            if gone := smoothing.left(now):
                self._note(topic, smoothing)
                yield topic, [_point(event) for event in gone]

    def handed_over(self) -> Mapping[tuple[str, Seen], Sight | None]:
        """What the journal is to keep with the events since the last time; whoever asks sees to it that it does."""
        changes, self._changes = self._changes, {}
        return changes

    def forget(self) -> None:
        """Begin again with what the journal has: what came since then comes once more."""
        self._changes = {}
        now = time.time_ns()  # nothing was heard meanwhile, so that from now on it counts who is silent
        self._there = {topic: Smoothing(0, there) for topic, there in self._journal.sights(now).items()}

    def _of(self, topic: str, window: int) -> Smoothing:
        found = self._there.setdefault(topic, Smoothing(window))
        found.window = window
        return found

    def _note(self, topic: str, smoothing: Smoothing) -> None:
        self._changes.update({(topic, seen): sight for seen, sight in smoothing.changes().items()})


def _read(point: Point) -> TagRead:
    told = _told(point.extra) if point.extra else {}
    return msgspec.convert({"device": "", "epc": point.value, "time": point.time, **told}, TagRead)


def _point(event: TagRead) -> Point:
    assert event.time is not None
    return tag_point(event.time, event.epc, event.read_point, event.antenna, event.rssi, event.biz_step)
