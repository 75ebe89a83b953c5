"""Which profile suits which datastream, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from broker.errors import Malformed, Refused
from broker.model import Datastream, OrganisationId
from broker.place import Place
from broker.privacy.profile import Profile
from broker.privacy.suitability import check, may_share

PROFILE = TypeAdapter(Profile)
NOISE = Datastream(OrganisationId("o"), "noise", "g", "measurement", unit="dB[SPL]")
STEPS = Datastream(OrganisationId("o"), "steps", "g", "measurement", personal_data=True)
TAGS = Datastream(OrganisationId("o"), "tags", "g", "rfid", personal_data=True)
HOUSES = Datastream(OrganisationId("o"), "houses", "g", "rfid", personal_data=True, privacy_unit="household")

PLACE = Place(4.84, 45.76)
PLACED = replace(TAGS, place=PLACE)
METER = replace(STEPS, id="meter", place=PLACE, unit="kWh", privacy_unit="household", privacy_unit_id="h1")
MEAN = {"op": "aggregate", "window": "PT5M", "statistics": ["mean", "count"]}
COUNT5 = {"op": "aggregate", "window": "PT5M", "statistics": ["count"], "k": 5}
NOISY = {"op": "noise", "epsilon": 0.5, "budget": 12}
NORTH = {"name": "north", "read_points": ["n1", "n2"]}
NAMES = {"op": "pseudonymise", "rotate": "P1D"}
ROUND = {"op": "round_time", "to": "PT5M"}
DELAY = {"op": "delay", "by": "PT1H"}
SAMPLE = {"op": "sample", "every": "PT1M"}
CELL = {"op": "generalise_location", "h3": 8}
STEP = {"op": "quantise", "step": 0.5}
BOUNDS = {"op": "clip", "min": 0, "max": 500}
HIDE = {"op": "suppress", "fields": ["location"]}


def profile(*operators: dict[str, Any]) -> Profile:
    return PROFILE.validate_python({"name": "p", "operators": list(operators)})


@pytest.mark.parametrize(
    ("operators", "datastream"),
    [
        ([], NOISE),
        ([MEAN], NOISE),
        ([BOUNDS, MEAN, STEP, CELL], NOISE),
        ([ROUND, SAMPLE, DELAY, BOUNDS, STEP, HIDE], NOISE),
        ([NAMES], TAGS),
        ([NAMES, ROUND, DELAY, {"op": "suppress", "fields": ["antenna", "rssi"]}], TAGS),
        ([COUNT5, DELAY], TAGS),
        ([{**COUNT5, "by": "read_point"}], TAGS),
        ([CELL, {**COUNT5, "by": "cell"}], PLACED),
        ([CELL, {**MEAN, "by": "cell"}], replace(NOISE, place=PLACE)),
        ([CELL, {**MEAN, "by": "cell", "k": 5}], METER),
        ([CELL, {**MEAN, "by": "cell", "k": 100, "statistics": ["max", "p95"]}], METER),
        ([COUNT5, NOISY], TAGS),
        ([{**COUNT5, "by": "district", "districts": [NORTH]}], TAGS),
        ([{**NAMES, "gap": "PT1H"}], TAGS),
        ([{**NAMES, "gap": "PT1H", "cut_m": 300}], PLACED),
        ([BOUNDS, MEAN, NOISY, STEP], NOISE),
        ([CELL, NAMES, {"op": "suppress", "fields": ["read_point"]}], TAGS),
    ],
)
def test_these_suit(operators: list[dict[str, Any]], datastream: Datastream) -> None:
    check(profile(*operators), [datastream])


@pytest.mark.parametrize(
    ("operators", "datastream", "reason"),
    [
        ([], TAGS, "personal_data_raw"),
        ([ROUND], TAGS, "personal_data_raw"),
        ([DELAY, CELL], STEPS, "personal_data_raw"),
        ([{**COUNT5, "k": 4}], TAGS, "k_too_small"),
        ([{**COUNT5, "k": None}], TAGS, "k_too_small"),
        ([COUNT5], HOUSES, "privacy_unit_unknown"),
        ([MEAN], STEPS, "privacy_unit_unknown"),
        ([NAMES], NOISE, "no_tags"),
        ([MEAN], TAGS, "no_numbers"),
        ([STEP, NAMES], TAGS, "no_numbers"),
        ([SAMPLE, NAMES], TAGS, "no_numbers"),
        ([{"op": "suppress", "fields": ["rssi"]}], NOISE, "no_such_field"),
        ([STEP, MEAN], NOISE, "profile_order"),
        ([STEP, BOUNDS], NOISE, "profile_order"),
        ([SAMPLE, ROUND], NOISE, "profile_order"),
        ([MEAN, ROUND], NOISE, "profile_order"),
        ([SAMPLE, MEAN], NOISE, "profile_order"),
        ([NAMES, COUNT5], TAGS, "profile_order"),
        ([MEAN, MEAN], NOISE, "profile_order"),
        ([{**MEAN, "window": "P32D"}], NOISE, "window_too_long"),
        ([{**MEAN, "statistics": []}], NOISE, "no_statistics"),
        ([{**MEAN, "statistics": ["mean", "mean"]}], NOISE, "no_statistics"),
        ([{**MEAN, "k": 5}], NOISE, "privacy_unit_unknown"),
        ([{**NAMES, "gap": "P1D"}], TAGS, "gap_too_long"),
        ([{**NAMES, "cut_m": 300}], PLACED, "no_trips"),
        ([{**NAMES, "gap": "PT1H", "cut_m": 300}], TAGS, "no_place"),
        ([{**COUNT5, "by": "district"}], TAGS, "no_districts"),
        ([{**COUNT5, "districts": [NORTH]}], TAGS, "no_districts"),
        ([{**COUNT5, "by": "district", "districts": [NORTH, {**NORTH, "name": "south"}]}], TAGS, "districts_overlap"),
        ([CELL, {**COUNT5, "by": "district", "districts": [NORTH]}], TAGS, "raw_beside_coarse"),
        ([NOISY], TAGS, "profile_order"),
        ([NOISY, COUNT5], TAGS, "profile_order"),
        ([COUNT5, {**NOISY, "epsilon": 20}], TAGS, "budget_too_small"),
        ([MEAN, NOISY], NOISE, "no_bounds"),
        ([MEAN, BOUNDS, NOISY], NOISE, "no_bounds"),
        ([BOUNDS, {**MEAN, "statistics": ["max"]}, NOISY], NOISE, "no_mechanism"),
        ([BOUNDS, MEAN, STEP, NOISY], NOISE, "profile_order"),
        ([NAMES, {**ROUND, "to": "PT7M"}], TAGS, "grids_differ"),
        ([{"op": "clip"}], NOISE, "no_bounds"),
        ([{**COUNT5, "by": "cell"}], PLACED, "no_cell"),
        ([{**COUNT5, "by": "cell"}, CELL], PLACED, "no_cell"),
        ([CELL, {**COUNT5, "by": "cell"}], TAGS, "no_place"),
        ([CELL, {**COUNT5, "by": "cell"}, HIDE], PLACED, "profile_order"),
        ([CELL, {**COUNT5, "by": "cell"}], replace(PLACED, location_h3=7), "place_private"),
        ([CELL, {**COUNT5, "by": "read_point"}], TAGS, "raw_beside_coarse"),
        ([CELL, NAMES], TAGS, "raw_beside_coarse"),
        ([{**MEAN, "by": "read_point"}], NOISE, "no_read_points"),
        ([{**MEAN, "k": 5}], METER, "k_unreachable"),
        ([CELL, {**MEAN, "by": "cell", "k": 99, "statistics": ["min"]}], METER, "k_too_small"),
        ([CELL, {**MEAN, "by": "cell", "k": 9, "statistics": ["median"]}], METER, "k_too_small"),
        ([{"op": "clip", "min": 2, "max": 1}], NOISE, "no_bounds"),
        ([{"op": "delay", "by": "P400D"}], NOISE, "delay_too_long"),
    ],
)
def test_these_do_not_and_the_reason_is_said(
    operators: list[dict[str, Any]], datastream: Datastream, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        check(profile(*operators), [datastream])
    assert refused.value.reason == reason
    assert datastream.id in refused.value.detail


def test_what_one_cell_counts_together_is_alike() -> None:
    by_cell = profile(CELL, {**MEAN, "by": "cell", "k": 5})
    check(by_cell, [METER, replace(METER, id="other", privacy_unit_id="h2")])
    with pytest.raises(Refused) as refused:
        check(by_cell, [METER, replace(METER, id="water", unit="m3")])
    assert refused.value.reason == "not_alike"


@pytest.mark.parametrize(
    "operator", [{**ROUND, "to": "5 min"}, {**SAMPLE, "every": "PT0S"}, {**DELAY, "by": "P1M"}, {**NAMES, "rotate": ""}]
)
def test_a_bad_duration_is_malformed(operator: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="ISO 8601"):
        check(profile(operator), [TAGS if operator["op"] == "pseudonymise" else NOISE])


@pytest.mark.parametrize(
    "operator",
    [
        {"op": "blurr"},
        {**CELL, "h3": 16},
        {**STEP, "step": 0},
        {**STEP, "step": "NaN"},
        {**MEAN, "statistics": ["mode"]},
        {**HIDE, "fields": []},
        {**BOUNDS, "mn": 1},
        {},
    ],
)
def test_what_is_no_operator_is_refused(operator: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        profile(operator)


@given(
    st.lists(st.sampled_from([MEAN, COUNT5, NAMES, ROUND, DELAY, SAMPLE, CELL, STEP, BOUNDS, HIDE]), max_size=5),
    st.sampled_from([TAGS, STEPS, HOUSES]),
)
def test_personal_data_is_never_accepted_without_names_or_groups(
    operators: list[dict[str, Any]], datastream: Datastream
) -> None:
    chosen = profile(*operators)
    try:
        check(chosen, [datastream])
    except Refused:
        return
    assert chosen.pseudonymise or (chosen.aggregate and (chosen.aggregate.k or 0) >= 5)
    assert not may_share(chosen, datastream)


def test_profiles_that_compute_the_same_have_one_fingerprint_whatever_their_name() -> None:
    assert (
        profile(MEAN).fingerprint
        == PROFILE.validate_python({"name": "other", "operators": [{**MEAN, "by": "datastream"}]}).fingerprint
    )
    assert profile(MEAN).fingerprint != profile(MEAN, STEP).fingerprint
