"""The feed of a gateway: everything that is due, once, in packs that the interface takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.times import DAY, MINUTE, SECOND, parse
from simulators.city import City
from simulators.encoders.own import PACK
from simulators.feed import Clock, Feed, Tape
from simulators.recording import Record

NOW = parse("2026-11-23T08:00:00Z")
CITY = City(7)
PREFIX = "in/air-agency/air-1"
AIR = [sensor for sensor in CITY.sensors if sensor.gateway == "air-1"]
PACE = (0, 5 * MINUTE, 10 * MINUTE)


def tape(*, speed=1.0, keep_times=False, loop=False, offsets=PACE):
    recorded = parse("2015-01-01T00:00:00Z")
    played = [Record(offset, recorded + offset, number) for number, offset in enumerate(offsets)]
    return Tape("old", lambda: iter(played), started_ns=NOW, speed=speed, keep_times=keep_times, loop=loop)


def times(payloads):
    return [parse(payload["time"]) for payload in payloads]


def emptied(feed, now):
    found = []
    while feed.behind(now, now):
        found += feed.due(now, now)
    return found


def records(messages):
    found = []
    for message in messages:
        body = json.loads(message.payload)
        found += [(message.topic, record) for record in (body if isinstance(body, list) else [body])]
    return found


@settings(max_examples=30, deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=8))
def test_whenever_it_is_asked_each_reading_is_handed_out_once_and_none_is_skipped(waits_s):
    feed = Feed(PREFIX, CITY, AIR[:2], [], position_ns=NOW)
    now, found = NOW, []
    for wait in waits_s:
        now += wait * SECOND
        found += records(emptied(feed, now))
    expected = [(f"{PREFIX}/{s.id}", r) for s in AIR[:2] for r in CITY.readings(s, NOW, now)]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert feed.position_ns == now


def test_a_datastreams_readings_stay_in_order():
    feed = Feed(PREFIX, CITY, AIR[:1], [], position_ns=NOW - DAY)
    found = [times([record])[0] for topic, record in records(emptied(feed, NOW)) if topic.endswith("/pm25-1")]
    assert found == sorted(found)
    assert len(found) == 1_440


def test_one_reading_is_an_object_and_several_are_an_array():
    feed = Feed(PREFIX, CITY, AIR[:1], [], position_ns=NOW)
    (single,) = feed.due(NOW + MINUTE, NOW)
    (several,) = feed.due(NOW + 4 * MINUTE, NOW)
    assert (single.topic, single.records, several.records) == (f"{PREFIX}/{AIR[0].id}", 1, 3)
    assert isinstance(json.loads(single.payload), dict)
    assert isinstance(json.loads(several.payload), list)


def test_a_pack_has_fifty_records_at_most():
    steps = tuple(range(0, 120 * SECOND, SECOND))
    feed = Feed(PREFIX, CITY, [], [tape(offsets=steps)], position_ns=NOW)
    assert [message.records for message in feed.due(NOW, NOW + DAY)] == [PACK, PACK, 20]


def test_a_long_absence_is_made_up_for_in_slices():
    feed = Feed(PREFIX, CITY, AIR, [], position_ns=NOW - DAY)
    first = feed.due(NOW, NOW)
    assert sum(message.records for message in first) <= 10 * len(AIR)
    assert feed.behind(NOW, NOW)


def test_a_recording_is_stamped_with_the_moments_at_which_it_is_due():
    player = tape(speed=60.0)
    assert times(player.due(NOW + 1)) == [NOW]
    assert player.due(NOW + 5 * SECOND) == []
    assert times(player.due(NOW + DAY)) == [NOW + 5 * SECOND, NOW + 10 * SECOND]
    assert player.ended


def test_a_recording_that_keeps_its_times_sends_them_at_the_pace_of_play():
    player = tape(speed=60.0, keep_times=True)
    assert times(player.due(NOW + 6 * SECOND)) == [
        parse("2015-01-01T00:00:00Z"),
        parse("2015-01-01T00:05:00Z"),
    ]
    assert not player.ended


def test_a_recording_begins_again_one_step_after_its_end():
    player = tape(loop=True)
    found = player.due(NOW + 30 * MINUTE)
    assert [record["value"] for record in found] == [0, 1, 2, 0, 1, 2]
    assert times(found) == [NOW + step * 5 * MINUTE for step in range(6)]
    assert not player.ended


def test_a_recording_of_one_record_repeats_it_every_minute():
    found = tape(loop=True, offsets=(0,)).due(NOW + 150 * SECOND)
    assert times(found) == [NOW, NOW + MINUTE, NOW + 2 * MINUTE]


def test_two_records_of_one_moment_do_not_replace_one_another():
    found = times(tape(offsets=(0, 0, 0)).due(NOW + 1))
    assert len(set(found)) == 3


def test_a_feed_of_recordings_ends_with_them_and_a_city_never_does():
    feed = Feed(PREFIX, CITY, [], [tape()], position_ns=NOW)
    assert not feed.ended
    feed.due(NOW + DAY, NOW + DAY)
    assert feed.ended
    assert not Feed(PREFIX, CITY, AIR, [], position_ns=NOW).ended


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0])
def test_the_citys_clock_runs_at_its_speed_and_never_ahead_of_the_present(speed):
    clock = Clock(started_ns=NOW, origin_ns=NOW - DAY, speed=speed)
    assert clock.simulated(NOW) == NOW - DAY
    assert clock.simulated(NOW + 60 * SECOND) == NOW - DAY + int(60 * speed) * SECOND
    assert clock.simulated(NOW + 10 * DAY) <= NOW + 10 * DAY


def test_the_citys_clock_goes_with_real_time_once_it_has_caught_up():
    clock = Clock(started_ns=NOW, origin_ns=NOW - DAY, speed=60.0)
    assert clock.simulated(NOW + 25 * MINUTE) == NOW + 25 * MINUTE
