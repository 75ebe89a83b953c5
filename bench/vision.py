"""How much of what identifies people each level covers, and what it costs: the table in docs/cameras.md.

    .venv/bin/python bench/vision.py                  prints the tables
    .venv/bin/python bench/vision.py --write          puts them into docs/cameras.md
    .venv/bin/python bench/vision.py --samples DIR    other annotated pictures: `annotations.json` and the files that it names

A face or plate counts as covered if 80 % of its annotated box is. "Rest" is what is covered outside all annotated boxes, as a share of all pixels
outside them. Small plates: each picture shrunk until its plate is as high as said and set into 1280 by 720 pixels of blurred street. A
plate is read if PP-OCRv4's recogniser says of the released crop what it says of the original, or finds four characters of it in a row.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageFilter

from broker.audit.pictures import found_again
from broker.settings.pictures import PictureSettings
from broker.vision import boxes, masks, models
from broker.vision.boxes import Boxes, Pixels
from broker.vision.detector import Detector
from broker.vision.level import LEVELS, LevelName

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cameras.md"
READER = models.File(
    "ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b", "test"
)
SIZES = (10, 16, 24, 40, 100_000)
PLATE_HEIGHTS = (10, 14, 18, 24, 32)
ASKED_HEIGHT = 18  # at the other levels this one alone: it takes most of the time
ENOUGH = 0.8
CANVAS = (1280, 720)


@dataclass
class Tally:
    hit: int = 0
    all: int = 0

    def add(self, hit: bool) -> None:
        self.hit += hit
        self.all += 1

    def __str__(self) -> str:
        return f"{100 * self.hit / self.all:.1f} % of {self.all}" if self.all else "–"


@dataclass
class Result:
    faces: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    faces_16: Tally = field(default_factory=Tally)
    plates: Tally = field(default_factory=Tally)
    small: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    before: Tally = field(default_factory=Tally)
    """Faces that are found on the picture as it came,"""
    again: Tally = field(default_factory=Tally)
    """and on the picture as it is released."""
    read: Tally = field(default_factory=Tally)
    read_before: Tally = field(default_factory=Tally)
    rest: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    name: str
    pixels: Pixels
    faces: Boxes
    plates: Boxes


def samples(folder: Path) -> Iterator[Sample]:
    for one in json.loads((folder / "annotations.json").read_text()):
        pixels = np.asarray(Image.open(folder / one["file"]).convert("RGB"))
        assert pixels.shape[:2] == (one["height"], one["width"]), one["file"]
        yield Sample(one["file"], pixels, _corners(one["faces"]), _corners(one["plates"]))


def _corners(annotated: list[list[int]]) -> Boxes:
    given = np.array(annotated, np.float32).reshape(-1, 4)
    return np.hstack((given[:, :2], given[:, :2] + given[:, 2:]))


def measure(detector: Detector, found: list[Sample], reader: Reader, heights: Sequence[int]) -> Result:
    result = Result()
    for one in found:
        height, width = one.pixels.shape[:2]
        seen = detector.find(one.pixels)
        mask = masks.covered(np.concatenate(seen), (), width, height)
        for face in one.faces:
            side = min(face[2] - face[0], face[3] - face[1])
            result.faces[_size(side)].add(_covered(mask, face))
            if side >= 16:  # noqa: PLR2004 - the figure that is asked for
                result.faces_16.add(_covered(mask, face))
        _count_rest(result, one, mask)
        released = masks.filled(one.pixels, mask)
        if len(one.faces):
            _find_again(result, one, detector.tight(one.pixels), detector.tight(released))
        for plate in one.plates:
            result.plates.add(_covered(mask, plate))
            before, after = reader.read(one.pixels, plate), reader.read(released, plate)
            if len(before) >= 4:  # noqa: PLR2004 - fewer are no plate
                result.read_before.add(hit=True)
                result.read.add(_same(before, after))
            for high in heights:
                canvas, there = shrunk(one.pixels, plate, high)
                found_small = detector.find(canvas, faces=False)
                small = masks.covered(found_small.plates, (), *CANVAS)
                result.small[high].add(_covered(small, there))
    return result


def _find_again(result: Result, one: Sample, before: Boxes, after: Boxes) -> None:
    """Whether a detector finds the annotated faces, boxes as it finds them and not grown."""
    for face in one.faces:
        if min(face[2] - face[0], face[3] - face[1]) >= 16:  # noqa: PLR2004 - the figure that is asked for
            result.before.add(found_again(face[None], before) == 1)
            result.again.add(found_again(face[None], after) == 1)


def _size(side: float) -> int:
    return next(upto for upto in SIZES if side < upto)


def _covered(mask: masks.Mask, box: Boxes) -> bool:
    left, top, right, bottom = (round(float(v)) for v in box)
    return bool(mask[top:bottom, left:right].mean() >= ENOUGH)


def _count_rest(result: Result, one: Sample, mask: masks.Mask) -> None:
    height, width = one.pixels.shape[:2]
    outside = ~boxes.mask(np.concatenate((one.faces, one.plates)), width, height)
    for group in ("all", "faces" if len(one.faces) else "plates"):
        result.rest[group][0] += int((mask & outside).sum())
        result.rest[group][1] += int(outside.sum())


def _same(before: str, after: str) -> bool:
    return before == after or any(before[i : i + 4] in after for i in range(len(before) - 3))


def shrunk(pixels: Pixels, plate: Boxes, high: int) -> tuple[Pixels, Boxes]:
    """The picture so small that the plate is this high, in the middle of a canvas; and where the plate is there."""
    scale = high / float(plate[3] - plate[1])
    picture = Image.fromarray(pixels)
    small = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.BOX
    )
    canvas = picture.resize(CANVAS).filter(ImageFilter.GaussianBlur(40))
    at = ((CANVAS[0] - small.width) // 2, (CANVAS[1] - small.height) // 2)
    canvas.paste(small, at)
    return np.asarray(canvas), plate * scale + np.array([*at, *at])


class Reader:
    """An off-the-shelf reader of text: PP-OCRv4's recogniser on an upright crop."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        listed = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters = ["", *listed, " "]

    def read(self, pixels: Pixels, box: Boxes) -> str:
        """Letters and digits, capitals."""
        left, top, right, bottom = (max(0, int(v)) for v in box)
        crop = Image.fromarray(pixels[top:bottom, left:right])
        crop = crop.resize((max(48, round(48 * crop.width / crop.height)), 48))
        tensor = (np.asarray(crop, np.float32)[:, :, ::-1] / 127.5 - 1).transpose(2, 0, 1)[None]
        best = self._session.run(None, {"x": np.ascontiguousarray(tensor)})[0][0].argmax(axis=1)
        kept = [c for c, before in zip(best, [0, *best[:-1]], strict=True) if c != before]
        return re.sub(r"[^A-Z0-9]", "", "".join(self._characters[c] for c in kept).upper())


def timed(detector: Detector, sample: Sample) -> dict[str, float]:
    """Milliseconds of one core's time a frame: the least of three, since what others do on the machine costs time as well."""
    found = {}
    for width, height in ((640, 480), (1280, 720)):
        pixels = np.asarray(Image.fromarray(sample.pixels).resize((width, height)))
        took = []
        for _ in range(3):
            began = time.process_time()
            detector.find(pixels)
            took.append(time.process_time() - began)
        found[f"{width} × {height}"] = 1000 * min(took)
    return found


def tables(results: dict[LevelName, Result]) -> str:
    def table(head: list[str], rows: list[list[str]]) -> str:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join("| " + " | ".join(row) + " |" for row in lines)

    names = {10: "below 10 px", 16: "10 to 16", 24: "16 to 24", 40: "24 to 40", 100_000: "40 and more"}
    head = ["covered to 80 %", *results]
    rows = [[f"faces, {names[size]}", *(str(r.faces[size]) for r in results.values())] for size in SIZES]
    rows.append(["**faces of 16 px and more**", *(f"**{r.faces_16}**" for r in results.values())])
    rows.append(["**plates, as they are**", *(f"**{r.plates}**" for r in results.values())])
    rows += [[f"plates shrunk to {h} px, in 720p", *(str(r.small[h]) for r in results.values())] for h in PLATE_HEIGHTS]
    for group, name in (("all", "all pictures"), ("faces", "pictures of people"), ("plates", "pictures of cars")):
        share = (f"{100 * r.rest[group][0] / max(1, r.rest[group][1]):.1f} %" for r in results.values())
        rows.append([f"rest covered, {name}", *share])
    rows.append(
        ["faces of 16 px found before, and after release", *(f"{r.before}, {r.again.hit}" for r in results.values())]
    )
    rows.append(
        ["plates read before, and after release", *(f"{r.read_before.hit}, {r.read.hit}" for r in results.values())]
    )
    for size in next(iter(results.values())).ms:
        rows.append([f"ms of one core a frame, {size}", *(f"{r.ms[size]:.0f}" for r in results.values())])
    return table(head, rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--samples", type=Path, default=ROOT.parent / "shared" / "samples" / "vision")
    arguments.add_argument("--level", action="append", choices=list(LEVELS), help="only this; repeatable")
    arguments.add_argument("--write", action="store_true", help="put the tables into docs/cameras.md")
    given = arguments.parse_args()
    settings = PictureSettings()
    opened, found = models.open_(settings.models_folder), list(samples(given.samples))
    reader = Reader(models.read(settings.models_folder, READER))
    results = {}
    for name in given.level or LEVELS:
        detector = Detector(opened, settings.level(name))
        results[name] = measure(detector, found, reader, PLATE_HEIGHTS if name == "normal" else (ASKED_HEIGHT,))
        results[name].ms = timed(detector, found[0])
        print(f"{name}: faces {results[name].faces_16}, plates {results[name].plates}", flush=True)
    text = tables(results)
    print(text)
    if given.write:
        before, _, rest = PAGE.read_text().partition("<!-- bench/vision.py -->\n")
        after = rest.partition("<!-- end -->\n")[2]
        PAGE.write_text(f"{before}<!-- bench/vision.py -->\n{text}\n<!-- end -->\n{after}")


if __name__ == "__main__":
    main()
