"""What `mitoyen gateway` makes of a message, and what the broker reads of what it sends: the same, each with a time."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.entry import Refusal
from broker.place import Place
from broker.reading import About, Custom, Reading, TagRead, Understood
from gateways import formats, relayed
from gateways.agent.understanding import Understanding, own_record, relayed_records

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
moments = st.integers(times.EARLIEST, times.LATEST - 1)
values = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts
readings = st.builds(Reading, texts, texts, values, moments, st.none() | texts, st.booleans())
tags = st.builds(
    TagRead,
    texts,
    st.integers(0, 2**96 - 1).map(lambda bits: f"urn:epc:raw:96.x{bits:024X}"),
    moments,
    st.none() | texts,
    st.none() | st.integers(0, 65_535),
    st.none() | st.floats(-90, 0),
)
abouts = st.builds(
    About,
    texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | st.just(Place(4.8, 45.7)) | st.just(Place(-180.0, 90.0)),
)
ARRIVED = times.parse("2026-11-22T20:00:00Z")


@given(st.lists(readings | tags | abouts, min_size=1, max_size=8))
def test_what_is_sent_is_read_as_it_was_understood(items: list[Reading | TagRead | About]) -> None:
    payload = b"[" + b",".join(map(relayed.record, items)) + b"]"
    read = relayed.reader(Custom())("", payload, 0)
    assert list(read.items) == [item for item in items if not isinstance(item, About)]
    assert list(read.about) == [item for item in items if isinstance(item, About)]


@pytest.mark.parametrize(
    "record",
    [
        "7",
        '{"device": "a"}',
        '{"device": "a", "property": "t", "value": 1}',
        '{"device": "a", "property": "t", "time": "yesterday", "value": 1}',
        '{"device": "a", "property": "t", "time": "2026-11-22T20:00:00Z"}',
        '{"device": "a", "epc": "nothing", "time": "2026-11-22T20:00:00Z"}',
        '{"device": "a", "property": "t", "time": "2026-11-22T20:00:00Z", "value": 1, "volume": 2}',
    ],
)
def test_a_record_that_is_none_is_refused_in_its_place(record: str) -> None:
    good = relayed.record(Reading("d", "t", 1, ARRIVED)).decode()
    read = relayed.reader(Custom())("", f"[{good}, {record}, {good}]".encode(), 0)
    assert [type(item) for item in read.items] == [Reading, Refusal, Reading]
    assert read.items[1].index == 1  # type: ignore[union-attr]  # as the line before says


def test_two_messages_of_one_moment_get_two_times() -> None:
    understanding = Understanding(formats.make("json", Custom()))
    read = [understanding.message("d", b'[{"value": 1}, {"value": 2}]', ARRIVED, retained=False) for _ in range(2)]
    assert [item.time for one in read for item in one.items] == [ARRIVED, ARRIVED + 1, ARRIVED + 2, ARRIVED + 3]


def test_what_was_retained_counts_only_with_a_time_of_its_own() -> None:
    understanding = Understanding(formats.make("json", Custom()))
    read = understanding.message(
        "d", b'[{"value": 1}, {"time": "2026-01-01T00:00:00Z", "value": 2}, {"valu": 3}]', ARRIVED, retained=True
    )
    assert ([item.value for item in read.items if isinstance(item, Reading)], read.undated) == ([2], 1)
    assert len(read.refused) == 1


def test_what_a_device_tells_of_itself_is_sent_when_it_changes() -> None:
    understanding = Understanding(None)
    told = [About("d", "one"), About("d", "one"), About("d", "two")]
    news = [relayed_records(understanding.understood(Understood((), [one]), ARRIVED)) for one in told]
    assert [len(one) for one in news] == [1, 0, 1]


@given(readings | tags)
def test_in_mitoyens_own_json_nothing_is_changed(item: Reading | TagRead) -> None:
    record = own_record(item)
    (read,) = formats.make("json", Custom()).understand("property", record, 0).items
    told = {"device": "", "property": "property", "unit": None, "unit_known": True}
    expected = {name: told.get(name, value) for name, value in msgspec.structs.asdict(item).items()}
    assert not isinstance(read, Refusal)
    assert msgspec.structs.asdict(read) == expected
    assert json.loads(record)["time"] == times.text(item.time or 0)
