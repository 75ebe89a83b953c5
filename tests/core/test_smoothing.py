"""Reads of a tag become three events, each told once however they come and whoever begins again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api import epcis
from broker import times
from broker.entry import Entry
from broker.journal.protocol import Beside
from broker.journal.sqlite import SqliteJournal
from broker.licence import Terms
from broker.points import tag_point
from broker.reading import TagRead
from broker.sightings import Sightings
from broker.smoothing import ARRIVED, GONE, STILL_THERE, Smoothing
from gateways.agent.there import There
from gateways.agent.understanding import Item

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


SECOND = times.SECOND
WINDOW = 10 * SECOND
TOPIC = "in/o/g/d"


def reads(*at: int) -> list[TagRead]:
    return [TagRead("r", "urn:epc:id:x", second * SECOND, "gate") for second in at]


def steps(events: Sequence[TagRead]) -> list[tuple[str | None, int]]:
    return [(event.biz_step, (event.time or 0) // SECOND) for event in events]


def told(at: Sequence[int], now: int) -> list[tuple[str | None, int]]:
    smoothing = Smoothing(WINDOW)
    events = [event for second in at for event in smoothing.see(reads(second), second * SECOND)]
    return steps(events + smoothing.left(now * SECOND))


def test_a_tag_arrives_stays_and_goes_at_its_last_sight() -> None:
    assert told([0, 1, 2, 9, 12, 20], 21) == [(ARRIVED, 0), (STILL_THERE, 12)]
    assert told([0, 3], 14) == [(ARRIVED, 0), (GONE, 3)]
    assert told([0, 30], 31) == [(ARRIVED, 0), (GONE, 0), (ARRIVED, 30)]


def test_a_late_read_changes_nothing() -> None:
    assert told([5, 1], 6) == [(ARRIVED, 5)]


def test_reads_that_come_all_at_once_after_an_outage_tell_what_they_would_have_told() -> None:
    late = 1_000 * SECOND
    smoothing = Smoothing(WINDOW)
    assert steps(smoothing.see(reads(*range(9), *range(40, 49)), late)) == [(ARRIVED, 0), (GONE, 8), (ARRIVED, 40)]
    assert not smoothing.left(late + WINDOW)
    assert steps(smoothing.left(late + WINDOW + 1)) == [(GONE, 48)]


def test_tags_antennas_readers_and_read_points_are_told_apart_and_an_event_is_left_as_it_is() -> None:
    others = [
        TagRead("r", "urn:epc:id:x", 0, antenna=1),
        TagRead("r", "urn:epc:id:x", 0, antenna=2),
        TagRead("s", "urn:epc:id:x", 0, antenna=1),
        TagRead("r", "urn:epc:id:y", 0, antenna=1),
        TagRead("r", "urn:epc:id:x", 0, "gate", antenna=1),
        TagRead("r", "urn:epc:id:z", 0, "gate", biz_step="shipping"),
    ]
    events = Smoothing(WINDOW).see([*others, TagRead("r", "urn:epc:id:x", 1, "gate", antenna=2)], 1)
    assert [event.biz_step for event in events] == [ARRIVED] * 5 + ["shipping"]


@given(st.lists(st.integers(0, 200), max_size=40), st.lists(st.integers(1, 40), max_size=10))
def test_what_is_told_is_the_same_however_reads_are_cut_and_whoever_begins_again(
    at: list[int], cuts: list[int]
) -> None:
    at = sorted(at)
    expected = told(at, 1_000)
    assert in_pieces(at, list(cuts), again=False) == in_pieces(at, list(cuts), again=True) == expected
    ends = [step for step, _ in expected if step != STILL_THERE]
    assert ends == [ARRIVED, GONE] * (len(ends) // 2)
    assert bool(ends) == bool(at)


def in_pieces(at: list[int], cuts: list[int], *, again: bool) -> list[tuple[str | None, int]]:
    left, events, kept = reads(*at), list[Item](), dict[str, str]()
    source = There("s", WINDOW, {}, 0)
    while left:
        size = cuts.pop() if cuts else len(left)
        batch, left = left[:size], left[size:]
        now = batch[-1].time or 0
        events += source.passed(batch, now)
        kept.update(source.places())
        if again:
            source = There("s", WINDOW, {name: at for name, at in kept.items() if at}, now)
    told = [*events, *source.due(1_000 * SECOND, ended=False)]
    return steps([one for one in told if isinstance(one, TagRead)])


def test_what_the_journal_keeps_of_the_tags_that_are_there_outlives_a_crash_and_not_its_datastream(
    tmp_path: Path,
) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", limit_bytes=1 << 20)
    point = tag_point(5, "urn:epc:id:sgtin:1.2.3", antenna=1, rssi=-60.0)

    def began() -> Sightings:
        return Sightings(journal)

    first = began()
    (arrived,) = first.events(TOPIC, WINDOW, [point], 5)
    assert msgspec.json.decode(arrived.extra) == {"antenna": 1, "biz_step": ARRIVED}
    assert began().events(TOPIC, WINDOW, [point], 5) == [arrived], "what was not journalled comes once more"
    journal.append([Entry(TOPIC, 5, [arrived])], Beside({}, {}, first.handed_over()), lambda _: None)
    assert not began().events(TOPIC, WINDOW, [point], 5)
    ((topic, (gone,)),) = began().departures({TOPIC: WINDOW}, times.LATEST)
    assert (topic, gone.time, gone.key) == (TOPIC, 5, f"{point.value}||1/{GONE}")
    assert not list(began().departures({}, times.LATEST))
    assert not journal.sights(0)
    journal.close()


def test_a_tag_read_is_an_event_of_epcis() -> None:
    said = {"time": "1970-01-01T00:00:00Z", "epc": "urn:epc:id:x", "read_point": "the gate", "biz_step": ARRIVED}
    assert epcis.event(said) == {
        "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "arriving", "epcList": ["urn:epc:id:x"],
        "eventTime": "1970-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00", "readPoint": {"id": "urn:x-mitoyen:read-point:the%20gate"},
    }  # fmt: skip
    named = epcis.event({"time": "1970-01-01T00:00:00Z", "tag": "00ff"})
    assert named["epcList"] == ["urn:x-mitoyen:tag:00ff"]
    assert "bizStep" not in named
    assert epcis.document(Terms(licence="CC-BY-4.0", attribution="A", purposes=("any",)), 0)["type"] == "EPCISDocument"
