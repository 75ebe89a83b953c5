"""Reads of a tag, a dozen a second while it stands before an antenna, smoothed into three events. Pure.

A tag *arrives* when it is seen at a read point for the first time, is *still there* once every `window` while it goes on being
seen, and is *gone* when it was not seen for `window`, at the moment that it was seen last. A read that comes late, older than
the last of its tag, changes nothing. An event is a tag read that says so in its `biz_step`, in the words of GS1's Core Business
Vocabulary (https://ref.gs1.org/cbv/), so that it is an EPCIS ObjectEvent in short.

Whether a gap is one is told by the reads' own times; that nothing comes any more, by the clock. So after an outage, when all reads
come at once, the events are those that there would have been, but for one that was told gone when the outage began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from broker.reading import TagRead

ARRIVED, STILL_THERE, GONE = "arriving", "cycle_counting", "departing"


class Seen(NamedTuple):
    """Which tag is seen, and where: at a read point, or, where nobody named one, by an antenna."""

    device: str
    read_point: str | None
    antenna: int | None
    epc: str


@dataclass(frozen=True, slots=True)
class Sight:
    """A tag that is there."""

    last: int
    """When (ns) it was seen last."""
    told: int
    """When (ns) something was last told of it."""
    came: int
    """When (ns, our clock) its last read came."""


Changes: TypeAlias = Mapping[Seen, Sight | None]
"""What is to be remembered otherwise; None: it is gone."""


class Smoothing:
    """The reads of one datastream, or of one source, in order. `there`: what was remembered of what came before."""

    def __init__(self, window: int, there: Mapping[Seen, Sight] | None = None) -> None:
        self.window = window
        """ns."""
        self._there: dict[Seen, Sight] = dict(there or {})
        self._changes: dict[Seen, Sight | None] = {}

    def see(self, reads: Iterable[TagRead], now: int) -> list[TagRead]:
        """What happened by these reads, which came at `now` (ns), in order of time. One without a time is of `now`; what is an event already stays."""
        events: list[TagRead] = []
        for read in reads:
            if read.biz_step is not None:
                events.append(read)
                continue
            named = Seen(read.device, read.read_point, None if read.read_point else read.antenna, read.epc)
            events += self._see(named, now if read.time is None else read.time, now)
        return sorted(events, key=_time)

    def left(self, now: int) -> list[TagRead]:
        """What is gone at `now` (ns), since nothing came of it for the window."""
        gone = [(named, sight) for named, sight in self._there.items() if now - sight.came > self.window]
        for named, _ in gone:
            del self._there[named]
            self._changes[named] = None
        return sorted((_event(GONE, named, sight.last) for named, sight in gone), key=_time)

    def changes(self) -> Changes:
        """What is to be remembered since this was asked: whoever begins again with it tells what would have been told."""
        changes, self._changes = self._changes, {}
        return changes

    def _see(self, named: Seen, time: int, now: int) -> list[TagRead]:
        sight = self._there.get(named)
        if sight is not None and time <= sight.last:
            self._there[named] = replace(sight, came=now)
            return []
        stays = sight is not None and time - sight.last <= self.window and time - sight.told < self.window
        told = sight.told if sight is not None and stays else time
        self._there[named] = self._changes[named] = Sight(time, told, now)
        if sight is None:
            return [_event(ARRIVED, named, time)]
        if stays:
            return []
        if time - sight.last > self.window:
            return [_event(GONE, named, sight.last), _event(ARRIVED, named, time)]
        return [_event(STILL_THERE, named, time)]


def _event(step: str, named: Seen, time: int) -> TagRead:
    return TagRead(named.device, named.epc, time, named.read_point, named.antenna, biz_step=step)


def _time(event: TagRead) -> int:
    assert event.time is not None
    return event.time
