"""`mitoyen redact`, as an owner runs it who wants to see what would leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from broker.settings.pictures import PictureSettings
from broker.vision import models
from tests.pictures import SAMPLES, bomb, jpeg, large_jpeg, street, telling, telling_jpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

MODELS = PictureSettings().models_folder
PLATE = (248, 306, 148, 28)  # left, top, width and height of what stands on the plate of the street that is drawn
PEOPLE = [f"face_maksssksksss{one}.jpg" for one in (711, 384, 129, 606, 86, 250)]
CARS = [f"plate_{one}.jpg" for one in ("eu_eu9", "eu_test_092", "us_wts-lg-000068", "br_ODC9387")]
SMALLEST = 16  # px: what is promised of faces begins here
ENOUGH = 0.8  # of a box: more than a face's or a plate's edges may stick out


def redact(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    mitoyen = str(Path(sys.executable).with_name("mitoyen"))
    settings = [f"MITOYEN_{name}={value}" for name, value in environment.items()]
    command = ["env", *settings, mitoyen, "redact", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def covered(picture: Path, box: Sequence[int] = PLATE) -> float:
    """Which share of the box is of one colour."""
    x, y, width, height = box
    pixels = np.asarray(Image.open(picture))[y : y + height, x : x + width].astype(int)
    return float((np.abs(pixels - 96).max(axis=2) <= 12).mean())


def test_a_plate_is_covered_and_the_list_says_where(tmp_path: Path) -> None:
    (tmp_path / "street.jpg").write_bytes(jpeg(street()))
    done = redact(tmp_path / "street.jpg", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert covered(tmp_path / "out" / "street.jpg") > 0.95
    (listed,) = json.loads((tmp_path / "out" / "boxes.json").read_text())
    assert (listed["file"], listed["width"], listed["height"]) == ("street.jpg", 640, 480)
    x, y, width, height = PLATE
    assert any(
        a <= x + width * 0.1 and b <= y + height * 0.1 and a + w >= x + width * 0.9 and b + h >= y + height * 0.9
        for a, b, w, h in listed["plates"]
    )


def test_metadata_does_not_leave(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(telling_jpeg())
    redact(tmp_path / "a.jpg", "--out", tmp_path / "out", "--level", "fast")
    assert b"SECRET" not in (tmp_path / "out" / "a.jpg").read_bytes()


def test_on_photographs_each_face_and_plate_is_covered_and_no_metadata_leaves(tmp_path: Path) -> None:
    """A few, at the level that is the default: `bench/vision.py` measures all, at every level."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no annotated photographs beside this checkout: {SAMPLES}")
    for file in PEOPLE + CARS:
        (tmp_path / file).write_bytes(telling((SAMPLES / "images" / file).read_bytes()))
    out = tmp_path / "out"
    done = redact(*(tmp_path / file for file in PEOPLE + CARS), "--out", out)
    assert done.returncode == 0, done.stderr
    wanted = [(file, box) for file, boxes in annotated().items() for box in boxes if file in PEOPLE + CARS]
    assert len(wanted) >= 20
    assert [one for one in wanted if covered(out / one[0], one[1]) < ENOUGH] == []
    for file in PEOPLE + CARS:
        assert b"SECRET" not in (out / file).read_bytes()
        with Image.open(out / file) as picture:
            assert not picture.getexif()
            assert covered(out / file, (0, 0, *picture.size)) < 0.5, "nor is everything covered"


def annotated() -> dict[str, list[list[int]]]:
    """By file the boxes of its plates, and of its faces that are not too small."""
    listed = json.loads((SAMPLES / "annotations.json").read_text())
    return {
        Path(one["file"]).name: [*one["plates"], *(face for face in one["faces"] if min(face[2:]) >= SMALLEST)]
        for one in listed
    }


def test_a_picture_that_can_not_be_read_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(b"")
    street().save(tmp_path / "good.png")
    bad = {"cut.jpg": jpeg(street())[:2000], "bomb.png": bomb(), "large.jpg": large_jpeg(), "text.jpg": b"hello"}
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    done = redact(
        *(tmp_path / name for name in (*bad, "good.png", "absent.jpg")), "--out", tmp_path / "out", "--level", "fast"
    )
    assert done.returncode == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["boxes.json", "good.png"]
    for name in (*bad, "absent.jpg"):
        assert f"{name}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    data = jpeg(street())
    (tmp_path / "a.jpg").write_bytes(data)
    done = redact(tmp_path / "a.jpg", "--out", tmp_path)
    assert (done.returncode, "--out" in done.stderr) == (1, True)
    assert (tmp_path / "a.jpg").read_bytes() == data


@pytest.mark.parametrize("what", ["missing", "changed"])
def test_without_the_right_models_nothing_is_written(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(street()))
    (tmp_path / "models").mkdir()
    if what == "changed":
        for file in models.FILES:
            (tmp_path / "models" / file.name).write_bytes(models.read(MODELS, file) + b"\0")
    done = redact(tmp_path / "a.jpg", "--out", tmp_path / "out", MODELS=str(tmp_path / "models"))
    assert done.returncode == 1
    assert "centerface.onnx" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_level_takes_other_numbers_from_the_settings_and_refuses_what_it_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(street()))
    blind = json.dumps({"normal": {"plate_sides": [640], "plate_likelihood": 0.999, "text_side": None}})
    assert redact(tmp_path / "a.jpg", "--out", tmp_path / "out", LEVELS=blind).returncode == 0
    assert covered(tmp_path / "out" / "a.jpg") < 0.5
    wrong = json.dumps({"fast": {"plate_likelyhood": 0.5}})
    done = redact(tmp_path / "a.jpg", "--out", tmp_path / "out", "--level", "fast", LEVELS=wrong)
    assert (done.returncode, "plate_likelyhood" in done.stderr) == (1, True)
