"""Looking at a picture at the sizes that a level names, with the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from broker.vision import faces, picture, plates, text
from broker.vision.boxes import Boxes, Pixels, Scores, agreed, clipped, grown, none, suppressed
from broker.vision.level import Level
from broker.vision.models import Models

MULTIPLE = 32  # width and height that each of the networks takes are multiples of this
SAME = 0.4  # boxes that overlap by more than this are one thing (the networks' authors use 0.3 to 0.5)
UNSURE = 0.4  # below the likelihood times this a look says nothing at all
SHAPES = (
    1.2,
    8.0,
)  # width to height of a line of text that may be a plate: from two-line ones of motorcycles to the longest


class Found(NamedTuple):
    """What is to be covered, in whole pixels of the picture."""

    faces: Boxes
    plates: Boxes


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds faces and plates; one picture at a time, on the thread that asks."""

    models: Models
    level: Level

    def find(self, pixels: Pixels, *, faces: bool = True, plates: bool = True) -> Found:
        """Boxes of what is asked for, as large as they are to be covered."""
        height, width = pixels.shape[:2]
        of_faces = self._faces(pixels) if faces else none()
        of_plates = np.concatenate((self._plates(pixels), self._text(pixels))) if plates else none()
        return Found(clipped(of_faces, width, height), clipped(of_plates, width, height))

    def tight(self, pixels: Pixels) -> Boxes:
        """Faces as they are found, boxes not grown: what somebody sees who looks for them."""
        boxes, scores = self._seen(pixels)
        return boxes[scores > self.level.face_likelihood]

    def _faces(self, pixels: Pixels) -> Boxes:
        level, (boxes, scores) = self.level, self._seen(pixels)
        return grown(boxes[scores > level.face_likelihood], level.face_sides, level.face_above, level.face_below)

    def _seen(self, pixels: Pixels) -> tuple[Boxes, Scores]:
        """All that may be faces, and how likely each is one."""
        level, longer = self.level, max(pixels.shape[:2])
        looks = []
        for scale in sorted({min(scale, level.longest / longer) for scale in level.face_scales}):
            look = _Look.at(pixels, scale)
            outputs = self.models.faces.run(faces.OUTPUTS, {faces.INPUT: faces.tensor(look.pixels)})
            boxes, scores = faces.decode(outputs, level.face_likelihood * UNSURE)
            looks.append(suppressed(look.to_picture(boxes), scores, SAME))
        return agreed(looks, SAME)

    def _plates(self, pixels: Pixels) -> Boxes:
        level = self.level
        found = [none()]
        for side in self._sides(level.plate_sides, pixels):
            look = _Look.at(pixels, side / max(pixels.shape[:2]))
            outputs = self.models.plates.run(plates.OUTPUTS, {plates.INPUT: plates.tensor(look.pixels)})
            boxes, scores = plates.decode(outputs, look.width, look.height, level.plate_likelihood)
            found.append(suppressed(look.to_picture(boxes), scores, SAME)[0])
        return self._with_margin(np.concatenate(found))

    def _text(self, pixels: Pixels) -> Boxes:
        if self.level.text_side is None:
            return none()
        (side,) = self._sides((self.level.text_side,), pixels)
        look = _Look.at(pixels, side / max(pixels.shape[:2]))
        outputs = self.models.text.run(None, {text.INPUT: text.tensor(look.pixels)})
        boxes, _ = text.decode(outputs, self.level.text_likelihood)
        boxes = look.to_picture(boxes)
        shape = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
        lines = boxes[(shape > SHAPES[0]) & (shape < SHAPES[1])]
        return grown(lines, self.level.text_sides, self.level.text_above, self.level.text_above)

    def _sides(self, sides: tuple[int, ...], pixels: Pixels) -> list[int]:
        """The sides of a level for this picture: the last no less than its own, none above the longest, each once."""
        wanted = (*sides[:-1], max(sides[-1], *pixels.shape[:2]))
        return sorted({min(side, self.level.longest) for side in wanted})

    def _with_margin(self, boxes: Boxes) -> Boxes:
        margin = self.level.plate_margin
        return grown(boxes, margin, margin, margin)


@dataclass(frozen=True, slots=True)
class _Look:
    """The picture at a size that a network takes, and how to get back from there."""

    pixels: Pixels
    back: Scores

    @classmethod
    def at(cls, pixels: Pixels, scale: float) -> _Look:
        height, width = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in pixels.shape[:2])
        back = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2, np.float32)
        return cls(picture.resized(pixels, width, height), back)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Boxes of this look, in the picture's pixels."""
        return boxes * self.back
