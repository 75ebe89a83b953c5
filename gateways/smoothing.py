"""Reads of a tag, a dozen a second while it stands before an antenna, smoothed into three events. Pure.

A tag *arrives* when it is seen at a read point for the first time, is *still there* once every `window` while it goes on being
seen, and is *gone* when it was not seen for `window`, at the moment that it was seen last. A read that comes late, older than
the last of its tag, changes nothing. As EPCIS these are ObjectEvents with CBV's business steps (https://ref.gs1.org/cbv/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote

from broker import times
from broker.reading import TagRead

Step: TypeAlias = Literal["arrived", "still_there", "gone"]
WINDOW = 10 * times.SECOND
"""Unless set otherwise: readers that hop over 50 channels come back to a tag within a few seconds."""
_BUSINESS_STEPS: Mapping[Step, str] = {"arrived": "arriving", "still_there": "cycle_counting", "gone": "departing"}


class Event(NamedTuple):
    """What became of a tag at a read point."""

    step: Step
    epc: str
    read_point: str
    time: int
    """ns since 1970."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A tag that is there."""

    last: int
    """When (ns) it was seen last."""
    told: int
    """When (ns) something was last told of it."""


Sights: TypeAlias = Mapping[tuple[str, str], Sight]
"""By read point and EPC. What `smooth` gives is what it takes next."""
NOTHING_SEEN: Sights = {}


def smooth(sights: Sights, reads: Iterable[TagRead], now: int, window: int = WINDOW) -> tuple[Sights, list[Event]]:
    """What is there after these reads, at `now` (ns), and what happened, in order of time. A read without a time is of `now`."""
    there = dict(sights)
    events: list[Event] = []
    for read in reads:
        key = (read.read_point or _antenna(read), read.epc)
        events += _see(there, key, now if read.time is None else read.time, window)
    for key, sight in list(there.items()):
        if now - sight.last > window:
            del there[key]
            events.append(_event("gone", key, sight.last))
    return there, sorted(events, key=lambda event: event.time)


def object_event(event: Event) -> dict[str, object]:
    """An event as EPCIS 2.0 has it, in JSON-LD. A read point whose name is no URI becomes one."""
    read_point = event.read_point
    if ":" not in read_point:
        read_point = f"urn:x-mitoyen:read-point:{quote(read_point, safe='')}"
    return {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": _BUSINESS_STEPS[event.step],
        "epcList": [event.epc],
        "eventTime": times.text(event.time),
        "eventTimeZoneOffset": "+00:00",
        "readPoint": {"id": read_point},
    }


def _see(there: dict[tuple[str, str], Sight], key: tuple[str, str], time: int, window: int) -> list[Event]:
    sight = there.get(key)
    if sight is not None and time <= sight.last:
        return []
    if sight is None or time - sight.last > window:
        there[key] = Sight(time, time)
        gone = [] if sight is None else [_event("gone", key, sight.last)]
        return [*gone, _event("arrived", key, time)]
    due = time - sight.told >= window
    there[key] = Sight(time, time if due else sight.told)
    return [_event("still_there", key, time)] if due else []


def _antenna(read: TagRead) -> str:
    """Where nobody named a read point: the reader and its antenna."""
    return read.device if read.antenna is None else f"{read.device}/{read.antenna}"


def _event(step: Step, key: tuple[str, str], time: int) -> Event:
    read_point, epc = key
    return Event(step, epc, read_point, time)
