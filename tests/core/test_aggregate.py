"""Windows and their statistics, against a naive computation of the same."""

from __future__ import annotations

import json
import math
import statistics as python
from collections import defaultdict
from itertools import combinations
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.points import Point, tag_key
from broker.privacy.aggregate import Part, aggregate, start_of
from broker.privacy.profile import Aggregate, District
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
    windows = aggregate([Part(given_points)], operator(), tags=False)
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
    windows = aggregate([Part(given_reads)], operator("count", k=k), tags=True)
    enough = {start: len(tags) for start, tags in by_window.items() if len(set(tags)) >= k}
    assert {point.time: point.value for point in windows.points} == enough
    assert windows.withheld.get("below_k", 0) == len(by_window) - len(enough)


@given(points, st.randoms())
def test_the_order_in_which_points_came_makes_no_difference(given_points: list[Point], rng: object) -> None:
    shuffled = list(given_points)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregate([Part(shuffled)], operator("count", "min", "median"), tags=False) == aggregate(
        [Part(given_points)], operator("count", "min", "median"), tags=False
    )


@pytest.mark.parametrize("time", [0, 1, WINDOW - 1, WINDOW, -1, -WINDOW, times.EARLIEST])
def test_windows_begin_at_multiples_since_the_epoch_and_do_not_include_their_end(time: int) -> None:
    start = start_of(time, WINDOW)
    assert start % WINDOW == 0
    assert start <= time < start + WINDOW


def test_texts_and_booleans_are_not_counted_among_numbers() -> None:
    windows = aggregate(
        [Part([Point(1, "x"), Point(2, value=True), Point(3, 4)])], operator("count", "sum"), tags=False
    )
    assert [json.loads(p.extra)["statistics"] for p in windows.points] == [{"count": 1, "sum": 4.0}]


def test_a_statistic_that_overflows_is_withheld_and_never_infinite() -> None:
    windows = aggregate([Part([Point(1, 1.7e308), Point(2, 1.7e308)])], operator("sum"), tags=False)
    assert not windows.points
    assert windows.withheld == {"not_finite": 1}


visits = st.lists(
    st.tuples(st.integers(0, 4 * WINDOW - 1), st.sampled_from("abcdefghij"), st.sampled_from(["n", "e", "s", "w", ""])),
    max_size=80,
    unique=True,
)


def gate_reads(given_visits: list[tuple[int, str, str]]) -> list[Point]:
    return [Point(time, tag, tag_key(tag, gate, 1)) for time, tag, gate in given_visits]


@given(visits, st.integers(1, 6))
def test_no_released_or_subtracted_group_has_fewer_than_k_units(
    given_visits: list[tuple[int, str, str]], k: int
) -> None:
    """Whoever knows every total can subtract whatever is released: what remains is k units or more, or all was withheld."""
    units: dict[tuple[int, str], set[str]] = defaultdict(set)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for time, tag, gate in given_visits:
        units[time // WINDOW * WINDOW, gate].add(tag)
        counts[time // WINDOW * WINDOW, gate] += 1
    windows = aggregate(
        [Part(gate_reads(given_visits))], Aggregate("aggregate", "PT5M", ("count",), "read_point", k), tags=True
    )
    released = {(p.time, p.key): p.value for p in windows.points}
    assert all(counts[group] == value and len(units[group]) >= k for group, value in released.items())
    for start in {start for start, _ in units}:
        hidden = [group for group in units if group[0] == start and group not in released]
        shown = [group for group in units if group[0] == start and group in released]
        if hidden and shown:
            assert len(hidden) > 1
            assert len(set().union(*(units[group] for group in hidden))) >= k
            assert sum(counts[group] for group in hidden) > len(hidden)  # else each would be known to be one
    assert sum(windows.withheld.values()) == len(units) - len(released)


@given(visits, st.integers(1, 4), st.integers(1, 4))
def test_what_a_larger_group_withholds_is_more_and_never_other(
    given_visits: list[tuple[int, str, str]], k: int, more: int
) -> None:
    """So that two offers with another k each are no more than the one with the smaller."""
    least, most = (
        {
            p.cursor
            for p in aggregate(
                [Part(gate_reads(given_visits))], Aggregate("aggregate", "PT5M", ("count",), "read_point", n), tags=True
            ).points
        }
        for n in (k, k + more)
    )
    assert most <= least


def test_districts_are_counted_over_their_read_points_and_the_rest_together() -> None:
    north = District("north", ("n", "e"))
    operator_ = Aggregate("aggregate", "PT5M", ("count",), "district", 5, (north,))
    crowd = [(n, f"{gate}{n}", gate) for gate, size in (("n", 3), ("e", 4), ("w", 6), ("", 5)) for n in range(size)]
    windows = aggregate([Part(gate_reads(crowd))], operator_, tags=True)
    assert [(p.key, p.value) for p in windows.points] == [("", 11), ("north", 7)]
    assert [json.loads(p.extra).get("district") for p in windows.points] == [None, "north"]
    assert not any("read_point" in json.loads(p.extra) for p in windows.points)
    few = aggregate([Part(gate_reads(crowd[:4]))], operator_, tags=True)
    assert (few.points, few.withheld) == ([], {"below_k": 1})


def test_one_group_alone_is_never_withheld_beside_others_that_are_shown() -> None:
    few, crowd, many = ([(n, f"{gate}{n}", gate) for n in range(size)] for gate, size in (("n", 2), ("e", 6), ("w", 9)))
    windows = aggregate(
        [Part(gate_reads(few + crowd + many))], Aggregate("aggregate", "PT5M", ("count",), "read_point", 5), tags=True
    )
    assert [(p.key, p.value) for p in windows.points] == [("w", 9)]
    assert windows.withheld == {"below_k": 1, "complementary": 1}
    assert json.loads(windows.points[0].extra)["read_point"] == "w"


@given(visits, st.integers(1, 4))
def test_who_may_be_shown_by_name_is_none_of_the_k(given_visits: list[tuple[int, str, str]], k: int) -> None:
    """Whoever subtracts all that is told by name from a count is left with k others."""
    reads = gate_reads(given_visits)
    windows = aggregate(
        [Part(reads)], Aggregate("aggregate", "PT5M", ("count",), k=k), tags=True, named="abc".__contains__
    )
    left: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for time, tag, gate in given_visits:
        left[time // WINDOW * WINDOW] += [(tag, gate)] if tag not in "abc" else []
    assert {point.time for point in windows.points} == {
        start for start, those in left.items() if len({tag for tag, _ in those}) >= k and not one_each(those)
    }


def one_each(those: list[tuple[str, str]]) -> bool:
    """Several gates, and a read at each: who knows at which gates there was anybody would know each count."""
    return len(those) > 1 and len({gate for _, gate in those}) == len(those)


def test_a_total_that_tells_one_read_of_each_gate_is_withheld() -> None:
    for more, shown in (([], []), ([(9, "x", "n0")], [7])):
        given_visits = [(n, f"tag {n}", f"n{n}") for n in range(6)] + more
        windows = aggregate([Part(gate_reads(given_visits))], operator("count", k=5), tags=True)
        assert [point.value for point in windows.points] == shown


def test_households_of_a_cell_are_counted_and_not_their_meters_readings() -> None:
    here, there = "881f90b45bfffff", "881f90b459fffff"
    homes = [Part([Point(n, float(home)) for n in range(9)], f"home-{home}", here) for home in range(5)]
    twice = [Part([Point(1, 1.0)], "home-0", there), *(Part([Point(1, 1.0)], f"home-{n}", there) for n in range(4))]
    windows = aggregate(homes, Aggregate("aggregate", "PT5M", ("mean", "count"), "cell", 5), tags=False)
    (shown,) = windows.points
    said = json.loads(shown.extra)
    assert (shown.key, said["cell"], said["statistics"]) == (here, here, {"mean": 2.0, "count": 45})
    assert said["location"]["type"] == "Point"
    assert not aggregate(twice, Aggregate("aggregate", "PT5M", ("mean",), "cell", 5), tags=False).points


@given(st.lists(st.tuples(st.integers(0, WINDOW - 1), numbers, st.sampled_from("abc")), min_size=1, max_size=40))
def test_groups_are_computed_each_by_itself(records: list[tuple[int, float, str]]) -> None:
    by_cell = {name: [Point(time, value) for time, value, cell in records if cell == name] for name in "abc"}
    for first, second in combinations("abc", 2):
        parts = [Part(by_cell[name], None, H3[name]) for name in (first, second)]
        whole = aggregate(parts, Aggregate("aggregate", "PT5M", ALL, "cell"), tags=False)
        apart = [
            p
            for part in parts
            for p in aggregate([part], Aggregate("aggregate", "PT5M", ALL, "cell"), tags=False).points
        ]
        assert sorted(whole.points, key=lambda p: p.key) == sorted(apart, key=lambda p: p.key)


H3 = {"a": "881f90b45bfffff", "b": "881f90b459fffff", "c": "881f90b451fffff"}
