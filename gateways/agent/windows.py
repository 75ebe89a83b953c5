"""Privacy at the edge: statistics of windows leave, and no record does. The operator is that of an offer's profile, with its guarantee. Pure.

aggregate: of each property of a device `{property}.{statistic}`, of tags `count` or, by read point, `{read point}.count`, each at its
window's beginning. A window is told when its end is past and nothing came of it for a while, in order; what comes later is withheld, and
so is what is neither a number nor a tag, and who is fewer than `k`. Until then its records wait on this machine, among the source's places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from broker import times
from broker.points import Point, tag_point
from broker.privacy.aggregate import Part, aggregate, start_of
from broker.privacy.profile import Aggregate
from broker.reading import Custom, Reading, TagRead
from gateways import relayed
from gateways.agent.understanding import Item

LATE = 5 * times.SECOND
"""How long a window waits for what is late: devices stand beside the gateway, not behind the networks that the broker waits for."""
_said = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(slots=True)
class _Window:
    held: dict[str, Reading | TagRead] = field(default_factory=dict)
    """By the name of their place."""
    came: int = 0
    """When (ns) something came of it last."""


class Windows:
    """One source's. `places`: as they were kept."""

    def __init__(self, source: str, operator: Aggregate, places: Mapping[str, str]) -> None:
        self._operator, self._held, self._closed_at = operator, f"{source}/held/", f"{source}/closed"
        self._closed = int(places.get(self._closed_at, 0))
        """Windows that begin before this (ns) were told."""
        self._open: dict[int, _Window] = {}
        self._places: dict[str, str] = {}
        self._withheld = 0
        kept = {name: said for name, said in places.items() if name.startswith(self._held)}
        self._next = 1 + max((int(name.removeprefix(self._held)) for name in kept), default=0)
        for name, said in kept.items():
            self._hold(name, _item(said), 0)

    def passed(self, items: Sequence[Item], now: int) -> list[Item]:
        for item in items:
            number = isinstance(item, TagRead) or (type(item.value) in (int, float))
            assert item.time is not None
            if not number or start_of(item.time, self._operator.window_ns) < self._closed:
                self._withheld += 1
                continue
            name, self._next = f"{self._held}{self._next}", self._next + 1
            self._places[name] = relayed.record(item).decode()
            self._hold(name, item, now)
        return []

    def due(self, now: int, *, ended: bool) -> list[Item]:
        told: list[Item] = []
        for start, window in sorted(self._open.items()):
            end = start + self._operator.window_ns
            if now < end or (not ended and now < max(end, window.came) + LATE):
                break  # in order, so that what is told needs one mark
            told += self._told(list(window.held.values()))
            self._places.update(dict.fromkeys(window.held, ""))
            self._closed = end
            self._places[self._closed_at] = str(end)
            del self._open[start]
        return told

    def places(self) -> dict[str, str]:
        places, self._places = self._places, {}
        return places

    def counts(self) -> Counter[str]:
        withheld, self._withheld = self._withheld, 0
        return Counter(withheld=withheld)

    def _hold(self, name: str, item: Item, now: int) -> None:
        assert item.time is not None
        window = self._open.setdefault(start_of(item.time, self._operator.window_ns), _Window())
        window.held[name] = item
        window.came = now

    def _told(self, held: Sequence[Reading | TagRead]) -> Iterator[Item]:
        reads: dict[str, list[Point]] = {}
        numbers: dict[tuple[str, str, str | None, bool], list[Point]] = {}
        for item in held:
            assert item.time is not None
            if isinstance(item, TagRead):
                point = tag_point(item.time, item.epc, item.read_point, item.antenna, item.rssi, item.biz_step)
                reads.setdefault(item.device, []).append(point)
            else:
                of = (item.device, item.property, item.unit, item.unit_known)
                numbers.setdefault(of, []).append(Point(item.time, item.value))
        for device, points in reads.items():
            yield from self._counted(device, points)
        for (device, name, unit, known), points in numbers.items():
            for time, statistic, value in self._computed(points, tags=False):
                counted = statistic == "count"
                yield Reading(device, f"{name}.{statistic}", value, time, "1" if counted else unit, counted or known)

    def _counted(self, device: str, points: list[Point]) -> Iterator[Item]:
        found = aggregate([Part(points)], self._operator, tags=True)
        self._withheld += sum(found.hidden.values())
        for point in found.points:
            yield Reading(device, f"{point.key}.count" if point.key else "count", point.value, point.time, "1")

    def _computed(self, points: list[Point], *, tags: bool) -> Iterator[tuple[int, str, float]]:
        found = aggregate([Part(points)], self._operator, tags=tags)
        self._withheld += sum(found.hidden.values())
        for point in found.points:
            statistics = _said(point.extra)["statistics"]
            assert isinstance(statistics, dict)
            for statistic, value in statistics.items():
                yield point.time, statistic, value


def _item(said: str) -> Item:
    (item,) = relayed.reader(Custom())(relayed.TOPIC, f"[{said}]".encode(), 0).items
    assert isinstance(item, Reading | TagRead)
    return item
