"""A camera of a simulated city: a street with people and cars, drawn anew for each moment, with faces and plates whose boxes are known.

All of it is drawn here, so that nobody is shown. The drawn faces have what detectors look for, but are no measure of a detector:
photographs are. What they show is whether what is known to be there was covered. Pure: seed, camera and time are the picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from broker.times import SECOND
from broker.times import text as time_text
from simulators import chance
from simulators.phenomena import clock, demand

_SIZE = (960, 540)
_HORIZON = 250
_HOUR_NS = 3600 * SECOND
_MOST_CARS, _MOST_PEOPLE = 4, 5
_SKINS = ((255, 219, 172), (241, 194, 125), (198, 134, 66), (141, 85, 36))
_COATS = ((40, 60, 110), (110, 40, 50), (50, 90, 60), (90, 80, 70))
_PAINTS = ((150, 30, 30), (40, 60, 120), (210, 210, 205), (60, 60, 65))
_LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"
_QUALITY = 88

Box = tuple[int, int, int, int]
"""x, y, width, height, in pixels."""


class Frame(NamedTuple):
    jpeg: bytes
    faces: tuple[Box, ...]
    plates: tuple[tuple[Box, str], ...]
    """With what stands on each."""

    def row(self, datastream: str, time_ns: int) -> dict[str, Any]:
        """What is really in it."""
        plates = [{"box": box, "text": text} for box, text in self.plates]
        return {"camera": datastream, "time": time_text(time_ns), "faces": self.faces, "plates": plates}


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of a city."""

    seed: int
    name: str

    def frame(self, time_ns: int) -> Frame:
        """What it sees at a moment: more of everything in the rush hour, and darker at night."""
        root = chance.draw(self.seed, chance.named(self.name), time_ns)
        picture = Image.new("RGB", _SIZE)
        pen = ImageDraw.Draw(picture)
        _street(pen, time_ns)
        busy = min(demand(time_ns / _HOUR_NS), 1.0)
        cars, people = (1 + round(busy * most) for most in (_MOST_CARS, _MOST_PEOPLE))
        plates = tuple(_car(pen, chance.draw(root, 1, nth), nth) for nth in range(cars))
        faces = tuple(_person(pen, chance.draw(root, 2, nth), nth) for nth in range(people))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_QUALITY)
        return Frame(out.getvalue(), faces, plates)


@dataclass(frozen=True, slots=True)
class Film:
    """A camera that sends a picture at each turn of its interval."""

    camera: Camera
    topic: str
    every_ns: int
    tell: Callable[[dict[str, Any]], None] | None = None
    """Hears what is really in each picture."""

    def due(self, start_ns: int, end_ns: int) -> Iterator[bytes]:
        """The last picture from `start_ns` (which counts) to `end_ns` (which does not): older ones are not worth sending."""
        at_ns = (end_ns - 1) // self.every_ns * self.every_ns
        if at_ns >= start_ns:
            frame = self.camera.frame(at_ns)
            if self.tell:
                self.tell(frame.row(self.camera.name, at_ns))
            yield frame.jpeg


def _street(pen: ImageDraw.ImageDraw, time_ns: int) -> None:
    """Sky, houses, pavement and road."""
    width, height = _SIZE
    hour, _ = clock(time_ns / _HOUR_NS)
    light = 1.0 if 7.5 < hour < 18.5 else 0.45  # noqa: PLR2004 - a day of autumn
    sky, house, pavement, road = (
        tuple(int(light * part) for part in colour)
        for colour in ((150, 180, 215), (165, 150, 130), (135, 135, 135), (75, 75, 80))
    )
    pen.rectangle((0, 0, width, _HORIZON), fill=sky)
    for nth in range(8):
        top = 60 + chance.draw(7, nth) % 90
        pen.rectangle((nth * 125, top, nth * 125 + 118, _HORIZON), fill=house)
    pen.rectangle((0, _HORIZON, width, 330), fill=pavement)
    pen.rectangle((0, 330, width, height), fill=road)


def _car(pen: ImageDraw.ImageDraw, pick: int, nth: int) -> tuple[Box, str]:
    """A car from behind, in a lane of its own, so that no other covers its plate."""
    x, y = 20 + nth * 190 + pick % 20, 350 + (pick >> 8) % 40
    paint = _PAINTS[(pick >> 16) % len(_PAINTS)]
    pen.rounded_rectangle((x, y, x + 160, y + 110), 14, fill=paint)
    pen.rounded_rectangle((x + 20, y + 8, x + 140, y + 45), 8, fill=(35, 45, 55))
    for lamp in (x + 6, x + 138):
        pen.rectangle((lamp, y + 55, lamp + 16, y + 70), fill=(190, 20, 20))
    for wheel in (x + 12, x + 124):
        pen.rectangle((wheel, y + 108, wheel + 26, y + 128), fill=(20, 20, 20))
    box = (x + 36, y + 76, 88, 22)
    return box, _plate(pen, box, pick)


def _plate(pen: ImageDraw.ImageDraw, box: Box, pick: int) -> str:
    """French, of 2009: two letters, three digits, two letters."""
    x, y, width, height = box
    letters = [_LETTERS[chance.draw(pick, place) % len(_LETTERS)] for place in range(4)]
    text = f"{letters[0]}{letters[1]}-{chance.draw(pick, 9) % 1000:03d}-{letters[2]}{letters[3]}"
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=(245, 245, 240), outline=(15, 15, 15))
    pen.rectangle((x, y, x + 7, y + height - 1), fill=(0, 60, 160))
    pen.text((x + 11, y + 3), text, fill=(10, 10, 10), font=ImageFont.load_default(14))
    return text


def _person(pen: ImageDraw.ImageDraw, pick: int, nth: int) -> Box:
    """Somebody on the pavement who looks at the camera, at a place of their own."""
    x, y = 60 + nth * 145 + pick % 40, 200 + (pick >> 8) % 30
    skin, coat = _SKINS[(pick >> 16) % len(_SKINS)], _COATS[(pick >> 24) % len(_COATS)]
    pen.rounded_rectangle((x - 14, y + 44, x + 50, y + 125), 12, fill=coat)
    pen.ellipse((x, y, x + 36, y + 46), fill=skin, outline=(60, 40, 30))
    pen.pieslice((x - 2, y - 6, x + 38, y + 30), 180, 360, fill=(50, 35, 25))
    for eye in (x + 8, x + 22):
        pen.ellipse((eye, y + 17, eye + 7, y + 22), fill=(250, 250, 250))
        pen.ellipse((eye + 2, y + 18, eye + 5, y + 22), fill=(20, 20, 20))
    pen.line((x + 18, y + 22, x + 18, y + 30), fill=(120, 80, 60), width=2)
    pen.arc((x + 9, y + 26, x + 27, y + 40), 20, 160, fill=(140, 40, 40), width=2)
    return (x, y - 6, 37, 53)
