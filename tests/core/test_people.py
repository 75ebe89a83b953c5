"""People with tags: what is read follows from seed and time alone, and looks like lives."""

from __future__ import annotations

import numpy as np
from epcpy import epc_pure_identity_to_tag_encodable
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.times import DAY, HOUR, parse
from simulators import chance
from simulators.people import NOBODY, Population

MONDAY = parse("2026-11-23T00:00:00+01:00")
TOWN = Population(7, 300, read_points=40, visitors=20, things=30)
WEEK = TOWN.reads(MONDAY, MONDAY + 7 * DAY)


def test_many_draws_at_once_are_those_that_one_by_one_would_be():
    which = np.arange(50)
    assert chance.draws(7, which, -3).tolist() == [chance.draw(7, int(n), -3) for n in which]
    assert chance.uniforms(which).tolist() == [chance.uniform(int(n)) for n in which]
    assert np.allclose(chance.normals(which, 4), [chance.normal(int(n), 4) for n in which])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 3 * DAY), st.integers(0, DAY), st.integers(0, DAY))
def test_a_span_cut_in_two_has_the_reads_of_the_whole(start, first, second):
    begin, middle, end = MONDAY + start, MONDAY + start + first, MONDAY + start + first + second
    parts = zip(TOWN.reads(begin, middle), TOWN.reads(middle, end), strict=True)
    whole = Population(7, 300, read_points=40, visitors=20, things=30).reads(begin, end)
    assert all(np.array_equal(np.concatenate(part), column) for part, column in zip(parts, whole, strict=True))
    assert np.all(np.diff(whole.time) >= 0)


def test_every_tag_is_another_valid_epc():
    tags = np.unique(WEEK.tag).tolist()
    epcs = [TOWN.epc(tag) for tag in tags]
    assert len(set(epcs)) == len(tags)
    assert all(epc_pure_identity_to_tag_encodable(epc).epc_uri == epc for epc in epcs)


def test_a_resident_is_seen_with_the_own_bicycle_and_at_two_ends_of_the_way_to_work():
    person = TOWN.person_of(WEEK.tag)
    bicycles = np.unique(WEEK.tag[(WEEK.tag >= 300) & (WEEK.tag < 600)])
    assert len(bicycles)
    assert np.array_equal(np.unique(TOWN.person_of(bicycles)), bicycles - 300)
    assert TOWN.cyclists[bicycles - 300].all()
    assert len(np.unique(person[(person >= 0) & (person < 300)])) > 270


def test_things_of_the_city_stand_still_and_belong_to_nobody():
    things = WEEK.where(TOWN.is_thing(WEEK.tag))
    assert len(np.unique(things.tag)) == 30
    assert len(np.unique(np.column_stack((things.tag, things.read_point)), axis=0)) == 30
    assert set(TOWN.person_of(things.tag).tolist()) == {NOBODY}


def test_visitors_come_for_a_day():
    visitors = WEEK.where((WEEK.tag >= 600) & ~TOWN.is_thing(WEEK.tag))
    for tag in np.unique(visitors.tag).tolist():
        seen = visitors.time[visitors.tag == tag]
        assert np.ptp(seen) < 16 * HOUR


def test_people_sleep_at_night_and_rush_in_the_morning():
    people = WEEK.where(~TOWN.is_thing(WEEK.tag))
    hour = (people.time - MONDAY) // HOUR % 24
    by_hour = np.bincount(hour, minlength=24)
    assert by_hour[2:5].sum() < 0.01 * by_hour.sum()
    assert by_hour[8] > 2 * by_hour[6]


def test_habits_make_one_monday_like_the_next():
    """The same person passes the same readers: what a pseudonym alone does not hide."""
    week_on = TOWN.reads(MONDAY + 7 * DAY, MONDAY + 8 * DAY)
    shared = []
    for tag in range(300):
        one = set(WEEK.read_point[(WEEK.tag == tag) & (WEEK.time < MONDAY + DAY)].tolist())
        other = set(week_on.read_point[week_on.tag == tag].tolist())
        if one and other:
            shared.append(len(one & other) / len(one | other))
    assert np.mean(shared) > 0.4


def test_a_read_is_a_record_of_the_mqtt_interface():
    record = next(TOWN.payloads(WEEK.where(np.arange(1))))
    assert set(record) == {"time", "epc", "read_point", "antenna", "rssi"}
    assert parse(str(record["time"])) == int(WEEK.time[0])
    assert record["read_point"] in {point.urn for point in TOWN.read_points}
