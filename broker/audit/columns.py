"""Visits and counts as columns: all that the attacks see. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


class Visits(NamedTuple):
    """Who was where, one entry a visit."""

    trace: Integers
    """What a reader can tell apart: a tag, a name; or a window's group, which is told apart from every other."""
    time: Integers
    """ns."""
    place: Integers
    whose: Integers
    """The truth: the person, which the attacks are scored by and do not look at."""

    def where(self, kept: Flags | Integers) -> Visits:
        """Some of them."""
        return Visits(self.trace[kept], self.time[kept], self.place[kept], self.whose[kept])

    def between(self, start: int, end: int) -> Visits:
        """Those from `start` on and before `end` (ns)."""
        return self.where((self.time >= start) & (self.time < end))


class Counts(NamedTuple):
    """What is told of windows, one entry a group."""

    time: Integers
    """The window's beginning (ns)."""
    place: Integers
    told: Floats

    def where(self, kept: Flags | Integers) -> Counts:
        """Some of them."""
        return Counts(self.time[kept], self.place[kept], self.told[kept])


def keys(time: Integers, place: Integers, grain: int) -> Integers:
    """One number for each place and span of `grain` (ns)."""
    return place + (time // grain) * (1 << 20)


def look_up(have: Integers, values: Floats, wanted: Integers) -> Floats:
    """The value of each wanted key, 0 where there is none. `have`: each key once."""
    if not len(have):
        return np.zeros(len(wanted))
    order = np.argsort(have)
    at = order[np.minimum(np.searchsorted(have[order], wanted), len(have) - 1)]
    return np.where(have[at] == wanted, values[at], 0.0)
