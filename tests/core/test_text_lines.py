"""Lines of text out of a map of likely pixels, against a flood fill."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from broker.vision import text

maps = arrays.arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 0.5]))


def flooded(likely: np.ndarray) -> set[tuple[int, int, int, int]]:
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(likely > 0.3), strict=True)}
    found = set()
    while left:
        todo, group = [left.pop()], []
        while todo:
            y, x = todo.pop()
            group.append((x, y))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            todo += near
        xs, ys = [x for x, _ in group], [y for _, y in group]
        found.add((min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return found


@given(maps)
def test_groups_are_those_of_a_flood_fill(likely: np.ndarray) -> None:
    found, scores = text.groups(likely, 0.3)
    assert {tuple(int(v) for v in row) for row in found} == flooded(likely)
    assert scores == pytest.approx(0.5)


def test_a_line_grows_back_to_the_whole_of_it() -> None:
    likely = np.zeros((1, 1, 40, 100), np.float32)
    likely[0, 0, 15:25, 20:80] = 0.9
    found, scores = text.decode([likely], 0.5)
    moved = 60 * 10 * text.GROWN / (2 * 70)
    assert found[0] == pytest.approx([20 - moved, 15 - moved, 80 + moved, 25 + moved], abs=1e-3)
    assert scores == pytest.approx([0.9])


def test_what_is_unlikely_is_no_line() -> None:
    likely = np.full((1, 1, 8, 8), 0.4, np.float32)
    assert len(text.decode([likely], 0.5)[0]) == 0
