"""Taking what is told away from totals: what of the withheld is known exactly then. Pure.

Per window the withheld groups are unknowns, none below a known least, and each total told beside them is an equation. An unknown is recovered if
all solutions agree about it: it lies in the row space of the equations, or in one that leaves nothing beyond what is least.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from broker.audit.columns import Counts, Flags, Floats, Integers

_EXACT = 1e-9


def determined(equations: Floats, sums: Floats) -> Flags:
    """Which unknowns, none of them negative, are known. `equations`: 0 or 1, a row an equation, a column an unknown."""
    unknowns = equations.shape[1]
    if not equations.size:
        return np.zeros(unknowns, bool)
    zero = np.asarray((equations[np.abs(sums) < _EXACT] > 0).any(axis=0))
    _, sizes, rows = np.linalg.svd(equations, full_matrices=True)
    free = rows[int((sizes > _EXACT).sum()) :]
    known: Flags = (np.abs(free) < _EXACT).all(axis=0) | zero
    return known


def recovered(truth: Counts, told: Sequence[Counts], totals: Sequence[Counts], few: Flags) -> tuple[int, int]:
    """How many of the groups that have too `few` are recovered or told outright, and how many there are.

    `truth`: all groups that have any, which says what is right; `told`: groups of the same kind, of each offer; `totals`: of all groups of a window.
    The reader is assumed to know from elsewhere which groups have any, so that each is at least one.
    """
    hits = asked = 0
    for start in np.unique(truth.time[few]):
        of_window = truth.where(truth.time == start)
        small = of_window.place[few[truth.time == start]]
        shown = {place: count for one in told for place, count in _at(one, start)}
        hidden = np.array([place for place in of_window.place.tolist() if place not in shown], np.int64)
        rest = np.array([total - sum(shown.values()) for one in totals for _, total in _at(one, start)])
        known = determined(np.ones((len(rest), len(hidden))), rest - len(hidden))
        asked += len(small)
        hits += int(np.isin(small, list(shown)).sum() + np.isin(small, hidden[known]).sum())
    return hits, asked


def _at(counts: Counts, start: int) -> list[tuple[int, float]]:
    """What is told of one window: (place, count)."""
    of_window = counts.where(counts.time == start)
    return list(zip(of_window.place.tolist(), of_window.told.tolist(), strict=True))


def mean_of_draws(draws: Floats, exact: Integers | Floats) -> float:
    """Averaging away noise: the share of counts that the rounded mean of all `draws` (a row a draw) hits exactly."""
    return float((np.rint(draws.mean(axis=0)) == exact).mean()) if draws.size else 0.0
