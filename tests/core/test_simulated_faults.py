"""Faults: they follow from seed, sensor and time; each does what it says and no more; and without them nothing changes."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from broker.model import Datastream
from broker.times import DAY, HOUR, MINUTE, SECOND, parse
from broker.validate import validate
from gateways import canonical
from simulators.city import City
from simulators.encoders.own import PACK
from simulators.faults import AHEAD_NS, BREAKS, FAULTS, Faulty
from simulators.feed import Feed, Tape
from simulators.loading import EXAMPLE
from simulators.recording import Record
from simulators.schema import Faults, Skew

if TYPE_CHECKING:
    from simulators.city import Sensor
    from simulators.faults import Departure

NOW = parse("2026-11-23T08:00:00Z")
CITY = City(7)
BY_ID = {sensor.id: sensor for sensor in CITY.sensors}
EVERY: dict[str, Any] = {
    "dropout": {"rate": 0.1, "lasting": "PT5M"},
    "stuck": {"rate": 0.1, "lasting": "PT5M"},
    "clock_skew": {"rate": 0.1, "lasting": "PT10M", "by": ["PT2M", "P3D"]},
    "duplicate": {"rate": 0.1, "up_to": "PT15M"},
    "out_of_order": {"rate": 0.1, "up_to": "PT15M"},
    "malformed": {"rate": 0.1},
}

moments = st.integers(NOW - 400 * DAY, NOW + 400 * DAY)
sensors = st.sampled_from([BY_ID[name] for name in ("pm25-1", "bay-1", "laeq-1", "gate-1")])


def faulty(wanted: dict[str, Any], gateway: str = "in/o/g", city: City = CITY) -> Faulty:
    return Faulty(city, Faults.model_validate(wanted), gateway)


def departures(sensor: Sensor, wanted: dict[str, Any], span: int = 6 * HOUR) -> list[Departure]:
    return list(faulty(wanted).departures(sensor, NOW - span, NOW))


def readings(sensor: Sensor, span: int = 6 * HOUR) -> list[dict[str, Any]]:
    return list(CITY.readings(sensor, NOW - span, NOW))


def record(departure: Departure) -> dict[str, Any]:
    assert departure.text is not None
    said: dict[str, Any] = json.loads(departure.text)
    return said


def emptied(feed: Feed, until: int) -> list[tuple[str, bytes, int]]:
    found = []
    while feed.behind(until, until):
        found += [(m.topic, m.payload, m.records) for m in feed.due(until, until)]
    return found


# --- what they follow from


@settings(max_examples=25, deadline=None)  # a busy machine is no failure
@given(sensors, moments, st.integers(0, 2 * HOUR), st.integers(0, 2 * HOUR))
def test_an_interval_split_in_two_has_the_faults_of_the_whole(sensor, start, first, second):
    split, end = start + first, start + first + second
    whole = list(faulty(EVERY).departures(sensor, start, end))
    line = faulty(EVERY)
    later = list(line.departures(sensor, split, end))
    assert [*line.departures(sensor, start, split), *later] == whole


def test_another_seed_has_other_faults():
    sensor = BY_ID["pm25-1"]
    other = faulty({"dropout": EVERY["dropout"]}, city=City(8)).departures(sensor, NOW - 6 * HOUR, NOW)
    lost = {one.at_ns % DAY // MINUTE for one in other if one.text is None}
    here = departures(sensor, {"dropout": EVERY["dropout"]})
    assert lost != {one.at_ns % DAY // MINUTE for one in here if one.text is None}


def test_one_fault_more_does_not_move_the_others():
    sensor = BY_ID["pm25-1"]
    alone = [one.at_ns for one in departures(sensor, {"dropout": EVERY["dropout"]}) if one.text is None]
    assert [one.at_ns for one in departures(sensor, EVERY) if one.text is None] == alone


def test_sensors_fail_by_themselves_and_a_gateways_clock_for_all_of_them():
    lost = [
        {one.at_ns // MINUTE for one in departures(BY_ID[name], EVERY) if not one.text}
        for name in ("flow-1", "speed-1")
    ]
    assert lost[0] != lost[1]
    wrong = {"clock_skew": {"rate": 0.5, "lasting": "PT20M"}}

    def skews(gateway: str) -> list[set[int]]:
        return [
            {one.written_ns - one.at_ns for one in faulty(wrong, gateway).departures(BY_ID[name], NOW - 6 * HOUR, NOW)}
            for name in ("flow-1", "speed-1")
        ]

    here, there = skews("in/o/g"), skews("in/o/h")
    assert here[0] == here[1]
    assert here[0] != there[0]


@pytest.mark.parametrize("fault", sorted({*FAULTS} - {"units"}))  # units are a matter of nights
@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_each_fault_is_as_frequent_as_its_rate(fault, rate):
    options = {"lasting": "PT1M"} if fault in ("dropout", "reboot", "stuck", "clock_skew") else {}
    found = departures(BY_ID["laeq-1"], {fault: {"rate": rate, **options}}, span=DAY)
    read = sum("duplicate" not in one.faults for one in found)
    spells = DAY // MINUTE  # fewer than readings, so that this bound holds for both
    expected = pytest.approx(rate, abs=3 * sqrt(rate * (1 - rate) / spells))
    assert sum(fault in one.faults for one in found) / read == expected
    assert all(set(one.faults) <= {fault} for one in found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rate_of_nought_is_no_fault(fault):
    sensor = BY_ID["gate-1"]
    found = departures(sensor, {fault: {"rate": 0}})
    assert [record(one) for one in found] == readings(sensor)
    assert not any(one.faults for one in found)


# --- what each does


def test_a_silent_sensor_sends_nothing_for_whole_spells():
    found = departures(BY_ID["pm25-1"], {"dropout": {"rate": 0.2, "lasting": "PT10M"}})
    silent = [one.text is None for one in found]
    assert len(found) == 360
    assert any(silent)
    assert all(one.faults == ("dropout",) for one in found if one.text is None)
    changes = [at for at, (before, after) in enumerate(pairwise(silent)) if before != after]
    assert all((later - first) % 10 == 0 for first, later in pairwise(changes))


def test_a_stuck_sensor_repeats_the_first_value_of_the_spell():
    sensor = BY_ID["pm25-1"]
    found = departures(sensor, {"stuck": {"rate": 1, "lasting": "PT30M"}})
    true = {reading["time"]: reading["value"] for reading in readings(sensor)}
    spells: list[list[dict[str, Any]]] = [[]]
    for said in map(record, found):
        if spells[-1] and said["value"] != spells[-1][0]["value"]:
            spells.append([])
        spells[-1].append(said)
    assert len(spells) in (12, 13)
    assert all(true[spell[0]["time"]] == spell[0]["value"] for spell in spells[1:])
    assert [said["time"] for spell in spells for said in spell] == list(true)


def test_radio_loses_records_one_by_one():
    lost = [one.reading is None for one in departures(BY_ID["laeq-1"], {"radio": {"rate": 0.3}}, span=DAY)]
    after_a_loss = [later for before, later in pairwise(lost) if before]
    assert sum(after_a_loss) / len(after_a_loss) == pytest.approx(0.3, abs=0.05)


def test_a_gateway_that_is_off_loses_what_all_its_sensors_read_and_then_comes_back():
    wanted = {"reboot": {"rate": 0.2, "lasting": "PT10M"}}
    off = [
        {one.read_ns // MINUTE for one in departures(BY_ID[name], wanted) if one.reading is None}
        for name in ("flow-1", "speed-1")
    ]
    assert len(off[0]) > 30
    assert len(off[0] ^ off[1]) <= 0.1 * len(off[0])  # they read at different seconds of a minute
    came_back = sum(minute + 1 not in off[0] for minute in off[0])
    line = faulty(wanted)
    told = [line.rebooted(at, at + MINUTE) for at in range(NOW - 6 * HOUR, NOW, MINUTE)]
    assert sum(told) == pytest.approx(came_back, abs=1)
    assert line.rebooted(NOW - 6 * HOUR, NOW)


def test_new_firmware_speaks_in_another_unit_from_two_at_night_to_the_next_night():
    sensor = BY_ID["temperature-1"]
    found = departures(sensor, {"units": {"rate": 0.5}}, span=8 * DAY)
    true = {reading["time"]: reading["value"] for reading in readings(sensor, 8 * DAY)}
    assert all(one.unit == ("[degF]" if one.faults else "Cel") for one in found)
    for one in found:
        value = float(true[record(one)["time"]])
        assert record(one)["value"] == (round(value * 1.8 + 32, 6) if one.faults else value)
    changes = [later.read_ns for before, later in pairwise(found) if before.faults != later.faults]
    assert changes
    assert all((change - HOUR) % DAY < MINUTE for change in changes)


def test_what_has_no_other_unit_keeps_its_own():
    assert not any(one.faults for one in departures(BY_ID["laeq-1"], {"units": {"rate": 1}}))


def test_tag_reads_do_not_stick():
    found = departures(BY_ID["gate-1"], {"stuck": {"rate": 1, "lasting": "PT30M"}})
    assert [record(one) for one in found] == readings(BY_ID["gate-1"])


def test_a_repeated_record_leaves_twice_with_the_same_bytes():
    found = departures(BY_ID["gate-1"], {"duplicate": {"rate": 0.3, "up_to": "PT7M"}})
    first = {one.text: one for one in found if not one.faults}
    again = [one for one in found if one.faults]
    assert len(first) == len(readings(BY_ID["gate-1"]))
    assert all(one.faults == ("duplicate",) for one in again)
    assert all(0 < one.at_ns - first[one.text].at_ns <= 7 * MINUTE for one in again)
    assert {one.verdict(NOW) for one in again} == {"duplicate"}


def test_what_is_kept_back_keeps_its_time_and_leaves_after_later_readings():
    sensor = BY_ID["laeq-1"]
    found = departures(sensor, {"out_of_order": {"rate": 0.2, "up_to": "PT10M"}})
    assert [record(one) for one in found] == readings(sensor)
    late = [one for one in found if one.faults]
    assert all(0 < one.at_ns - one.written_ns <= 10 * MINUTE for one in late)
    leaving = [one.written_ns for one in sorted(found, key=lambda one: one.at_ns)]
    assert leaving != sorted(leaving)
    assert {one.verdict(NOW) for one in found} == {"good"}


def test_a_wrong_clock_is_ahead_or_behind_by_what_was_asked_for_and_all_times_stay_apart():
    found = departures(BY_ID["laeq-1"], {"clock_skew": {"rate": 0.5, "lasting": "PT10M", "by": ["PT2M", "PT10M"]}})
    skews = {one.written_ns - one.at_ns for one in found if one.faults}
    assert {round(skew / MINUTE) for skew in skews} == {-10, -2, 2, 10}
    assert all(0 < skew % MINUTE < SECOND for skew in skews)
    assert all(parse(record(one)["time"]) == one.written_ns for one in found)
    assert len({one.written_ns for one in found}) == len(found)
    ahead = [one for one in found if one.written_ns - one.at_ns > AHEAD_NS]
    assert ahead
    for one in found:
        assert one.verdict(one.at_ns) == ("refused" if one in ahead else "good")
    assert {one.verdict(NOW + DAY) for one in ahead} == {"good"}  # sent a day later it is in the past


def test_what_may_be_refused_for_its_time_is_not_repeated():
    wanted = {"clock_skew": {"rate": 0.5, "by": ["PT10M"]}, "duplicate": {"rate": 1, "up_to": "PT15M"}}
    again = [one for one in departures(BY_ID["laeq-1"], wanted) if "duplicate" in one.faults]
    assert {"clock_skew" in one.faults for one in again} == {True, False}
    assert all(one.written_ns < one.at_ns for one in again)


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("name", ["pm25-1", "bay-1", "gate-1"])
def test_the_broker_refuses_each_kind_of_broken_record(kind, name):
    sensor = BY_ID[name]
    datastream = Datastream("o", "g", name, sensor.kind, unit=sensor.unit)
    found = departures(sensor, {"malformed": {"rate": 1, "kinds": [kind]}}, span=2 * HOUR)
    assert len(found) == len(readings(sensor, 2 * HOUR)) > 0
    for one in found:
        assert one.text is not None
        assert (one.verdict(NOW), one.faults, one.broken) == ("refused", ("malformed",), kind)
        points, refusals = validate(canonical.decode(one.text.encode(), sensor.kind, NOW), datastream, NOW, AHEAD_NS)
        if kind == "unknown_datastream":
            assert one.datastream == f"{name}-unknown"
            assert points
        else:
            assert one.datastream == name
            assert (points, len(refusals)) == ([], 1)


def test_all_kinds_of_broken_records_come_up_unless_some_are_chosen():
    found = departures(BY_ID["pm25-1"], {"malformed": {"rate": 0.5}})
    assert {one.broken for one in found} == {*BREAKS, None}
    few = departures(BY_ID["pm25-1"], {"malformed": {"rate": 0.5, "kinds": ["truncated", "wrong_type"]}})
    assert {one.broken for one in few} == {"truncated", "wrong_type", None}


# --- what a file may ask for


def test_the_faults_of_the_example_are_all_there_are_and_can_be_asked_for():
    shown = "\n".join(line[2:] for line in EXAMPLE.splitlines() if line.startswith("# "))
    asked = yaml.safe_load(shown)["faults"]
    assert set(asked) == set(FAULTS) == set(Faults.model_fields)
    assert Faults.model_validate(asked).clock_skew == Skew(rate=0.02, lasting="PT1H", by=("PT2M", "PT10M"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"dropuot": {"rate": 0.1}}, "dropuot\n.*Extra inputs"),
        ({"dropout": {}}, "dropout.rate\n.*Field required"),
        ({"duplicate": {"rate": 1.1}}, "less than or equal to 1"),
        ({"stuck": {"rate": 0.1, "lasting": "PT0S"}}, "greater than 0"),
        ({"clock_skew": {"rate": 0.1, "by": []}}, "at least 1 item"),
        ({"malformed": {"rate": 0.1, "kinds": ["eaten"]}}, "'truncated', 'wrong_type'"),
    ],
)
def test_a_mistake_in_faults_is_named(asked, said):
    with pytest.raises(ValidationError, match=said):
        Faults.model_validate(asked)


# --- what the feed makes of them


def test_without_faults_the_bytes_are_as_they_always_were():
    found = emptied(Feed("in/a/g", CITY, CITY.sensors[:40], [], position_ns=NOW - HOUR), NOW)
    lines = b"".join(topic.encode() + b" " + payload + b"\n" for topic, payload, _ in found)
    assert hashlib.sha256(lines).hexdigest() == "1298fc0858c283b20e12c5840530acbd9297eec42c293fbf9fb2fe89d2fd7a56"


def test_faults_that_are_asked_for_and_do_not_come_change_no_byte():
    plain = Feed("in/a/g", CITY, CITY.sensors, [], position_ns=NOW - HOUR)
    spared = Feed("in/a/g", CITY, CITY.sensors, [], position_ns=NOW - HOUR, faulty=faulty({}))
    assert emptied(spared, NOW) == emptied(plain, NOW)
    assert spared.verdicts.total() == spared.verdicts["good"] > 0
    assert not plain.verdicts


@settings(max_examples=10, deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=6))
def test_however_it_is_asked_a_feed_hands_out_what_leaves_and_counts_it(waits_s):
    watched = [BY_ID["pm25-1"], BY_ID["gate-1"]]
    feed = Feed("in/o/g", CITY, watched, [], position_ns=NOW, faulty=faulty(EVERY))
    now, messages = NOW, []
    for wait in waits_s:
        now += wait * SECOND
        messages += emptied(feed, now)
    left = [one for s in watched for one in faulty(EVERY).departures(s, NOW, now) if one.at_ns < now]
    sent = [one for one in left if one.text is not None]
    assert sum(records for _, _, records in messages) == len(sent) == feed.verdicts.total()
    assert feed.faults == {fault: sum(fault in one.faults for one in left) for fault in FAULTS}
    alone = sorted(payload.decode() for _, payload, _ in messages if not _is_whole(payload))
    assert alone == sorted(str(one.text) for one in sent if one.broken in ("truncated", "not_a_number"))
    whole = [(topic, json.dumps(one)) for topic, payload, _ in messages if _is_whole(payload) for one in _pack(payload)]
    assert sorted(whole) == sorted((f"in/o/g/{o.datastream}", json.dumps(record(o))) for o in sent if _is_whole(o.text))


def test_a_recording_is_played_as_it_is_and_counted():
    recorded = [Record(number * SECOND, NOW + number * SECOND, number) for number in range(100)]
    tape = Tape("old", lambda: iter(recorded), started_ns=NOW, speed=1.0, keep_times=True, loop=False)
    feed = Feed("in/o/g", CITY, [], [tape], position_ns=NOW, faulty=faulty({"malformed": {"rate": 1}}))
    said = [one["value"] for _, payload, _ in emptied(feed, NOW + HOUR) for one in _pack(payload)]
    assert said == list(range(100))
    assert feed.verdicts == {"good": 100, "duplicate": 0, "refused": 0}


def test_what_costs_a_whole_message_is_sent_alone_and_a_pack_stays_small():
    feed = Feed("in/o/g", CITY, [BY_ID["gate-1"]], [], position_ns=NOW - 8 * HOUR, faulty=faulty(EVERY))
    messages = emptied(feed, NOW)
    assert max(records for _, _, records in messages) <= PACK
    alone = [(topic, n) for topic, payload, n in messages if topic.endswith("-unknown") or not _is_whole(payload)]
    assert {topic.rsplit("/", 1)[1] for topic, _ in alone} == {"gate-1", "gate-1-unknown"}
    assert {n for _, n in alone} == {1}


def _is_whole(payload: bytes | str | None) -> bool:
    try:
        json.loads(payload or "", parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _pack(payload: bytes) -> list[dict[str, Any]]:
    found = json.loads(payload)
    return found if isinstance(found, list) else [found]
