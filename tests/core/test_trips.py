"""Trips: a name ends with a pause, and nothing is shown of what lies around both ends."""

from __future__ import annotations

from collections import defaultdict

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.place import Place
from broker.points import Point
from broker.privacy.profile import Pseudonymise
from broker.privacy.trips import trips

MINUTE = times.MINUTE
TRIPS = Pseudonymise("pseudonymise", "P1D", gap="PT30M")
CUT = Pseudonymise("pseudonymise", "P1D", gap="PT30M", cut_m=300)
STREET = [Place(4.84 + 0.002 * n, 45.76) for n in range(9)]  # a gate every 155 m
reads = st.lists(
    st.tuples(st.integers(0, 600), st.sampled_from("abc"), st.integers(0, 8)), max_size=40, unique_by=lambda r: r[:2]
)


def parts(given_reads: list[tuple[int, str, int]]) -> list[tuple[Place | None, list[Point]]]:
    """(minute, tag, gate) -> the reads of each gate's datastream."""
    at: dict[int, list[Point]] = defaultdict(list)
    for minute, tag, gate in sorted(given_reads):
        at[gate].append(Point(minute * MINUTE, tag, f"{tag}||"))
    return [(place, at[gate]) for gate, place in enumerate(STREET)]


def told(given_reads: list[tuple[int, str, int]], operator: Pseudonymise) -> dict[tuple[int, str], int | None]:
    """Of each (minute, tag) the minute in which its trip began."""
    of = parts(given_reads)
    return {
        (read.time // MINUTE, str(read.value)): None if begin is None else begin // MINUTE
        for (_, points), begins in zip(of, trips(of, operator), strict=True)
        for read, begin in zip(points, begins, strict=True)
    }


def by_hand(given_reads: list[tuple[int, str, int]]) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """Of each (minute, tag) all (minute, gate) of its trip."""
    of_trip: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for tag in "abc":
        trip: list[tuple[int, int]] = []
        for minute, _, gate in sorted(read for read in given_reads if read[1] == tag):
            if trip and minute - trip[-1][0] > 30:
                trip = []
            trip.append((minute, gate))
            of_trip[minute, tag] = trip
    return of_trip


@given(reads)
def test_a_trip_is_the_reads_of_a_tag_at_all_gates_without_a_longer_pause(
    given_reads: list[tuple[int, str, int]],
) -> None:
    assert told(given_reads, TRIPS) == {read: trip[0][0] for read, trip in by_hand(given_reads).items()}


@given(reads)
def test_nothing_is_shown_within_the_distance_of_where_a_trip_began_or_ended(
    given_reads: list[tuple[int, str, int]],
) -> None:
    gates = {(minute, tag): gate for minute, tag, gate in given_reads}
    expected = {}
    for read, trip in by_hand(given_reads).items():
        here = STREET[gates[read]]
        ends = [STREET[gate] for _, gate in (trip[0], trip[-1])]
        apart = [
            h3.great_circle_distance((here.latitude, here.longitude), (end.latitude, end.longitude), unit="m")
            for end in ends
        ]
        expected[read] = trip[0][0] if min(apart) > 300 else None
    assert told(given_reads, CUT) == expected


def test_a_way_is_shown_without_its_ends() -> None:
    way = [(10 + 3 * n, "a", n) for n in range(9)]
    assert [minute for (minute, _), begin in told(way, CUT).items() if begin is not None] == [16, 19, 22, 25, 28]


def test_who_passes_a_gate_whose_place_is_unknown_is_shown_nowhere_near_it() -> None:
    (nowhere,) = trips([(None, [Point(0, "a"), Point(MINUTE, "a")])], CUT)
    assert nowhere == [None, None]
    street = parts([(n, "a", n) for n in range(9)])
    lost = trips([*street[1:], (None, street[0][1])], CUT)
    assert {begin for of in lost for begin in of} == {None}


@pytest.mark.parametrize("count", [0, 1])
def test_no_reads_are_no_trips(count: int) -> None:
    assert trips([(STREET[0], [])] * count, CUT) == [[]] * count
