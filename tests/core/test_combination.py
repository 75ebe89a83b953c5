"""Which offers of one datastream may stand side by side, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from broker.combination import check_together
from broker.errors import Refused
from broker.licence import Terms
from broker.model import Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.place import Place
from broker.privacy.profile import Profile

PROFILE = TypeAdapter(Profile)
NOISE = Datastream(OrganisationId("o"), "noise", "g", "measurement", unit="dB[SPL]", place=Place(4.8, 45.7))
TAGS = Datastream(OrganisationId("o"), "tags", "g", "rfid", place=Place(4.8, 45.7), personal_data=True)
OTHER = replace(TAGS, id="other")
BALCONY = replace(NOISE, id="balcony", location_h3=9)

MEAN = {"op": "aggregate", "window": "PT5M", "statistics": ["mean"]}
COUNT = {"op": "aggregate", "window": "PT5M", "statistics": ["count"], "k": 5}
COUNT_ALL = {"op": "aggregate", "window": "PT5M", "statistics": ["count"]}
BY_GATE = {**COUNT, "by": "read_point"}
BY_CELL = {**COUNT, "by": "cell"}
BY_DISTRICT = {**COUNT, "by": "district", "districts": [{"name": "north", "read_points": ["n1", "n2"]}]}
OTHERWISE = {**COUNT, "by": "district", "districts": [{"name": "north", "read_points": ["n1"]}]}
CELL = {"op": "generalise_location", "h3": 8}
WIDE = {"op": "generalise_location", "h3": 7}
NOISE_OP = {"op": "noise", "epsilon": 0.5, "budget": 6}
DAILY = {"op": "pseudonymise", "rotate": "P1D"}


def offer(name: str, operators: list[dict[str, Any]], *datastreams: Datastream) -> Offer:
    profile = PROFILE.validate_python({"name": name, "operators": operators})
    releases = tuple(Release(ReleaseId(f"{name}-{d.id}"), OfferId(name), d, "") for d in datastreams)
    return Offer(OfferId(name), OrganisationId("o"), profile, Terms("CC0-1.0", "", ("any",)), releases, 0)


@pytest.mark.parametrize(
    ("one", "other", "datastream"),
    [
        ([], [MEAN], NOISE),
        ([MEAN], [{**MEAN, "window": "PT15M"}], NOISE),
        ([{"op": "quantise", "step": 0.1}], [{"op": "quantise", "step": 0.5}], NOISE),
        ([CELL], [CELL, MEAN], NOISE),
        ([CELL], [WIDE], BALCONY),
        ([CELL], [{"op": "suppress", "fields": ["location"]}], NOISE),
        ([COUNT], [COUNT], TAGS),
        ([COUNT], [{**COUNT, "k": 20}], TAGS),
        ([COUNT], [BY_GATE], TAGS),
        ([COUNT], [BY_DISTRICT], TAGS),
        ([{**BY_DISTRICT, "k": 9}], [BY_DISTRICT], TAGS),
        ([COUNT], [COUNT, {"op": "delay", "by": "PT1H"}], TAGS),
        ([DAILY], [COUNT], TAGS),
        ([DAILY], [COUNT, NOISE_OP], TAGS),
        ([COUNT, NOISE_OP], [BY_GATE, NOISE_OP], TAGS),
        ([DAILY], [DAILY], TAGS),
    ],
)
def test_these_stand_side_by_side(one: list[Any], other: list[Any], datastream: Datastream) -> None:
    for first, second in ((one, other), (other, one)):
        check_together(offer("new", first, datastream), [offer("standing", second, datastream)])


@pytest.mark.parametrize(
    ("one", "other", "datastream", "reason"),
    [
        ([COUNT], [{**COUNT, "window": "PT10M"}], TAGS, "windows_differ"),
        ([COUNT], [{**COUNT, "window": "PT7M"}], TAGS, "windows_differ"),
        ([CELL, BY_CELL], [CELL, COUNT], TAGS, "groups_differ"),
        ([CELL, BY_CELL], [WIDE, BY_CELL], TAGS, "operators_differ"),
        ([BY_GATE], [CELL, BY_CELL], TAGS, "groups_differ"),
        ([BY_GATE], [BY_DISTRICT], TAGS, "groups_differ"),
        ([OTHERWISE], [BY_DISTRICT], TAGS, "groups_differ"),
        ([DAILY], [{**DAILY, "rotate": "P7D"}], TAGS, "names_differ"),
        ([DAILY], [{**DAILY, "gap": "PT1H"}], TAGS, "names_differ"),
        ([DAILY], [DAILY, {"op": "suppress", "fields": ["antenna"]}], TAGS, "names_differ"),
        ([MEAN], [{**MEAN, "window": "PT7M"}], NOISE, "grids_differ"),
        ([{"op": "round_time", "to": "PT2M"}], [{"op": "round_time", "to": "PT3M"}], NOISE, "grids_differ"),
        ([{"op": "sample", "every": "PT2M"}], [{"op": "sample", "every": "PT3M"}], NOISE, "grids_differ"),
        ([{"op": "quantise", "step": 0.2}], [{"op": "quantise", "step": 0.3}], NOISE, "grids_differ"),
        ([CELL], [WIDE], NOISE, "cells_differ"),
        ([COUNT, NOISE_OP], [COUNT], TAGS, "operators_differ"),
        ([COUNT, NOISE_OP], [COUNT, {**NOISE_OP, "budget": 9}], TAGS, "operators_differ"),
        ([COUNT_ALL, NOISE_OP], [], NOISE, "exact_beside_noisy"),
        ([COUNT_ALL, NOISE_OP], [COUNT_ALL, {**NOISE_OP, "budget": 9}], NOISE, "budgets_differ"),
    ],
)
def test_these_would_tell_more_together_and_the_reason_is_said(
    one: list[Any], other: list[Any], datastream: Datastream, reason: str
) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(Refused) as refused:
            check_together(offer("new", first, datastream), [offer("standing", second, datastream)])
        assert refused.value.reason == reason
        assert "standing" in refused.value.detail


def test_cells_of_other_datastreams_are_refused_and_offers_of_other_datastreams_are_not() -> None:
    both, one = offer("both", [CELL, BY_CELL], TAGS, OTHER), offer("one", [CELL, BY_CELL], TAGS)
    with pytest.raises(Refused) as refused:
        check_together(one, [both])
    assert refused.value.reason == "groups_differ"
    check_together(offer("apart", [WIDE, BY_CELL], OTHER), [one])
