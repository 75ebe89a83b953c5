"""Finding somebody again in the next epoch, by where and by when. Pure.

Names: every trace of one epoch is paired with the most similar of the next, by cosine of what it visits (places and hours: by
trajectory; half hours of the day: by rhythm). Chance is a pair drawn at random.

Windows name nobody, so that there is nothing to pair. Who followed somebody through one epoch has a guess for the next anyway: the same again. The attack
corrects that guess by what the next epoch's windows tell; chance is the guess without them, so that success beyond it is what the release adds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broker.audit.columns import Counts, Flags, Floats, Integers, Visits, keys, look_up

_HOUR = 3_600_000_000_000
_DAY = 24 * _HOUR
_AT_ONCE = 500  # traces compared with all others: 20 MB at 5,000


class Linked(NamedTuple):
    success: float
    chance: float
    tried: int


def by_trajectory(before: Visits, after: Visits) -> Linked:
    """Pairs by which places were visited, and when."""
    places = int(max(before.place.max(initial=0), after.place.max(initial=0))) + 1
    hours = [visits.place + places * (1 + visits.time % _DAY // (2 * _HOUR)) for visits in (before, after)]
    wide = places * 13
    return _pair(before, after, [(before.place, after.place), (hours[0], hours[1])], wide)


def by_rhythm(before: Visits, after: Visits) -> Linked:
    """Pairs by the half hours of the day alone."""
    return _pair(before, after, [(before.time % _DAY // (_HOUR // 2), after.time % _DAY // (_HOUR // 2))], 48)


def _pair(before: Visits, after: Visits, features: list[tuple[Integers, Integers]], wide: int) -> Linked:
    """`features`: what each visit counts as, below `wide`."""
    if not len(before.trace) or not len(after.trace):
        return Linked(0.0, 0.0, 0)
    (one, whose), (other, theirs) = (_codes(visits) for visits in (before, after))
    rows, columns = (
        _weighed([feature[side] for feature in features], codes, size, wide)
        for side, codes, size in ((0, one, len(whose)), (1, other, len(theirs)))
    )
    common = _spread(rows, columns)
    rows, columns = _unit(rows * common), _unit(columns * common)
    there = np.flatnonzero(np.isin(whose, theirs))
    hits = 0
    for begin in range(0, len(there), _AT_ONCE):
        some = there[begin : begin + _AT_ONCE]
        hits += int((theirs[np.argmax(rows[some] @ columns.T, axis=1)] == whose[some]).sum())
    _, many = np.unique(theirs, return_counts=True)
    chance = float(many.mean() / len(theirs))
    return Linked(hits / len(there) if len(there) else 0.0, chance, len(there))


def _codes(visits: Visits) -> tuple[Integers, Integers]:
    """Each visit's trace as a number from 0 on; of each trace whose it is."""
    _, first, codes = np.unique(visits.trace, return_index=True, return_inverse=True)
    return codes, visits.whose[first]


def _weighed(features: list[Integers], codes: Integers, size: int, wide: int) -> Floats:
    table = np.zeros((size, wide))
    for feature in features:
        np.add.at(table, (codes, feature), 1.0)
    return np.sqrt(table)


def _spread(rows: Floats, columns: Floats) -> Floats:
    """What few have in common says more: inverse document frequency."""
    seen = (rows > 0).sum(axis=0) + (columns > 0).sum(axis=0)
    weights: Floats = np.log((len(rows) + len(columns) + 1) / (seen + 1))
    return weights


def _unit(table: Floats) -> Floats:
    scaled: Floats = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    return scaled.astype(np.float32)


def follow(known: Visits, truth: Visits, before: Counts, after: Counts, window: int, later: int) -> Linked:
    """By trajectory: where and when was somebody `later` (ns), whose visits of the epoch before are `known`?

    The guess is one of the known visits at its time then: any; or with the release, that whose group grew most.
    """
    known, truth = _of_both(known, truth)
    hits = np.isin(_visits(known, window, later), _visits(truth, window, 0))
    grown = _grown(known, before, after, window, later)
    _, first, size = np.unique(known.whose, return_index=True, return_counts=True)
    best = [begin + int(np.argmax(grown[begin : begin + many])) for begin, many in zip(first, size, strict=True)]
    chance = np.add.reduceat(hits, first) / size if len(first) else np.zeros(1)
    return Linked(_share(hits[best]), float(chance.mean()), len(best))


def rhythm(known: Visits, truth: Visits, before: Counts, after: Counts, window: int, later: int) -> Linked:
    """By rhythm: in which window did somebody pass a place again, whose visits of the epoch before are `known`?

    Without the release the same one; with it, that window, the one before it or the one after, whose group grew most, weighed by how often each
    is right, which was learnt on half of the people.
    """
    known, truth = _of_both(known, truth)
    moved = [known._replace(time=known.time + shift * window) for shift in (0, -1, 1)]
    grown = np.stack([_grown(visits, before, after, window, later) for visits in moved])
    hits = np.stack([np.isin(_visits(visits, window, later), _visits(truth, window, 0)) for visits in moved])
    again = hits.any(axis=0)  # who did not pass there at all is no question of when
    learn = again & (known.whose % 2 == 0)
    usual = hits[:, learn].mean(axis=1, keepdims=True) if learn.any() else np.ones((3, 1))
    chosen = np.argmax(usual * (1 + grown), axis=0)
    with_it = hits[chosen, np.arange(len(chosen))]
    tried = again & ~learn
    return Linked(_share(with_it[tried]), _share(hits[0][tried]), int(tried.sum()))


def _of_both(known: Visits, truth: Visits) -> tuple[Visits, Visits]:
    """Whoever is in both, by who it is."""
    known = known.where(np.isin(known.whose, truth.whose))
    return known.where(np.argsort(known.whose, kind="stable")), truth


def _visits(visits: Visits, window: int, later: int) -> Integers:
    """One number for who, where and in which window."""
    return keys(visits.time + later, visits.place, window) * (1 << 24) + visits.whose


def _grown(visits: Visits, before: Counts, after: Counts, window: int, later: int) -> Floats:
    """How the group of each visit changed from one epoch to the next, as told: 0 where it is not told of the next."""
    then = look_up(keys(before.time, before.place, window), before.told, keys(visits.time, visits.place, window))
    now = look_up(keys(after.time, after.place, window), after.told, keys(visits.time + later, visits.place, window))
    grown: Floats = now / np.maximum(then, 1.0)
    return grown


def _share(hits: Flags) -> float:
    return float(hits.mean()) if len(hits) else 0.0
