"""Operators that change one record: no released value, time, field or place is finer than its profile allows."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.model import Datastream, OrganisationId
from broker.place import Place
from broker.points import Point, tag_key
from broker.privacy.location import cell_of, place_of
from broker.privacy.profile import Clip, GeneraliseLocation, Operator, Profile, Quantise, RoundTime, Suppress
from broker.privacy.transform import of_points, of_windows

if TYPE_CHECKING:
    from broker.privacy.transform import Change

TAG = "urn:epc:id:sgtin:0614141.812345.6789"


def standing(place: Place | None, finest: int | None = None) -> Datastream:
    return Datastream(OrganisationId("o"), "d", "g", "measurement", place=place, location_h3=finest)


finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
steps = st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0, 1e-6, 1e6, 7.3])


def change(operator: Operator) -> Change:
    found = of_points(operator)
    assert found is not None
    return found


@given(finite, steps)
def test_quantised_values_are_multiples_of_the_step_and_the_nearest(value: float, step: float) -> None:
    found = change(Quantise("quantise", step))(Point(1, value))
    if isinstance(found, str):
        assert found == "not_finite"
        return
    assert isinstance(found.value, float)
    exact = Decimal(repr(found.value)) / Decimal(repr(step))
    if abs(exact) < 10**12:
        assert exact == exact.to_integral_value()
        assert abs(found.value - value) <= step / 2 * (1 + 1e-9) + math.ulp(value)


@pytest.mark.parametrize(
    ("value", "step", "quantised"),
    [(0.3, 0.1, 0.3), (0.25, 0.5, 0.0), (0.75, 0.5, 1.0), (-0.26, 0.5, -0.5), (7, 5, 5.0)],
)
def test_what_a_step_gives_reads_as_whoever_chose_it_expects(value: float, step: float, quantised: float) -> None:
    assert change(Quantise("quantise", step))(Point(1, value)) == Point(1, quantised)


@given(finite, st.none() | st.integers(-50, 0), st.none() | st.integers(0, 50))
def test_clipped_values_lie_between_the_bounds_and_others_are_as_they_were(
    value: float, low: float | None, high: float | None
) -> None:
    found = change(Clip("clip", low, high))(Point(1, value))
    assert isinstance(found, Point)
    assert isinstance(found.value, int | float)
    assert low is None or found.value >= low
    assert high is None or found.value <= high
    if (low is None or value >= low) and (high is None or value <= high):
        assert found.value == value


@pytest.mark.parametrize("operator", [Quantise("quantise", 1), Clip("clip", 0, 1)])
@pytest.mark.parametrize("value", ["text", True])
def test_what_is_no_number_is_withheld_and_not_let_through(operator: Operator, value: str | bool) -> None:
    assert change(operator)(Point(1, value)) == "not_a_number"


@given(st.integers(times.EARLIEST, times.LATEST - 1), st.sampled_from(["PT1S", "PT5M", "P1D"]))
def test_rounded_times_are_multiples_and_never_later(time: int, to: str) -> None:
    found = change(RoundTime("round_time", to))(Point(time, 1, "key", "extra"))
    assert isinstance(found, Point)
    length = times.parse_duration(to)
    assert found.time % length == 0
    assert 0 <= time - found.time < length
    assert (found.value, found.key, found.extra) == (1, "key", "extra")


@given(st.sets(st.sampled_from(["read_point", "antenna", "rssi", "location"]), min_size=1))
def test_a_suppressed_field_is_nowhere_in_what_is_left(fields: set[str]) -> None:
    told = {"read_point": "gate-17", "antenna": 42_424, "rssi": -61.25}
    read = Point(1, TAG, tag_key(TAG, "gate-17", 42_424), json.dumps(told))
    operator = Suppress("suppress", tuple(sorted(fields)))  # type: ignore[arg-type]  # mypy does not know the set's values
    found = change(operator)(read) if fields != {"location"} else read
    assert isinstance(found, Point)
    for name, trace in (("read_point", "gate-17"), ("antenna", "42424"), ("rssi", "61.25")):
        assert (trace in repr(found)) == (name not in fields)


@given(st.floats(-179, 179), st.floats(-85, 85), st.integers(0, 12))
def test_all_places_of_a_cell_are_one_and_tell_no_more_than_the_cell(
    longitude: float, latitude: float, resolution: int
) -> None:
    profile = Profile("p", (GeneraliseLocation("generalise_location", resolution),))
    shown = place_of(standing(Place(longitude, latitude)), profile)
    assert shown is not None
    cell = h3.latlng_to_cell(latitude, longitude, resolution)
    assert h3.latlng_to_cell(shown.latitude, shown.longitude, resolution) == cell
    assert place_of(standing(shown), profile) == shown


def test_a_place_is_shown_as_it_is_or_not_at_all() -> None:
    place = Place(4.84, 45.76)
    assert place_of(standing(place), Profile("raw", ())) == place
    assert place_of(standing(place), Profile("p", (Suppress("suppress", ("location",)),))) is None
    assert place_of(standing(None), Profile("p", (GeneraliseLocation("generalise_location", 8),))) is None


def test_what_stands_after_aggregate_changes_every_statistic_but_the_count() -> None:
    said = {"until": "2026-01-01T00:05:00Z", "statistics": {"mean": 12.34, "max": 99.9, "count": 7}}
    window = Point(5, 12.34, "", json.dumps(said))
    changed = of_windows((Clip("clip", 0, 50), Quantise("quantise", 0.5)))(window)
    assert json.loads(changed.extra) == {"until": said["until"], "statistics": {"mean": 12.5, "max": 50.0, "count": 7}}
    assert (changed.time, changed.value) == (5, 12.5)
    assert of_windows(())(window) is window


@given(st.floats(-179, 179), st.floats(-85, 85), st.integers(0, 10), st.integers(0, 10))
def test_a_private_place_is_told_by_one_cell_in_all_profiles_or_by_that_cells_parents(
    longitude: float, latitude: float, finest: int, asked: int
) -> None:
    balcony = standing(Place(longitude, latitude), finest)
    own = h3.latlng_to_cell(latitude, longitude, finest)
    raw = place_of(balcony, Profile("raw", ()))
    assert raw is not None
    assert h3.latlng_to_cell(raw.latitude, raw.longitude, finest) == own
    cell = cell_of(balcony, Profile("p", (GeneraliseLocation("generalise_location", asked),)))
    assert cell == (own if asked >= finest else h3.cell_to_parent(own, asked))
