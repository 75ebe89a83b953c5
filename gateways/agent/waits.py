"""How long to wait before something is tried again."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_S, LONGEST_S = 0.5, 60.0


def waits() -> Iterator[float]:
    """Seconds before each attempt: doubling, and spread so that a city's gateways do not come at once."""
    wait = FIRST_S
    while True:
        yield wait * random.uniform(0.5, 1.0)  # nosec B311  # noqa: S311 - nobody gains by guessing it
        wait = min(wait * 2, LONGEST_S)
