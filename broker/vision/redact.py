"""One picture from bytes to bytes as it would be released: decoded, looked at, covered, encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from broker.vision import masks, picture
from broker.vision.boxes import Boxes
from broker.vision.detector import Detector
from broker.vision.level import Limits
from broker.vision.masks import Polygon
from broker.vision.picture import Format, Picture


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be covered, and how it looks."""

    faces: bool = True
    plates: bool = True
    masks: Sequence[Polygon] = ()
    soft: bool = False
    """Whether the fill is blurred together with what is around it: nothing of what is covered is in it."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A picture as it would be released, and where what was covered: boxes in its pixels."""

    data: bytes
    width: int
    height: int
    faces: Boxes
    plates: Boxes


def redact(
    data: bytes, detector: Detector, order: Order, limits: Limits, formats: tuple[Format, ...] = ("JPEG",)
) -> Redacted:
    """Raises Refused: `too_large`, `corrupt`."""
    opened = picture.decode(data, limits, formats)
    found = detector.find(opened.pixels, faces=order.faces, plates=order.plates)
    height, width = opened.pixels.shape[:2]
    hidden = masks.covered(np.concatenate((found.faces, found.plates)), order.masks, width, height)
    shown = masks.filled(opened.pixels, hidden)
    if order.soft:
        shown = masks.blended(shown, picture.blurred(shown, masks.SOFT * max(width, height)), hidden)
    return Redacted(picture.encode(Picture(shown, opened.format)), width, height, found.faces, found.plates)
