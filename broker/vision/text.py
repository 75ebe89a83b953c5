"""PP-OCRv4's text detector: from a picture to the network's input, and from its output to boxes of short lines of text. Pure.

A plate that is too small or too foreign for a detector of plates is still a short line of text. The network says for every pixel how
likely it belongs to the inner part of a line (Liao and others: Differentiable Binarization, https://arxiv.org/abs/1911.08947); here a line is
the upright box around one connected group of likely pixels, grown back to the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from broker.vision.boxes import Boxes, Pixels, Scores, none

INPUT = "x"
LIKELY = 0.3
"""A pixel belongs to a line from this on (the paper's figure)."""
GROWN = 1.6
"""A line's inner part is made by moving its edges inwards by area / perimeter times this; PP-OCR's figure."""


def tensor(pixels: Pixels) -> NDArray[np.float32]:
    """1 x 3 x height x width: blue, green and red between -1 and 1."""
    return np.ascontiguousarray((pixels[:, :, ::-1] / np.float32(127.5) - 1).transpose(2, 0, 1)[None], np.float32)


def decode(outputs: Sequence[NDArray[Any]], threshold: float) -> tuple[Boxes, Scores]:
    """Boxes of lines, in pixels of the input, and how likely each is: the mean of its group."""
    likely = outputs[0][0, 0]
    boxes, scores = groups(likely, LIKELY)
    sides = boxes[:, 2:] - boxes[:, :2]
    move = sides.prod(axis=1, keepdims=True) * GROWN / (2 * sides.sum(axis=1, keepdims=True))
    grown = np.hstack((boxes[:, :2] - move, boxes[:, 2:] + move)).astype(np.float32)
    which = scores > threshold
    return grown[which], scores[which]


def groups(likely: NDArray[np.float32], at: float) -> tuple[Boxes, Scores]:
    """The box around each connected group of values above `at`, and the group's mean.

    Works on runs, the stretches of such values in a row: two runs are connected if they touch, also by a corner.
    """
    edges = np.diff(np.pad(likely > at, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    if not len(row):
        return none(), np.empty(0, np.float32)
    group = _joined(row, first, last)
    sums = np.pad(np.cumsum(likely, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    names, which = np.unique(group, return_inverse=True)
    boxes = np.empty((len(names), 4), np.float32)
    for column, (reduce, values) in enumerate(
        ((np.minimum, first), (np.minimum, row), (np.maximum, last), (np.maximum, row + 1))
    ):
        boxes[:, column] = -np.inf if reduce is np.maximum else np.inf
        reduce.at(boxes[:, column], which, values)
    total = np.bincount(which, sums[row, last] - sums[row, first])
    return boxes, (total / np.bincount(which, last - first)).astype(np.float32)


def _joined(row: NDArray[np.intp], first: NDArray[np.intp], last: NDArray[np.intp]) -> list[int]:
    """The name of each run's group: union-find over the runs of each two neighbouring rows."""
    parent = list(range(len(row)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    rows, starts = np.unique(row, return_index=True)
    ends = [*starts[1:].tolist(), len(row)]
    for k in range(1, len(rows)):
        if rows[k] != rows[k - 1] + 1:
            continue
        above, below = int(starts[k - 1]), int(starts[k])
        while above < ends[k - 1] and below < ends[k]:
            if first[below] <= last[above] and first[above] <= last[below]:
                parent[root(below)] = root(above)
            if last[above] < last[below]:
                above += 1
            else:
                below += 1
    return [root(run) for run in range(len(row))]
