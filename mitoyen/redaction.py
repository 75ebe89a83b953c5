"""`mitoyen redact`: files in, the same files as they would be released, and a list of what was covered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from broker.errors import Malformed, Refused
from broker.settings.pictures import PictureSettings
from broker.vision import models
from broker.vision.boxes import Boxes
from broker.vision.detector import Detector
from broker.vision.level import LevelName
from broker.vision.redact import Order, Redacted
from broker.vision.redact import redact as redact_bytes

LIST = "boxes.json"
MOST_BYTES = 64 << 20
"""Of a file, which need not fit in a message."""


def redact(
    pictures: Sequence[Path],
    out: Path,
    settings: PictureSettings,
    level: LevelName,
    order: Order,
    say: Callable[[str], None],
) -> int:
    """Write what can be released, and the list: [{"file", "width", "height", "faces", "plates"}], boxes as [x, y, width, height].

    Returns how many were refused; `say` is told why. Raises Malformed, and Unavailable without the models.
    """
    _check(pictures, out)
    detector = Detector(models.open_(settings.models_folder), settings.level(level))
    out.mkdir(parents=True, exist_ok=True)
    limits, covered = replace(settings.picture_limits, bytes=MOST_BYTES), []
    for path in pictures:
        try:
            done = redact_bytes(path.read_bytes(), detector, order, limits, ("JPEG", "PNG"))
        except (Refused, OSError) as error:
            say(f"{path}: {error}; nothing was written for it")
            continue
        _write(out / path.name, done.data)
        covered.append(_listed(path.name, done))
    _write(out / LIST, json.dumps(covered, indent=1).encode() + b"\n")
    return len(pictures) - len(covered)


def _check(pictures: Sequence[Path], out: Path) -> None:
    twice = [name for name, count in Counter(path.name for path in pictures).items() if count > 1]
    if twice:
        raise Malformed(
            f"several pictures are called {', '.join(twice)}, and each is written under its name: redact them one by one"
        )
    for path in pictures:
        if (out / path.name).resolve() == path.resolve():
            raise Malformed(f"{path} would be overwritten: name another folder with --out")
        if path.name == LIST:
            raise Malformed(f"{path}: {LIST} is where the boxes are written")


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _listed(name: str, done: Redacted) -> dict[str, object]:
    return {
        "file": name,
        "width": done.width,
        "height": done.height,
        "faces": _sized(done.faces),
        "plates": _sized(done.plates),
    }


def _sized(boxes: Boxes) -> list[list[int]]:
    return [[left, top, right - left, bottom - top] for left, top, right, bottom in boxes.astype(int).tolist()]
