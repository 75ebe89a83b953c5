"""CenterFace: from a picture to the network's input, and from its output to boxes of faces. Pure.

The network says for every fourth pixel how likely a face's centre is there, how high and wide the face is and where in these four
pixels its centre lies (Xu, Yan, Yang, Luo: CenterFace, https://arxiv.org/abs/1911.03599).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from broker.vision.boxes import Boxes, Pixels, Scores

INPUT = "input.1"
OUTPUTS = ("537", "538", "539")
"""Of the network, in this order: likelihood, the logarithm of height and width, the centre's place."""
_STRIDE = 4


def tensor(pixels: Pixels) -> NDArray[np.float32]:
    """1 x 3 x height x width: red, green and blue as they are."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def decode(outputs: Sequence[NDArray[Any]], threshold: float) -> tuple[Boxes, Scores]:
    """Boxes, in pixels of the input, and how likely each is."""
    likely, sizes, places = (output[0] for output in outputs)
    row, column = np.nonzero(likely[0] > threshold)
    height, width = np.exp(sizes[:, row, column]) * _STRIDE
    y = (row + places[0, row, column] + 0.5) * _STRIDE
    x = (column + places[1, row, column] + 0.5) * _STRIDE
    boxes = np.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2), axis=1)
    return boxes.astype(np.float32), likely[0, row, column].astype(np.float32)
