"""Trips of tags: where one ends and the next begins, and what of it is left out around its ends. Pure, vectorised.

Guarantee: with `gap`, a name is of one trip, which is reads of one tag without a pause longer than that; with `cut_m`, no read is shown that lies within this
distance (metres) of where its trip began or ended, over all datastreams of the offer:

    shown(r) => d(p(r), p(first(trip(r)))) > cut_m and d(p(r), p(last(trip(r)))) > cut_m

so that what is shown of a way begins and ends away from home and work. Assumes that reads lie as close together as the distance asks for: a home that is far from
any reader is hidden by that alone, and one beside a reader that is passed again in the middle of a trip to elsewhere is not. Who sees many trips of one tag sees that they end on
a circle (Hassan et al. 2018, https://www.usenix.org/conference/usenixsecurity18/presentation/hassan); names that change by trip make that harder, not impossible.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from broker.place import Place
from broker.points import Point
from broker.privacy.profile import Pseudonymise

_EARTH_M = 6_371_008.8  # mean radius (IUGG)
_Integers: TypeAlias = NDArray[np.int64]
_Floats: TypeAlias = NDArray[np.float64]


def trips(parts: Sequence[tuple[Place | None, Sequence[Point]]], operator: Pseudonymise) -> list[list[int | None]]:
    """Of each read of each part when its trip began (ns), or None where it is left out. `parts`: the reads of datastreams, and where each stands."""
    reads = [read for _, points in parts for read in points]
    part = np.repeat(np.arange(len(parts)), [len(points) for _, points in parts])
    known: dict[str, int] = {}
    tag = np.array([known.setdefault(str(read.value), len(known)) for read in reads], np.int64)
    time = np.array([read.time for read in reads], np.int64)
    order = np.lexsort((time, tag))
    first, last, trip = _ends(tag[order], time[order], operator.gap_ns)
    begins: list[int | None] = list(time[order][first[trip]].tolist())
    if operator.cut_m is not None:
        where = _distances([place for place, _ in parts])
        at = part[order]
        near = np.minimum(where[at, at[first[trip]]], where[at, at[last[trip]]])
        begins = [begin if far else None for begin, far in zip(begins, near > operator.cut_m, strict=True)]
    told: list[int | None] = [None] * len(reads)
    for place, begin in zip(order.tolist(), begins, strict=True):
        told[place] = begin
    starts = accumulate((len(points) for _, points in parts), initial=0)
    return [told[begin:end] for begin, end in pairwise(starts)]


def _ends(tag: _Integers, time: _Integers, gap: int) -> tuple[_Integers, _Integers, _Integers]:
    """Of each trip its first and its last read, and of each read its trip. Reads are sorted by tag, then time."""
    fresh = np.ones(len(tag), bool)
    fresh[1:] = (tag[1:] != tag[:-1]) | (np.diff(time) > gap)
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(tag)) - 1
    return first, last, np.cumsum(fresh) - 1


def _distances(places: Sequence[Place | None]) -> _Floats:
    """Metres between places, by great circle; a place that is not known is near everything."""
    degrees = np.array([(0.0, 0.0) if p is None else (p.longitude, p.latitude) for p in places]).reshape(-1, 2)
    longitude, latitude = np.radians(degrees).T
    half = np.sin(np.subtract.outer(latitude, latitude) / 2) ** 2
    half += (
        np.multiply.outer(np.cos(latitude), np.cos(latitude)) * np.sin(np.subtract.outer(longitude, longitude) / 2) ** 2
    )
    metres: _Floats = 2 * _EARTH_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    unknown = np.array([place is None for place in places], bool)
    metres[unknown, :] = metres[:, unknown] = 0.0
    return metres
