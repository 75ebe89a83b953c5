"""Windows and their statistics, against a naive computation of the same."""

from __future__ import annotations

import json
import math
import statistics as python
from collections import defaultdict
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.points import Point
from broker.privacy.aggregate import aggregate, start_of
from broker.privacy.profile import Aggregate
from broker.statistics import Statistic

WINDOW = 5 * times.MINUTE
ALL: tuple[Statistic, ...] = get_args(Statistic)
near = st.integers(-20 * times.MINUTE, 20 * times.MINUTE)
numbers = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
points = st.lists(st.builds(Point, near, numbers), max_size=60, unique_by=lambda p: p.time)
reads = st.lists(
    st.builds(Point, near, st.sampled_from("abcdefgh")), max_size=60, unique_by=lambda p: (p.time, p.value)
)


def operator(*statistics: Statistic, k: int | None = None) -> Aggregate:
    return Aggregate("aggregate", "PT5M", statistics or ALL, k=k)


def naive(values: list[float]) -> dict[str, float]:
    return {
        "mean": python.fmean(values),
        "min": min(values),
        "max": max(values),
        "sum": math.fsum(values),
        "count": len(values),
        "median": python.median(values),
        "p95": float(np.percentile(values, 95)),
        "stddev": python.pstdev(values),
    }


@given(points)
def test_every_window_says_what_its_points_say(given_points: list[Point]) -> None:
    by_window: dict[int, list[float]] = defaultdict(list)
    for point in given_points:
        by_window[point.time // WINDOW * WINDOW].append(float(point.value))
    windows = aggregate(given_points, operator(), tags=False)
    assert not windows.withheld
    assert [point.time for point in windows.points] == sorted(by_window)
    for point in windows.points:
        said = json.loads(point.extra)
        expected = naive(by_window[point.time])
        assert said["until"] == times.text(point.time + WINDOW)
        assert said["statistics"].keys() == expected.keys()
        assert said["statistics"] == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert point.value == said["statistics"][ALL[0]]


@given(reads, st.integers(1, 6))
def test_a_window_with_fewer_than_k_different_tags_says_nothing(given_reads: list[Point], k: int) -> None:
    by_window: dict[int, list[str]] = defaultdict(list)
    for read in given_reads:
        by_window[read.time // WINDOW * WINDOW].append(str(read.value))
    windows = aggregate(given_reads, operator("count", k=k), tags=True)
    enough = {start: len(tags) for start, tags in by_window.items() if len(set(tags)) >= k}
    assert {point.time: point.value for point in windows.points} == enough
    assert windows.withheld.get("below_k", 0) == len(by_window) - len(enough)


@given(points, st.randoms())
def test_the_order_in_which_points_came_makes_no_difference(given_points: list[Point], rng: object) -> None:
    shuffled = list(given_points)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregate(shuffled, operator("count", "min", "median"), tags=False) == aggregate(
        given_points, operator("count", "min", "median"), tags=False
    )


@pytest.mark.parametrize("time", [0, 1, WINDOW - 1, WINDOW, -1, -WINDOW, times.EARLIEST])
def test_windows_begin_at_multiples_since_the_epoch_and_do_not_include_their_end(time: int) -> None:
    start = start_of(time, WINDOW)
    assert start % WINDOW == 0
    assert start <= time < start + WINDOW


def test_texts_and_booleans_are_not_counted_among_numbers() -> None:
    windows = aggregate([Point(1, "x"), Point(2, value=True), Point(3, 4)], operator("count", "sum"), tags=False)
    assert [json.loads(p.extra)["statistics"] for p in windows.points] == [{"count": 1, "sum": 4.0}]


def test_a_statistic_that_overflows_is_withheld_and_never_infinite() -> None:
    windows = aggregate([Point(1, 1.7e308), Point(2, 1.7e308)], operator("sum"), tags=False)
    assert not windows.points
    assert windows.withheld == {"not_finite": 1}
