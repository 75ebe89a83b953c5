"""What became of every record, counted: of a datastream stored or refused, of a release delivered or withheld, and why. Pure.

    accepted = stored + refused                  records of a datastream, once all that was journalled is kept
    released = delivered + withheld + waiting    records that came under a release, at any moment

The sides are counted in different places: what is accepted by whoever journals; that a record came under a release when it is read
from there; what became of it when that is decided; that it waits, with the window that it waits for. Each count is written in the
transaction that notes its step as done, so that a step which is done twice counts once.

What comes while the past is being filled in for a new offer counts on both sides as it comes, and once more as past.

A record is *delivered* when history holds what the release shows of it, by itself or in a window. Live publishes the same, unless
something newer went out before. That says nothing of who listened: `broker/meter.py` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from broker.privacy.aggregate import Windows
from broker.release import Outcome

Tally: TypeAlias = Counter[tuple[str, str]]
"""Records by (stream, what became of them): one of these, or the reason why they are withheld or refused."""
STORED = "stored"
RELEASED = "released"
DELIVERED = "delivered"
REJECTED = "store_rejected"
"""The reason where the store itself will not take it."""


def of_records(outcome: Outcome) -> dict[str, int]:
    """What became of records that each go by themselves."""
    return {DELIVERED: len(outcome.points), **outcome.withheld}


def of_windows(windows: Windows) -> dict[str, int]:
    """What became of records that windows were made of."""
    return {DELIVERED: windows.shown, **windows.hidden}


def decided(tally: Tally, stream: str, fates: Mapping[str, int]) -> None:
    """Count it."""
    for fate, records in fates.items():
        tally[stream, fate] += records


def rejected(fates: Mapping[str, int], points: int, taken: int) -> dict[str, int]:
    """The same, where the store took only so many of these points."""
    if taken == points:
        return dict(fates)
    of_delivered = shared(fates.get(DELIVERED, 0), {DELIVERED: taken, REJECTED: points - taken})
    return {**fates, **of_delivered}


def shared(records: int, fates: Mapping[str, int]) -> dict[str, int]:
    """What became of `records` that waited, where these are the fates of the points of their window; together always `records`.

    They are the same unless a record came twice or its window was opened once more: then in proportion, by largest remainder.
    """
    points = sum(fates.values())
    if points in (0, records):
        return dict(fates) if points else {REJECTED: records}
    parts = {fate: records * count // points for fate, count in fates.items()}
    rest = records - sum(parts.values())
    for fate in sorted(fates, key=lambda fate: records * fates[fate] % points, reverse=True)[:rest]:
        parts[fate] += 1
    return parts
