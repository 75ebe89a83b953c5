"""Noise on windows: which mechanism each statistic needs, and what is told of its result. Pure; chance is an argument.

Guarantee: epsilon-differential privacy of each window for a privacy unit, of everything that the window tells together: adding or removing
all records of one unit changes the chance of any outcome by a factor of at most e^epsilon. Each unit counts with at most `bound` records a window (the first), in all
of its groups together, so one unit moves the counts by at most `bound` and the sums by at most bound · max(|min|, |max|) in L1 norm;

    count' = count + discrete Laplace(bound / e),   sum' = sum + Laplace(bound · max(|min|, |max|) / e),   mean' = sum' / count'

with e = epsilon / (how many of count and sum are drawn). Windows compose: the epsilons of all windows of a period add up, over all offers of a datastream, to no
more than its budget. It does not hide which groups have k units, nor what is the same in every period: over many of them the epsilons go on adding up.
Dwork and Roth 2014, 3.3 and 3.5; the mechanisms are OpenDP's (https://docs.opendp.org).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from broker.points import Point
from broker.privacy.profile import Aggregate, Clip, Noise
from broker.statistics import Statistic

Draw: TypeAlias = Callable[[Sequence[int] | Sequence[float], float, float], Sequence[int] | Sequence[float]]
"""(exact values, how far one unit moves them together, epsilon) -> the same with noise."""
_decode = msgspec.json.Decoder(dict[str, object]).decode


def drawn_from(operator: Aggregate) -> tuple[Statistic, ...]:
    """The statistics that are drawn, from which those of the operator are computed."""
    counted = any(name in ("count", "mean") for name in operator.statistics)
    summed = any(name in ("sum", "mean") for name in operator.statistics)
    return (*(("count",) if counted else ()), *(("sum",) if summed else ()))


def noisy(exact: Sequence[Point], operator: Aggregate, noise: Noise, bounds: Clip | None, draw: Draw) -> list[Point]:
    """The groups of one window, drawn once. `exact`: with the statistics of `drawn_from`; `bounds`: of each value."""
    wanted = drawn_from(operator)
    said = [_decode(point.extra) for point in exact]
    share = noise.epsilon / len(wanted)
    drawn: dict[str, Sequence[float]] = {}
    for name in wanted:
        column = [_statistics(one)[name] for one in said]
        moved = noise.bound * (1.0 if name == "count" else _largest(bounds))
        drawn[name] = draw([int(v) for v in column] if name == "count" else column, moved, share)
    told = []
    for place, point in enumerate(exact):
        row = {name: values[place] for name, values in drawn.items()}
        computed = {name: _computed(name, row, bounds) for name in operator.statistics}
        extra = msgspec.json.encode({**said[place], "statistics": computed}).decode()
        told.append(Point(point.time, computed[operator.statistics[0]], point.key, extra))
    return told


def _statistics(said: dict[str, object]) -> dict[str, float]:
    return msgspec.convert(said["statistics"], dict[str, float])


def _largest(bounds: Clip | None) -> float:
    assert bounds is not None
    assert bounds.min is not None
    assert bounds.max is not None
    return max(abs(bounds.min), abs(bounds.max))


def _computed(name: Statistic, drawn: dict[str, float], bounds: Clip | None) -> int | float:
    if name != "mean":
        return drawn[name]
    assert bounds is not None
    assert bounds.min is not None
    assert bounds.max is not None
    return min(max(drawn["sum"] / max(drawn["count"], 1), bounds.min), bounds.max)
