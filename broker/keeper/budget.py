"""What a window with noise costs, and whether a budget still pays for one. Pure.

Amounts are whole billionths of an epsilon, rounded up for what is spent and down for what there is, so that no sum of rounding
errors exceeds a budget.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from broker.keeper.plan import Feed
from broker.keeper.progress import Drawn
from broker.privacy.profile import Noise

_PARTS = 10**9


def cost(feed: Feed, noise: Noise, start: int) -> Drawn:
    """What the window that begins at `start` (ns) costs whom."""
    begin = start - start % noise.per_ns
    amount, budget = _whole(noise.epsilon, ROUND_CEILING), _whole(noise.budget, ROUND_FLOOR)
    sources = tuple(source.stream for source in feed.sources)
    return Drawn(feed.stream, start, sources, amount, budget, (begin, begin + noise.per_ns))


def exhausted(feed: Feed, spent: Callable[[str, int, int], int], now: int) -> bool:
    """Whether no further window of the present period can be paid. It follows from what was released alone."""
    noise = feed.profile.noise
    if noise is None:
        return False
    next_one = cost(feed, noise, now)
    return any(spent(source, *next_one.period) + next_one.amount > next_one.budget for source in next_one.sources)


def _whole(epsilon: float, rounding: str) -> int:
    return int((Decimal(repr(epsilon)) * _PARTS).to_integral_value(rounding))
