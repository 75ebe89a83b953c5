"""How few visits that one knows of somebody single out one trace. Pure.

Of random targets p random visits are known, by place and hour (or the window, where that is longer). A target is unique if all traces that have all
of them are of one and the same person. A window's group is a trace with one visit, of as many people as it has.
De Montjoye et al. 2013, https://doi.org/10.1038/srep01376.
"""

from __future__ import annotations

import numpy as np

from broker.audit.columns import Floats, Integers, Visits, keys

TARGETS = 500


def unicity(
    known: Visits, seen: Visits, holders: Floats, points: int, grain: int, rng: np.random.Generator
) -> tuple[float, int]:
    """The share of targets that are unique, and how many there were.

    `known`: of each target `points` visits of one of its traces are drawn. `holders`: how many people each trace of `seen` is of.
    """
    shown = np.unique(np.column_stack((keys(seen.time, seen.place, grain), seen.trace)), axis=0)
    cases = _cases(known, points, grain, rng)
    owner = np.full(len(holders), -1)
    owner[seen.trace] = seen.whose
    unique = sum(_found(case, shown, holders, owner) for case in cases)
    return (unique / len(cases) if cases else 0.0), len(cases)


def _cases(known: Visits, points: int, grain: int, rng: np.random.Generator) -> list[Integers]:
    """Of each target the keys of the visits that are known."""
    visits = np.unique(np.column_stack((known.trace, keys(known.time, known.place, grain))), axis=0)
    _, first, size = np.unique(visits[:, 0], return_index=True, return_counts=True)
    enough = np.flatnonzero(size >= points)
    chosen = rng.choice(enough, min(TARGETS, len(enough)), replace=False)
    return [visits[first[i] + rng.choice(size[i], points, replace=False), 1] for i in chosen]


def _found(case: Integers, shown: Integers, holders: Floats, owner: Integers) -> bool:
    left: Integers | None = None
    for key in case:
        begin, end = np.searchsorted(shown[:, 0], (key, key + 1))
        there = shown[begin:end, 1]
        left = there if left is None else np.intersect1d(left, there, assume_unique=True)
    if left is None or not len(left):
        return False
    return bool((holders[left] == 1).all()) and len(np.unique(owner[left])) == 1
