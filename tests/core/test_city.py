"""The city: what it says follows from its seed and the time alone, and looks like a city."""

from __future__ import annotations

import json
import math
import re
from statistics import correlation, fmean, pstdev

import pytest
from epcpy import epc_pure_identity_to_tag_encodable
from epcpy.epc_schemes import SGLN
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.times import DAY, SECOND, parse
from simulators import chance, tags
from simulators.city import CENTRE, OWNERS, City
from simulators.field import grow

HOUR = 3_600 * SECOND
MONDAY = parse("2026-11-23T00:00:00+01:00")
CITY = City(7)
QUICK = settings(max_examples=25, deadline=None)  # a busy machine is no failure
BY_ID = {sensor.id: sensor for sensor in CITY.sensors}

moments = st.integers(parse("2000-01-01T00:00:00Z"), parse("2050-01-01T00:00:00Z"))
sensors = st.sampled_from(CITY.sensors)


def said(city: City, sensor_id: str, start: int, end: int) -> bytes:
    sensor = next(sensor for sensor in city.sensors if sensor.id == sensor_id)
    return json.dumps(list(city.readings(sensor, start, end))).encode()


def over_days(sensor_id: str, hour: float, days: range) -> float:
    """The mean truth at one local hour of several days."""
    return fmean(CITY.truth(BY_ID[sensor_id], MONDAY + day * DAY + int(hour * HOUR)) for day in days)


WORKDAYS = [day for day in range(70) if day % 7 < 5]
WEEKENDS = [day for day in range(70) if day % 7 >= 5]


@QUICK
@given(sensors, moments, moments)
def test_truth_is_the_same_in_whatever_order_it_is_asked_for(sensor, one, other):
    first = City(7)
    forwards = (first.truth(sensor, one), first.truth(sensor, other))
    second = City(7)
    backwards = (second.truth(sensor, other), second.truth(sensor, one))
    assert forwards == backwards[::-1]


@QUICK
@given(sensors, moments, st.integers(0, 3 * 3_600 * SECOND), st.integers(0, 3 * 3_600 * SECOND))
def test_an_interval_split_in_two_has_the_readings_of_the_whole(sensor, start, first, second):
    split, end = start + first, start + first + second
    parts = [*CITY.readings(sensor, start, split), *CITY.readings(sensor, split, end)]
    assert parts == list(CITY.readings(sensor, start, end))


@QUICK
@given(sensors, moments)
def test_readings_are_in_time_order_and_within_the_interval_asked_for(sensor, start):
    times = [parse(str(reading["time"])) for reading in CITY.readings(sensor, start, start + HOUR)]
    assert times == sorted(times)
    assert all(start <= time < start + HOUR for time in times)


@QUICK
@given(sensors, moments)
def test_a_measuring_sensor_speaks_once_in_each_interval(sensor, start):
    readings = list(CITY.readings(sensor, start, start + sensor.interval_s * SECOND))
    assert sensor.kind == "rfid" or len(readings) == 1


@QUICK
@given(sensors, moments)
def test_truth_and_readings_are_finite_json_that_the_interface_takes(sensor, start):
    assert math.isfinite(CITY.truth(sensor, start))
    for reading in CITY.readings(sensor, start, start + HOUR):
        json.dumps(reading, allow_nan=False)
        fields = {"time", "value"} if sensor.kind == "measurement" else {"time", "epc", "read_point", "antenna", "rssi"}
        assert set(reading) == fields


def test_the_same_seed_says_the_same_bytes():
    again = City(7)
    for sensor in CITY.sensors:
        assert said(again, sensor.id, MONDAY, MONDAY + HOUR) == said(CITY, sensor.id, MONDAY, MONDAY + HOUR)


def test_the_bytes_of_a_seed_stay_as_they_are_from_one_machine_and_version_to_the_next():
    first = next(CITY.readings(BY_ID["laeq-1"], MONDAY, MONDAY + HOUR))
    assert first == {"time": "2026-11-22T23:00:22Z", "value": 56.3}


def test_another_seed_is_another_city():
    other = City(8)
    assert [s.location for s in other.sensors] != [s.location for s in CITY.sensors]
    for sensor_id in ("pm25-1", "flow-1", "temperature-1", "free-1", "depot-1"):
        there = said(other, sensor_id, MONDAY, MONDAY + 3 * HOUR)
        assert there != said(CITY, sensor_id, MONDAY, MONDAY + 3 * HOUR)


def test_a_larger_city_contains_the_smaller_one():
    large = City(7, 200)
    assert large.sensors[: len(CITY.sensors)] == CITY.sensors
    for sensor_id in ("pm25-1", "depot-1"):
        end = MONDAY + 4 * HOUR
        assert said(large, sensor_id, MONDAY, end) == said(CITY, sensor_id, MONDAY, end)


def test_the_default_city_has_every_theme_and_several_owners_and_gateways():
    assert len(CITY.sensors) == 46
    themes = {"air", "noise", "traffic", "weather", "parking", "rfid"}
    assert {s.theme for s in CITY.sensors[:40]} == themes
    assert {s.theme for s in CITY.sensors} == themes | {"bike share", "public transport"}
    assert {s.owner for s in CITY.sensors} == set(OWNERS)
    assert len({s.gateway for s in CITY.sensors}) >= len(OWNERS)


def test_ids_are_of_the_allowed_letters_and_unique_in_a_city_of_thousands():
    large = City(1, 1_500).sensors
    assert len({sensor.id for sensor in large}) == 1_500
    for sensor in large:
        for name in (sensor.id, sensor.gateway, sensor.owner):
            assert re.fullmatch(r"[a-z0-9_-]{1,63}", name)


def test_a_gateway_belongs_to_one_owner():
    owners: dict[str, set[str]] = {}
    for sensor in City(1, 1_500).sensors:
        owners.setdefault(sensor.gateway, set()).add(sensor.owner)
    assert all(len(found) == 1 for found in owners.values())


def test_sensors_stand_in_and_around_lyon():
    for sensor in City(1, 500).sensors:
        assert sensor.location[0] == pytest.approx(CENTRE[0], abs=0.2)
        assert sensor.location[1] == pytest.approx(CENTRE[1], abs=0.15)


@pytest.mark.parametrize("sensor_id", ["flow-1", "flow-3", "no2-1", "laeq-2"])
@pytest.mark.parametrize("hour", [8.2, 17.8])
def test_rush_hours_are_busier_than_nights(sensor_id, hour):
    assert over_days(sensor_id, hour, WORKDAYS) > 1.1 * over_days(sensor_id, 3.0, WORKDAYS)


def test_traffic_slows_down_in_the_rush_hour():
    assert over_days("speed-1", 17.8, WORKDAYS) < 0.8 * over_days("speed-1", 3.0, WORKDAYS)


def test_weekends_have_no_morning_rush_and_saturday_is_busier_than_sunday():
    assert over_days("flow-1", 8.2, WEEKENDS) < 0.5 * over_days("flow-1", 8.2, WORKDAYS)
    saturdays, sundays = [range(start, 70, 7) for start in (5, 6)]
    assert over_days("flow-1", 15.5, saturdays) > over_days("flow-1", 15.5, sundays)


def test_car_parks_fill_by_day_and_never_beyond_their_places():
    assert over_days("free-1", 14.0, WORKDAYS) < 0.6 * over_days("free-1", 4.0, WORKDAYS)
    values = [reading["value"] for reading in CITY.readings(BY_ID["free-1"], MONDAY, MONDAY + 2 * DAY)]
    assert all(type(value) is int and value >= 0 for value in values)


def test_bicycle_stations_are_never_fuller_than_they_are_large_and_buses_are_late_in_the_rush_hour():
    station, bus = BY_ID["bikes-1"], BY_ID["bus-1"]
    available = {reading["value"] for reading in CITY.readings(station, MONDAY, MONDAY + DAY)}
    assert available <= set(range((station.capacity or 0) + 1))
    assert len(available) > 3
    assert over_days("bus-1", 17.8, WORKDAYS) > over_days(bus.id, 3.0, WORKDAYS) + 60


def test_a_bay_is_sometimes_occupied_and_says_so_with_a_boolean():
    values = [reading["value"] for reading in CITY.readings(BY_ID["bay-1"], MONDAY, MONDAY + DAY)]
    assert set(values) == {True, False}
    assert all(type(value) is bool for value in values)


def test_afternoons_are_warmer_than_nights_and_july_than_january():
    year = range(365)
    assert over_days("temperature-1", 15.5, year) > over_days("temperature-1", 4.0, year) + 4
    january, july = range(-325, -295), range(-145, -115)
    assert over_days("temperature-1", 12.0, july) > over_days("temperature-1", 12.0, january) + 10


@pytest.mark.parametrize("theme", ["air", "noise", "traffic", "weather"])
def test_values_are_plausible_over_a_year(theme):
    ranges = {
        "PM2.5": (0.5, 150),
        "NO2": (0.5, 250),
        "LAeq": (35, 90),
        "vehicle flow": (0, 2_500),
        "vehicle speed": (5, 60),
        "air temperature": (-20, 45),
        "relative humidity": (10, 100),
        "wind speed": (0, 120),
    }
    for sensor in CITY.sensors:
        if sensor.theme == theme:
            low, high = ranges[sensor.observed_property]
            truths = [CITY.truth(sensor, MONDAY + step * 17 * HOUR) for step in range(500)]
            assert low <= min(truths) <= max(truths) <= high, sensor.id


def test_near_places_agree_more_than_distant_ones():
    field = grow(7, "traffic", length_km=1.5, span_h=0.8)
    hours = [MONDAY / HOUR + step * 1.3 for step in range(1_500)]
    here, near, far = ([field.place(x, 0.0).at(hour) for hour in hours] for x in (0.0, 0.5, 6.0))
    assert correlation(here, near) > 0.85
    assert correlation(here, near) > correlation(here, far) + 0.4


def test_near_sensors_agree_more_than_distant_ones():
    large = City(3, 400)
    air = [sensor for sensor in large.sensors if sensor.observed_property == "PM2.5"]
    times = [MONDAY + (day * 24 + 2) * HOUR for day in range(120)]  # at night, when traffic differs least
    truths = {sensor.id: [math.log(large.truth(sensor, time)) for time in times] for sensor in air}
    pairs = sorted(
        (math.dist(one.location, other.location), correlation(truths[one.id], truths[other.id]))
        for index, one in enumerate(air)
        for other in air[:index]
    )
    tenth = len(pairs) // 10
    assert fmean(r for _, r in pairs[:tenth]) > fmean(r for _, r in pairs[-tenth:]) + 0.1


def test_a_field_has_mean_zero_and_variance_one():
    series = grow(5, "air", length_km=3.0, span_h=6.0).place(1.0, 2.0)
    values = [series.at(step * 11.0) for step in range(4_000)]
    assert fmean(values) == pytest.approx(0.0, abs=0.1)
    assert pstdev(values) == pytest.approx(1.0, abs=0.1)


def test_a_sensor_errs_around_the_truth_as_much_as_it_should():
    sensor = BY_ID["temperature-1"]
    errors = [
        float(reading["value"]) - CITY.truth(sensor, parse(str(reading["time"])))
        for reading in CITY.readings(sensor, MONDAY, MONDAY + DAY)
    ]
    assert fmean(errors) == pytest.approx(0.0, abs=0.02)
    assert pstdev(errors) == pytest.approx(0.15, abs=0.02)


def test_gates_read_the_citys_things_and_those_of_people():
    found = [str(reading["epc"]) for reading in CITY.readings(BY_ID["depot-1"], MONDAY, MONDAY + DAY)]
    own = sum(epc.startswith(tags.ASSET_PREFIX) for epc in found)
    assert own / len(found) == pytest.approx(0.75, abs=0.05)
    assert BY_ID["depot-1"].asset_prefixes == (tags.ASSET_PREFIX,)


def test_every_epc_and_read_point_is_one_of_gs1s_forms():
    for sensor in CITY.sensors:
        for reading in CITY.readings(sensor, MONDAY, MONDAY + 9 * HOUR) if sensor.kind == "rfid" else ():
            assert epc_pure_identity_to_tag_encodable(str(reading["epc"])).epc_uri == reading["epc"]
            assert SGLN(str(reading["read_point"])).epc_uri == reading["read_point"]


@QUICK
@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.integers(0, 23), st.booleans())
def test_things_of_people_are_valid_and_never_below_the_citys_prefix(pick, gate, hour, weekend):
    epc = tags.passer_by(7, gate, hour, pick, weekend=weekend)
    assert epc_pure_identity_to_tag_encodable(epc).epc_uri == epc
    assert not epc.startswith(tags.ASSET_PREFIX)


@QUICK
@given(st.integers(0, 2**64 - 1))
def test_things_of_the_city_are_valid_and_below_its_prefix(number):
    epc = tags.asset(7, number)
    assert epc_pure_identity_to_tag_encodable(epc).epc_uri == epc
    assert epc.startswith(tags.ASSET_PREFIX)


def test_people_have_habits_so_that_pseudonyms_can_be_attacked():
    at_eight = [
        str(reading["epc"])
        for day in WORKDAYS[:15]
        for reading in CITY.readings(BY_ID["gate-1"], MONDAY + day * DAY + 8 * HOUR, MONDAY + day * DAY + 9 * HOUR)
        if not str(reading["epc"]).startswith(tags.ASSET_PREFIX)
    ]
    most = sorted((at_eight.count(epc) for epc in set(at_eight)), reverse=True)
    assert sum(most[:12]) / len(at_eight) == pytest.approx(0.6, abs=0.1)


def test_gates_are_busier_by_day_than_at_night():
    gate = BY_ID["gate-1"]
    noon = sum(1 for _ in CITY.readings(gate, MONDAY + 12 * HOUR, MONDAY + 14 * HOUR))
    night = sum(1 for _ in CITY.readings(gate, MONDAY + 2 * HOUR, MONDAY + 4 * HOUR))
    assert noon > 4 * night


def test_reads_come_as_often_as_the_truth_says():
    gate = BY_ID["depot-1"]
    spans = [MONDAY + span * gate.interval_s * SECOND for span in range(2_880)]
    expected = sum(CITY.truth(gate, span) for span in spans)
    counted = sum(1 for _ in CITY.readings(gate, spans[0], spans[0] + DAY))
    assert counted == pytest.approx(expected, abs=4 * math.sqrt(expected))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_draws_are_spread_evenly_and_normals_normally(seed):
    uniform = [chance.uniform(seed, n) for n in range(2_000)]
    normal = [chance.normal(seed, n) for n in range(2_000)]
    assert fmean(uniform) == pytest.approx(0.5, abs=0.05)
    assert fmean(normal) == pytest.approx(0.0, abs=0.13)
    assert pstdev(normal) == pytest.approx(1.0, abs=0.1)
