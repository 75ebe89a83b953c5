"""Statistics of fixed windows of event time. Pure, vectorised.

Guarantee: a released window says nothing of its points but the named statistics, and with `k`, nothing at all unless at
least `k` distinct privacy units were in it: `|{unit(p) : p in window}| >= k`. Assumes that one person carries one unit.
It does not protect against whoever knows all units of a window but one.

The formulas are in `broker/statistics.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from broker import times
from broker.points import Point
from broker.privacy.profile import Aggregate
from broker.statistics import Floats, Groups, Integers, statistics


@dataclass(frozen=True, slots=True)
class Windows:
    """What came of it: a point a released window, and how many windows were withheld, by reason."""

    points: list[Point]
    withheld: dict[str, int]


def start_of(time: int, window: int) -> int:
    """Beginning of the window that `time` falls in (all ns). Windows include their start and not their end."""
    return time - time % window


def aggregate(points: Sequence[Point], operator: Aggregate, *, tags: bool) -> Windows:
    """One point per window that has points: time is the window's start, value its first statistic.

    `points`: in any order, each identity once. For tag reads (`tags`) the value is the tag; else points whose value is not
    a number do not count.
    """
    counted = points if tags else [p for p in points if type(p.value) in (int, float)]
    if not counted:
        return Windows([], {})
    times_ns = np.fromiter((p.time for p in counted), np.int64, len(counted))
    starts, which = np.unique(times_ns - times_ns % operator.window_ns, return_inverse=True)
    columns: dict[str, Floats | Integers] = (
        {"count": np.bincount(which)} if tags else statistics(_numbers(counted), which, operator.statistics)
    )
    enough = np.ones(len(starts), bool)
    if operator.k is not None:
        enough = _distinct([str(p.value) for p in counted], which, len(starts)) >= operator.k
    finite = np.all([np.isfinite(column) for column in columns.values()], axis=0)
    released = [
        _point(int(start), operator, {name: column[i].item() for name, column in columns.items()})
        for i, start in enumerate(starts)
        if enough[i] and finite[i]
    ]
    withheld = {"below_k": int((~enough).sum()), "not_finite": int((enough & ~finite).sum())}
    return Windows(released, {reason: n for reason, n in withheld.items() if n})


def _numbers(points: Sequence[Point]) -> Floats:
    return np.fromiter((float(p.value) for p in points), np.float64, len(points))


def _distinct(units: list[str], which: Groups, groups: int) -> Groups:
    pairs = set(zip(which.tolist(), units, strict=True))
    return np.bincount([group for group, _ in pairs], minlength=groups)


def _point(start: int, operator: Aggregate, found: dict[str, float | int]) -> Point:
    extra = msgspec.json.encode({"until": times.text(start + operator.window_ns), "statistics": found})
    return Point(start, found[operator.statistics[0]], "", extra.decode())
