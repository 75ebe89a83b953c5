"""Statistics of groups of numbers. Pure, vectorised.

Formulas over a group's values x_1..x_n: mean = sum/n; stddev = sqrt(sum((x - mean)^2)/n), of the group itself and not an
estimate for a larger population; median and p95 by linear interpolation between the closest ranks (Hyndman and Fan 1996,
type 7, numpy's default).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Statistic: TypeAlias = Literal["mean", "min", "max", "sum", "count", "median", "p95", "stddev"]
Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Groups: TypeAlias = NDArray[np.intp]


def statistics(values: Floats, which: Groups, names: Sequence[Statistic]) -> dict[str, Floats | Integers]:
    """Each named statistic of each group. `which`: the group of each value, 0 to m-1, every group used. Arrays of m."""
    order = np.lexsort((values, which))
    ranked = values[order]
    count = np.bincount(which)
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond float64 is found by its not being finite
        total = np.add.reduceat(ranked, first)
        mean = total / count
        computed: dict[str, Floats | Integers] = {}
        for name in names:
            match name:
                case "count":
                    computed[name] = count.astype(np.int64)
                case "sum":
                    computed[name] = total
                case "mean":
                    computed[name] = mean
                case "min":
                    computed[name] = ranked[first]
                case "max":
                    computed[name] = ranked[first + count - 1]
                case "median":
                    computed[name] = _quantile(ranked, first, count, 0.5)
                case "p95":
                    computed[name] = _quantile(ranked, first, count, 0.95)
                case "stddev":
                    squares = np.add.reduceat((ranked - np.repeat(mean, count)) ** 2, first)
                    computed[name] = np.sqrt(squares / count)
    return computed


def _quantile(ranked: Floats, first: Groups, count: Groups, q: float) -> Floats:
    position = (count - 1) * q
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    low, high = ranked[first + below], ranked[first + above]
    share = position - below
    return np.asarray(low * (1 - share) + high * share)
