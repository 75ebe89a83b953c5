"""What is done to what a source hears before any of it leaves: steps, one after the other, each of which may hold back, rename or sum up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from gateways.agent.understanding import Item


class Stage(Protocol):
    """One step of one source. Times in ns since 1970; `now` is our clock."""

    def passed(self, items: Sequence[Item], now: int) -> list[Item]:
        """What goes on of these at once, in order."""
        ...

    def due(self, now: int, *, ended: bool) -> list[Item]:
        """What is told because time passed, or because the source has ended."""
        ...

    def places(self) -> dict[str, str]:
        """What is to be remembered since this was asked, as places of the source (`Taker.messages`); empty: no more."""
        ...

    def counts(self) -> Counter[str]:
        """Records that did not go on since this was asked, by what `Summary` calls it."""
        ...
