"""The streets of a simulated city, and the ways through them. Pure, vectorised.

A grid of crossings, numbered row by row from the south-west. A way is a staircase along the straight line, which is a shortest one;
of the many that there are a number says which, so that somebody with a habit takes the same one every day.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians
from typing import NamedTuple

import numpy as np

from simulators.chance import Floats, Integers

BLOCK_M = 125.0
"""Between two crossings."""
_M_PER_DEGREE = 111_200.0


class Ways(NamedTuple):
    """What several ways pass, one entry a crossing, way after way, both ends included."""

    way: Integers
    crossing: Integers
    step: Integers
    """How many blocks from its beginning."""


@dataclass(frozen=True, slots=True)
class Streets:
    centre: tuple[float, float]
    """Longitude and latitude (WGS 84)."""
    side: int = 41
    """Crossings from west to east, and from south to north: 5 km."""

    def crossing(self, east: Floats | Integers, north: Floats | Integers) -> Integers:
        """The crossing next to a point given in blocks from the centre; beyond the edge, the one at the edge."""
        half = self.side // 2
        column, row = (np.clip(np.rint(blocks) + half, 0, self.side - 1).astype(np.int64) for blocks in (east, north))
        crossings: Integers = row * self.side + column
        return crossings

    def location(self, crossing: int) -> tuple[float, float]:
        """Longitude and latitude, to a metre."""
        row, column = divmod(crossing, self.side)
        east_m, north_m = ((place - self.side // 2) * BLOCK_M for place in (column, row))
        longitude, latitude = self.centre
        east_degrees = east_m / (_M_PER_DEGREE * cos(radians(latitude)))
        return round(longitude + east_degrees, 5), round(latitude + north_m / _M_PER_DEGREE, 5)

    def ways(self, start: Integers, end: Integers, which: Floats) -> Ways:
        """The ways from crossing to crossing, entry by entry. `which`: from 0 to below 1, of each a shortest way of its own."""
        (row, column), (last_row, last_column) = divmod(start, self.side), divmod(end, self.side)
        east, north = last_column - column, last_row - row
        blocks = abs(east) + abs(north)
        way = np.repeat(np.arange(len(start)), blocks + 1)
        first = np.cumsum(blocks + 1) - (blocks + 1)
        step = np.arange(len(way)) - first[way]
        share = np.abs(east[way]) / np.maximum(blocks[way], 1)
        across = np.floor(share * step + which[way] * (share < 1)).astype(np.int64)
        across = np.minimum(across, np.abs(east[way]))
        column_now = column[way] + np.sign(east)[way] * across
        row_now = row[way] + np.sign(north)[way] * (step - across)
        return Ways(way, row_now * self.side + column_now, step)
