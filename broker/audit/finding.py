"""What an attack achieved. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Shares from 0 to 1; None where the attack has nothing to work on."""

    attack: str
    success: float | None
    chance: float | None
    """What the same reader would achieve without the release."""
    raw: float | None
    """What would be achieved if the raw data, or the usual weak protection, were released."""
    tried: int = 0
    """How many targets the share is of."""
    note: str = ""

    @property
    def times_chance(self) -> float | None:
        """Success as a multiple of chance; None where either is nothing."""
        return self.success / self.chance if self.success is not None and self.chance else None
