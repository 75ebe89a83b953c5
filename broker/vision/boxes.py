"""Boxes in pictures: float arrays of shape (n, 4), each row left, top, right, bottom in pixels, the right and bottom edge outside. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]
"""A picture: height x width x 3, red, green, blue."""


def none() -> Boxes:
    return np.empty((0, 4), np.float32)


def areas(boxes: Boxes) -> Scores:
    """Of each box, in square pixels."""
    sides: Scores = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def overlap(box: Boxes, boxes: Boxes) -> Scores:
    """Intersection over union of one box (4,) with each of `boxes`."""
    corners = np.hstack((np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])))
    shared = areas(corners)
    union = areas(boxes) + areas(box[None]) - shared
    out: Scores = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return out


def suppressed(boxes: Boxes, scores: Scores, at: float) -> tuple[Boxes, Scores]:
    """Greedy non-maximum suppression: the best of each group whose boxes overlap its best by more than `at`, the best first."""
    kept: list[int] = []
    left = np.argsort(-scores, kind="stable")
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[overlap(boxes[best], boxes[left]) <= at]
    return boxes[kept], scores[kept]


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """What of each box lies in the picture, on whole pixels, rounded outwards; without those of which nothing does."""
    outwards = np.hstack((np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])))
    whole: Boxes = np.clip(outwards, 0, np.array([width, height, width, height]))
    return whole[areas(whole) > 0]


def mask(boxes: Boxes, width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels (height x width) any of the boxes covers."""
    covered = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in clipped(boxes, width, height).astype(int):
        covered[top:bottom, left:right] = True
    return covered


def grown(boxes: Boxes, sides: float, above: float, below: float) -> Boxes:
    """Each box wider by `sides` of its width on either side, and higher by `above` and `below` of its height."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    moves = np.stack((-sides * width, -above * height, sides * width, below * height), axis=1)
    return (boxes + moves).astype(np.float32)


def agreed(found: Sequence[tuple[Boxes, Scores]], at: float) -> tuple[Boxes, Scores]:
    """All boxes of several looks at one picture, each with the mean over all looks of its score there: 0 where nothing overlaps it by
    more than `at`.

    What is real is seen at every size, what is not often at one only, so the mean tells them apart better than either score.
    """
    totals = []
    for boxes, scores in found:
        total = scores.copy()
        for others, theirs in found:
            if others is not boxes:
                total += [float(np.max(theirs, initial=0, where=overlap(box, others) > at)) for box in boxes]
        totals.append(total / len(found))
    return np.concatenate([boxes for boxes, _ in found]), np.concatenate(totals).astype(np.float32)
