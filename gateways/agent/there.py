"""A source's reads of tags made into their events, over restarts: who is there are places `{source}/there/{tag}` in the outbox. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from broker.reading import TagRead
from broker.smoothing import Seen, Sight, Smoothing
from gateways.agent.understanding import Item

_seen = msgspec.json.Decoder(Seen).decode


class There:
    """One source's. `window` and `now` in ns; `places`: as they were kept. From `now` on it counts that nothing comes."""

    def __init__(self, source: str, window: int, places: Mapping[str, str], now: int) -> None:
        self._begin = f"{source}/there/"
        kept = {name: at.split() for name, at in places.items() if name.startswith(self._begin)}
        there = {
            _seen(name.removeprefix(self._begin)): Sight(int(last), int(told), now)
            for name, (last, told) in kept.items()
        }
        self._smoothing = Smoothing(window, there)
        self._smoothed = 0

    def passed(self, items: Sequence[Item], now: int) -> list[Item]:
        """The events of tags in place of their reads, and all else as it is."""
        reads = [item for item in items if isinstance(item, TagRead)]
        self._smoothed += sum(read.biz_step is None for read in reads)
        return [item for item in items if not isinstance(item, TagRead)] + self._smoothing.see(reads, now)

    def due(self, now: int, *, ended: bool) -> list[Item]:  # noqa: ARG002 - a source that has ended says nothing of who is there
        return [*self._smoothing.left(now)]

    def places(self) -> dict[str, str]:
        return {
            f"{self._begin}{msgspec.json.encode(seen).decode()}": f"{sight.last} {sight.told}" if sight else ""
            for seen, sight in self._smoothing.changes().items()
        }

    def counts(self) -> Counter[str]:
        smoothed, self._smoothed = self._smoothed, 0
        return Counter(smoothed=smoothed)
