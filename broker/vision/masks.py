"""Which pixels are covered, and with what. Pure.

The fill is one colour, the same in every picture: what was there has no influence on it. A blur or a mosaic is computed from what it hides, and
readers are trained to undo it (McPherson, Shokri, Shmatikov: https://arxiv.org/abs/1609.00408).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from broker.vision import boxes as of_boxes
from broker.vision.boxes import Boxes, Pixels

Mask: TypeAlias = NDArray[np.bool_]
"""Height x width."""
Polygon: TypeAlias = Sequence[tuple[float, float]]
"""Corners as (x, y), in shares of the picture's width and height, so that they hold at any size."""
COLOUR = (96, 96, 96)
SOFT = 0.01
"""The radius of a soft fill's blur, in shares of the picture's longer side."""


def covered(boxes: Boxes, polygons: Sequence[Polygon], width: int, height: int) -> Mask:
    """What lies in a box or in a polygon."""
    mask = of_boxes.mask(boxes, width, height)
    for polygon in polygons:
        mask |= inside(polygon, width, height)
    return mask


def inside(polygon: Polygon, width: int, height: int) -> Mask:
    """Which pixels a polygon touches: their centres inside by the even-odd rule, and a pixel more on each side."""
    x = (np.arange(width) + 0.5)[None, :]
    y = (np.arange(height) + 0.5)[:, None]
    within = np.zeros((height, width), np.bool_)
    corners = [(a * width, b * height) for a, b in polygon]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if y0 != y1:
            between = (y0 > y) != (y1 > y)
            within ^= between & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return _widened(within)


def filled(pixels: Pixels, mask: Mask) -> Pixels:
    """The picture with one colour where the mask is."""
    return np.where(mask[:, :, None], np.array(COLOUR, np.uint8), pixels)


def blended(pixels: Pixels, other: Pixels, mask: Mask) -> Pixels:
    """The picture, and where the mask is the other."""
    return np.where(mask[:, :, None], other, pixels)


def _widened(mask: Mask) -> Mask:
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    out = wide.copy()
    out[1:] |= wide[:-1]
    out[:-1] |= wide[1:]
    return out
