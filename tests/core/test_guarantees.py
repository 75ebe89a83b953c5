"""Whole profiles on random records: nothing that leaves is finer than the profile allows, in whatever order its operators stand."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import h3
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from broker import message, times
from broker.errors import Refused
from broker.keeper.plan import Feed, Showing
from broker.keeper.windows import exact_windows, finished
from broker.licence import Terms
from broker.model import Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.place import Place
from broker.points import Point, tag_key
from broker.privacy.location import place_of
from broker.privacy.noise import noisy
from broker.privacy.profile import Clip, GeneraliseLocation, Profile, Pseudonymise, Quantise, RoundTime, Suppress
from broker.privacy.pseudonymise import epoch_of
from broker.privacy.suitability import check
from broker.privacy.trips import trips
from broker.release import of_trips, pointwise

PROFILE = TypeAdapter(Profile)
ASSET, PERSON = "urn:epc:id:giai:0614141.{}", "urn:epc:id:sgtin:0614141.812345.{}"
DISTRICTS = [{"name": "south", "read_points": ["gate-17"]}]
STATISTICS = ["mean", "count", "sum", "min", "max", "median", "p95", "stddev"]
grid = st.sampled_from(["PT1S", "PT10S", "PT1M", "PT5M", "PT7M", "PT1H"])
operators = st.one_of(
    st.builds(lambda to: {"op": "round_time", "to": to}, grid),
    st.builds(lambda by: {"op": "delay", "by": by}, grid),
    st.builds(lambda step: {"op": "quantise", "step": step}, st.sampled_from([0.1, 0.5, 3.0, 10.0])),
    st.builds(lambda low, high: {"op": "clip", "min": low, "max": high}, st.integers(-9, 0), st.integers(0, 9)),
    st.builds(lambda h: {"op": "generalise_location", "h3": h}, st.integers(4, 11)),
    st.builds(
        lambda fields: {"op": "suppress", "fields": sorted(fields)},
        st.sets(st.sampled_from(["location", "read_point", "antenna", "rssi"]), min_size=1),
    ),
    st.builds(lambda bound: {"op": "noise", "epsilon": 0.5, "budget": 5, "bound": bound}, st.integers(1, 9)),
    st.builds(
        lambda rotate, gap, cut_m: {"op": "pseudonymise", "rotate": rotate, "gap": gap, "cut_m": cut_m},
        grid,
        st.none() | grid,
        st.sampled_from([None, 1.0, 500.0]),
    ),
    st.builds(
        lambda window, statistics, by, k: {
            "op": "aggregate",
            "window": window,
            "statistics": statistics,
            "by": by,
            "k": k,
            "districts": DISTRICTS if by == "district" else (),
        },
        grid,
        st.lists(st.sampled_from(STATISTICS), min_size=1, max_size=3, unique=True) | st.just(["count"]),
        st.sampled_from(["datastream", "cell", "read_point", "district"]),
        st.sampled_from([None, 2, 5, 10, 100]),
    ),
)  # fmt: skip
profiles = st.lists(operators, max_size=5).map(lambda ops: PROFILE.validate_python({"name": "p", "operators": ops}))
places = st.builds(Place, st.floats(4.7, 4.9), st.floats(45.7, 45.8)) | st.none()
datastreams = st.builds(
    Datastream,
    organisation=st.just(OrganisationId("o")),
    id=st.just("d"),
    gateway=st.just("g"),
    kind=st.sampled_from(["measurement", "rfid"]),
    place=places,
    personal_data=st.booleans(),
    location_h3=st.none() | st.integers(5, 10),
    privacy_unit_id=st.none() | st.just("h1"),
    asset_prefixes=st.just(("urn:epc:id:giai:",)),
)
moments = st.integers(0, 3 * times.HOUR)
values = st.floats(-20, 20) | st.integers(-20, 20)
tags = st.builds(str.format, st.sampled_from([ASSET, PERSON]), st.integers(0, 9))


@st.composite
def records(draw: st.DrawFn, kind: str) -> list[Point]:
    if kind == "measurement":
        return draw(st.lists(st.builds(Point, moments, values), max_size=20, unique_by=lambda p: p.time))
    reads = st.tuples(moments, tags, st.sampled_from(["gate-17", "gate-18"]), st.integers(40_000, 40_001))
    return [
        Point(
            time, tag, tag_key(tag, gate, antenna), json.dumps({"read_point": gate, "antenna": antenna, "rssi": -61.25})
        )
        for time, tag, gate, antenna in draw(st.lists(reads, max_size=20, unique=True))
    ]


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data(), profiles, datastreams)
def test_nothing_that_leaves_is_finer_than_its_profile_allows(
    data: st.DataObject, profile: Profile, datastream: Datastream
) -> None:
    try:
        check(profile, [datastream])
    except Refused:
        assume(condition=False)
    given_records = data.draw(records(datastream.kind))
    release = Release(ReleaseId("r"), OfferId("f"), datastream, "s")
    offer = Offer(OfferId("f"), OrganisationId("o"), profile, Terms("CC0-1.0", "", ("any",)), (release,), -1)
    form = message.form(release, profile)
    if profile.aggregate is None:
        shown = _shown(release, offer, given_records, data.draw(places))
        _check_points(given_records, shown, profile, datastream)
    else:
        feed = Feed("s", (datastream,), (Showing(release, offer, form, ()),))
        shown = exact_windows(feed, [(datastream, given_records)]).points
        if (noise := profile.noise) is not None:
            shown = noisy(shown, profile.aggregate, noise, profile.find(Clip), lambda exact, *_: exact) if shown else []
        shown = finished(feed, shown)
        _check_windows(given_records, shown, profile, datastream)
    _check_place(profile, datastream, shown)
    said = b"".join(form.message(point) for point in shown).decode()
    if datastream.personal_data:
        assert "urn:epc:id:sgtin" not in said
        assert "h1" not in said
    for point in shown:
        _check_value(point, profile)


def _shown(release: Release, offer: Offer, came: list[Point], elsewhere: Place | None) -> list[Point]:
    """Of the release's own records, the same tags having been elsewhere as well."""
    names = offer.profile.pseudonymise
    if names is None or not names.by_trip:
        return pointwise(release, offer, came, 3 * times.HOUR, _key, 9 * times.HOUR).points
    (begins, _) = trips([(release.datastream.place, came), (elsewhere, came)], names)
    return of_trips(release, offer, came, begins, 3 * times.HOUR, _key, 9 * times.HOUR).points


def _key(_offer: str, epoch: int) -> bytes:
    return epoch.to_bytes(32)


def _check_points(came: list[Point], shown: list[Point], profile: Profile, datastream: Datastream) -> None:
    rounding, hidden = profile.find(RoundTime), profile.find(Suppress)
    for point in shown:
        assert rounding is None or point.time % rounding.to_ns == 0
        told = json.loads(point.extra) if point.extra else {}
        assert not told.keys() & set(hidden.fields if hidden else ())
    if datastream.kind == "rfid":
        assert len(shown) <= sum(str(read.value).startswith("urn:epc:id:giai:") for read in came)
    if (names := profile.pseudonymise) is not None:
        _check_names(shown, names, rounding.to_ns if rounding else 0)


def _check_names(shown: list[Point], names: Pseudonymise, rounded: int) -> None:
    epochs: dict[object, set[int]] = defaultdict(set)
    for point in shown:
        assert len(str(point.value)) == 32
        epochs[point.value].add(epoch_of(point.time, names.rotate_ns))
    assert all(len(of) == 1 for of in epochs.values())
    for name in epochs if names.gap is not None else ():
        seen = sorted(point.time for point in shown if point.value == name)
        assert all(later - earlier <= names.gap_ns + rounded for earlier, later in pairwise(seen))


def _check_windows(came: list[Point], shown: list[Point], profile: Profile, datastream: Datastream) -> None:
    operator = profile.aggregate
    assert operator is not None
    for point in shown:
        assert point.time % operator.window_ns == 0
        told = json.loads(point.extra)
        assert told.keys() <= {"until", "statistics", "cell", "location"} | {operator.by} - {"datastream"}
        assert set(told["statistics"]) == set(operator.statistics)
        inside = [p for p in came if point.time <= p.time < point.time + operator.window_ns]
        people = {p.value for p in inside if not str(p.value).startswith("urn:epc:id:giai:")}
        if operator.by == "read_point":
            people = {p.value for p in inside if f"|{point.key}|" in p.key and p.value in people}
        if operator.k is not None and datastream.kind == "rfid" and datastream.privacy_unit_id is None:
            assert len(people) >= operator.k
        elif operator.k is not None:
            assert operator.k == 1


def _check_place(profile: Profile, datastream: Datastream, shown: list[Point]) -> None:
    place = place_of(datastream, profile)
    cell = profile.find(GeneraliseLocation)
    finest = min(15 if cell is None else cell.h3, 15 if datastream.location_h3 is None else datastream.location_h3)
    if place is not None and finest < 15:
        centre = h3.cell_to_latlng(h3.latlng_to_cell(place.latitude, place.longitude, finest))
        assert math.dist(centre, (place.latitude, place.longitude)) < 1e-5
    for point in shown:
        if profile.by_cell:
            assert h3.get_resolution(point.key) <= finest
            assert place_of(replace(datastream, place=None), profile) is None


def _check_value(point: Point, profile: Profile) -> None:
    if isinstance(point.value, str):
        return
    numbers = {"value": point.value}
    if profile.aggregate is not None:
        numbers = {n: v for n, v in json.loads(point.extra)["statistics"].items() if n != "count"}
    bounds, step = profile.find(Clip), profile.find(Quantise)
    spread = {"sum", "stddev"} if bounds in profile.before_windows and profile.aggregate else set()
    for name, number in numbers.items():
        if bounds is not None and name not in spread:
            assert bounds.min is not None
            assert bounds.max is not None
            spare = step.step / 2 if step is not None else 1e-9  # rounding comes last and may step over a bound
            assert bounds.min - spare <= number <= bounds.max + spare
        if step is not None:
            assert Decimal(repr(float(number))) % Decimal(repr(step.step)) == 0


def test_the_checks_above_see_what_they_are_for() -> None:
    coarse = PROFILE.validate_python({"name": "p", "operators": [{"op": "quantise", "step": 0.5}]})
    with pytest.raises(AssertionError):
        _check_value(Point(0, 0.3), coarse)
