"""What covers a picture: nothing of what was there is left, and nothing else is touched."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from broker.vision import boxes, masks, picture

W, H = 32, 24
pictures = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (H, W, 3), dtype=np.uint8)
)
BOX = np.array([[4, 5, 20, 15]], np.float32)


@given(pictures, pictures)
def test_pictures_that_differ_only_where_they_are_covered_are_the_same_afterwards(
    one: boxes.Pixels, other: boxes.Pixels
) -> None:
    mask = masks.covered(BOX, (), W, H)
    other = np.where(mask[:, :, None], other, one)
    assert (masks.filled(one, mask) == masks.filled(other, mask)).all()


@given(pictures, pictures)
def test_a_soft_fill_tells_no_more_than_a_solid_one(one: boxes.Pixels, other: boxes.Pixels) -> None:
    mask = masks.covered(BOX, (), W, H)
    solid = [masks.filled(p, mask) for p in (one, np.where(mask[:, :, None], other, one))]
    soft = [masks.blended(p, picture.blurred(p, 3), mask) for p in solid]
    assert (soft[0] == soft[1]).all()


@given(pictures)
def test_what_is_not_covered_stays(one: boxes.Pixels) -> None:
    mask = masks.covered(BOX, (), W, H)
    assert (masks.filled(one, mask)[~mask] == one[~mask]).all()


def test_a_polygon_holds_in_shares_of_any_size() -> None:
    square = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    for width, height in ((40, 40), (400, 200)):
        mask = masks.inside(square, width, height)
        assert mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4].all()
        assert mask.mean() < 0.25 + 2 / min(width, height) + 0.02


def test_a_polygon_covers_every_pixel_that_it_touches() -> None:
    thin = [(0.0, 0.5), (1.0, 0.5), (1.0, 0.52)]
    assert masks.inside(thin, 100, 100)[50, 50:].all()
