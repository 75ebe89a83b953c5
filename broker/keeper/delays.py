"""How long what came waited until it was released, for the operator: of each released stream, from the first record that was not released
yet to the release that showed something again. Pure.

Of windows it is about their length, of what is delayed the delay, of everything else some milliseconds: what is far above is slow.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

MOST = 20
"""That are told: a metric with a label for each release of a city would be thousands."""


class Delays:
    """Times in ns since 1970."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        """When the first one came that waits."""
        self._last: dict[str, int] = {}

    def heard(self, stream: str, arrived: int) -> None:
        self._waiting.setdefault(stream, arrived)

    def shown(self, stream: str, now: int) -> None:
        if (since := self._waiting.pop(stream, None)) is not None:
            self._last[stream] = max(now - since, 0)

    def forget(self, stream: str) -> None:
        self._waiting.pop(stream, None)
        self._last.pop(stream, None)

    def slowest(self) -> tuple[tuple[str, int], ...]:
        """Streams and their last delays (ns), the longest first."""
        return longest(self._last.items())


def longest(delays: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """As many of these as are told."""
    return tuple(heapq.nlargest(MOST, delays, key=lambda one: one[1]))
