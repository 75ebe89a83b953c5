"""Noise: how far one unit moves what is drawn, by how much it is hidden, and what a mean is made of."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.points import Point, tag_key
from broker.privacy.aggregate import Part, aggregate
from broker.privacy.draw import laplace
from broker.privacy.noise import drawn_from, noisy
from broker.privacy.profile import Aggregate, Clip, Noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.statistics import Statistic

H3 = {"a": "881f90b45bfffff", "b": "881f90b459fffff", "c": "881f90b451fffff"}
BOUNDS = Clip("clip", -20, 10)
moments = st.integers(0, 600).map((2_000_000).__mul__)
visits = st.lists(
    st.tuples(moments, st.sampled_from("tuvw"), st.sampled_from(["n", "e", ""])), max_size=40, unique=True
)
homes = st.lists(
    st.tuples(st.sampled_from("tuvw"), st.sampled_from("abc"), st.lists(st.tuples(moments, st.floats(-20, 10)), max_size=8)),
    max_size=6,
)  # fmt: skip


def told(
    parts: list[Part], statistics: tuple[Statistic, ...], by: str, bound: int, *, tags: bool
) -> dict[tuple[int, str, str], float]:
    """Every statistic of every group of every window."""
    operator = Aggregate("aggregate", "PT1S", statistics, by, 1)  # type: ignore[arg-type]  # one of the three
    shown = aggregate(parts, operator, tags=tags, bound=bound).points
    return {(p.time, p.key, n): v for p in shown for n, v in json.loads(p.extra)["statistics"].items()}


def apart(
    one: dict[tuple[int, str, str], float], other: dict[tuple[int, str, str], float], name: str
) -> dict[int, float]:
    """In L1 norm, by window."""
    moved: dict[int, float] = defaultdict(float)
    for group in one.keys() | other.keys():
        if group[2] == name:
            moved[group[0]] += abs(one.get(group, 0) - other.get(group, 0))
    return moved


@given(visits, st.sampled_from("tuvw"), st.integers(1, 4))
def test_a_tag_moves_the_counts_of_a_window_by_its_bound_at_most(
    given_visits: list[tuple[int, str, str]], who: str, bound: int
) -> None:
    reads = [Point(time, tag, tag_key(tag, gate, 1)) for time, tag, gate in given_visits]
    without = [read for read in reads if read.value != who]
    both = (told([Part(some)], ("count",), "read_point", bound, tags=True) for some in (reads, without))
    assert max(apart(*both, "count").values(), default=0) <= bound


@given(homes, st.sampled_from("tuvw"), st.integers(1, 4))
def test_a_household_moves_counts_by_its_bound_and_sums_by_that_many_of_the_largest_values_at_most(
    given_homes: list[tuple[str, str, list[tuple[int, float]]]], who: str, bound: int
) -> None:
    parts = [
        Part([Point(t, v, str(n)) for n, (t, v) in enumerate(of)], home, H3[cell]) for home, cell, of in given_homes
    ]
    without = [part for part in parts if part.unit != who]
    one, other = (told(some, ("count", "sum"), "cell", bound, tags=False) for some in (parts, without))
    assert max(apart(one, other, "count").values(), default=0) <= bound
    assert max(apart(one, other, "sum").values(), default=0) <= bound * 20 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("statistics", "asked"),
    [
        (("count",), {("count", 3.0, 0.5)}),
        (("sum",), {("sum", 60.0, 0.5)}),
        (("mean",), {("count", 3.0, 0.25), ("sum", 60.0, 0.25)}),
        (("mean", "count", "sum"), {("count", 3.0, 0.25), ("sum", 60.0, 0.25)}),
    ],
)
def test_the_epsilon_of_a_window_is_shared_by_all_that_is_drawn_of_it(
    statistics: tuple[Statistic, ...], asked: set[tuple[str, float, float]]
) -> None:
    operator, seen = Aggregate("aggregate", "PT5M", statistics, "cell", 5), set()

    def draw(exact: Sequence[float], moved: float, epsilon: float) -> list[float]:
        seen.add(("count" if isinstance(exact[0], int) else "sum", moved, epsilon))
        return [value + 1 for value in exact]

    exact = Point(0, 4, "cell", json.dumps({"statistics": dict.fromkeys(drawn_from(operator), 4.0)}))
    (shown,) = noisy([exact], operator, Noise("noise", 0.5, 10, bound=3), BOUNDS, draw)
    assert seen == asked
    computed = json.loads(shown.extra)["statistics"]
    assert computed == {name: {"count": 5, "sum": 5.0, "mean": 1.0}[name] for name in statistics}
    assert shown.value == computed[statistics[0]]


@pytest.mark.parametrize(("exact", "moved", "epsilon"), [([40] * 4_000, 3, 0.5), ([4.5] * 4_000, 60.0, 2.0)])
def test_what_is_drawn_is_spread_as_laplace_says(exact: list[float], moved: float, epsilon: float) -> None:
    """The mean absolute deviation is the scale (nearly, for integers); at 4,000 draws it is within 1.6 % of it, one sigma."""
    drawn = laplace(exact, moved, epsilon)
    scale = moved / epsilon
    q = math.exp(-1 / scale)
    expected = 2 * q / (1 - q * q) if isinstance(exact[0], int) else scale
    found = sum(abs(one - true) for one, true in zip(drawn, exact, strict=True)) / len(exact)
    assert abs(found / expected - 1) < 0.12
    assert abs(sum(drawn) / len(drawn) - exact[0]) < 0.15 * scale
    assert {type(one) for one in drawn} == {type(exact[0])}


def test_a_mean_of_noise_stays_between_the_bounds() -> None:
    operator = Aggregate("aggregate", "PT5M", ("mean",), "cell", 5)
    exact = Point(0, 5, "cell", json.dumps({"statistics": {"count": 5, "sum": 10.0}}))
    for factor in (-100, 100):
        drawn = noisy([exact], operator, Noise("noise", 1, 1), BOUNDS, lambda v, *_: [one * factor for one in v])  # noqa: B023 - used at once
        assert BOUNDS.min <= drawn[0].value <= BOUNDS.max  # type: ignore[operator]  # numbers both
