"""Opening and writing pictures: what is refused, before what, and what is left out."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broker.errors import Refused
from broker.vision import picture
from broker.vision.level import Limits
from tests.pictures import bomb, jpeg, large_jpeg, street, telling_jpeg

LIMITS = Limits()
JPEG = jpeg(street())


@pytest.mark.parametrize("data", [bomb(), large_jpeg()], ids=["png", "jpeg"])
def test_a_bomb_is_refused_by_its_head_without_memory_for_its_pixels(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        picture.decode(data, LIMITS, ("JPEG", "PNG"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.reason == "too_large"
    assert most < 5_000_000


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(Refused, match="expected at most 1000") as refused:
        picture.decode(JPEG, Limits(bytes=1000))
    assert refused.value.reason == "too_large"


@pytest.mark.parametrize("data", [b"", b"not a picture", JPEG[: len(JPEG) // 2], bomb(10)[:45], b"GIF89a" + bytes(100)])
def test_what_is_no_whole_picture_is_refused_as_corrupt(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        picture.decode(data, LIMITS, ("JPEG", "PNG"))
    assert refused.value.reason == "corrupt"


@given(st.integers(0, len(JPEG) - 1), st.binary(min_size=1, max_size=40))
def test_a_damaged_picture_opens_or_is_refused_and_nothing_else(at: int, junk: bytes) -> None:
    damaged = JPEG[:at] + junk + JPEG[at + len(junk) :]
    with suppress(Refused):
        assert picture.decode(damaged, LIMITS).pixels.dtype == np.uint8


def test_a_frame_in_another_format_is_refused() -> None:
    out = io.BytesIO()
    street().save(out, "PNG")
    with pytest.raises(Refused, match="expected a JPEG picture"):
        picture.decode(out.getvalue(), LIMITS)


def test_what_is_written_has_no_metadata() -> None:
    data = telling_jpeg()
    assert b"SECRET" in data
    written = picture.encode(picture.decode(data, LIMITS))
    opened = Image.open(io.BytesIO(written))
    assert b"SECRET" not in written
    assert b"Exif" not in written
    assert not opened.getexif()
    assert not set(opened.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_picture_is_turned_as_its_metadata_says_before_that_is_dropped() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = picture.decode(jpeg(street(), exif=exif), LIMITS)
    assert turned.pixels.shape == (640, 480, 3)
