"""Boxes in pictures, against what a loop over pixels says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.vision import boxes

coordinate = st.integers(-20, 60)
box = st.tuples(coordinate, coordinate, st.integers(1, 40), st.integers(1, 40)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
several = st.lists(box, max_size=6).map(lambda rows: np.array(rows, np.float32).reshape(-1, 4))
W, H = 40, 30


def pixels_of(one: tuple[float, ...]) -> set[tuple[int, int]]:
    left, top, right, bottom = (int(side) for side in one)
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


@given(box, box)
def test_overlap_is_shared_pixels_over_all_pixels(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    a, b = pixels_of(one), pixels_of(other)
    found = boxes.overlap(np.array(one, np.float32), np.array([other], np.float32))
    assert found[0] == pytest.approx(len(a & b) / len(a | b), abs=1e-6)


@given(several)
def test_a_mask_has_exactly_the_pixels_of_its_boxes(rows: boxes.Boxes) -> None:
    expected = {p for row in rows for p in pixels_of(tuple(row)) if 0 <= p[0] < W and 0 <= p[1] < H}
    y, x = np.nonzero(boxes.mask(rows, W, H))
    assert set(zip(x.tolist(), y.tolist(), strict=True)) == expected


@given(several)
def test_suppression_keeps_the_best_and_leaves_no_two_that_are_one(rows: boxes.Boxes) -> None:
    scores = np.linspace(0.9, 0.1, len(rows), dtype=np.float32)
    kept, of_kept = boxes.suppressed(rows, scores, 0.4)
    for i, one in enumerate(kept):
        assert (boxes.overlap(one, kept[i + 1 :]) <= 0.4).all()
    for row in rows:
        assert np.max(boxes.overlap(row, kept), initial=0) > 0.4 or (row == kept).all(axis=1).any()
    assert (np.diff(of_kept) <= 0).all()


def test_what_every_look_sees_scores_higher_than_what_one_sees() -> None:
    face, ghost = [10, 10, 30, 30], [50, 10, 70, 30]
    once = (np.array([face, ghost], np.float32), np.array([0.3, 0.4], np.float32))
    again = (np.array([[11, 10, 31, 30]], np.float32), np.array([0.5], np.float32))
    found, scores = boxes.agreed([once, again], 0.4)
    assert found.tolist() == [face, ghost, [11, 10, 31, 30]]
    assert scores.tolist() == pytest.approx([0.4, 0.2, 0.4])


def test_one_look_agrees_with_itself() -> None:
    found = (np.array([[1, 2, 3, 4]], np.float32), np.array([0.7], np.float32))
    assert boxes.agreed([found], 0.4)[1].tolist() == pytest.approx([0.7])


def test_a_grown_box_grows_by_shares_of_its_own_sides() -> None:
    assert boxes.grown(np.array([[10, 10, 30, 50]], np.float32), 0.1, 0.05, 0.25).tolist() == [[8, 8, 32, 60]]


def test_a_clipped_box_lies_in_the_picture_and_leaves_out_nothing_of_it() -> None:
    rows = np.array([[-5.5, 1.2, 3.1, 4.0], [50, 50, 60, 60]], np.float32)
    assert boxes.clipped(rows, W, H).tolist() == [[0, 1, 4, 4]]
