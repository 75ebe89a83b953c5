"""What comes in as Mitoyen's own JSON: understood to the last digit, or refused with a reason, never lost."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.entry import Refusal
from broker.model import Datastream, Kind, OrganisationId
from broker.points import Point
from broker.validate import LARGEST_PACK, LONGEST_TEXT, validate
from gateways.canonical import decode

ARRIVED = times.parse("2026-11-22T20:00:00Z")
AHEAD = 5 * times.MINUTE
PLAIN = Datastream(OrganisationId("o"), "d", "g", "measurement")
IN_UNITS = Datastream(OrganisationId("o"), "d", "g", "measurement", unit="Cel")
TAGS = Datastream(OrganisationId("o"), "d", "g", "rfid")
NOW = '"time": "2026-11-22T20:00:00Z"'
values = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
)


def take(payload: bytes | str, datastream: Datastream = PLAIN) -> tuple[list[Point], list[Refusal]]:
    raw = payload if isinstance(payload, bytes) else payload.encode()
    return validate(decode(raw, datastream.kind, ARRIVED), datastream, ARRIVED, AHEAD)


@given(values)
def test_no_value_is_changed(value: bool | float | str) -> None:
    (point,), refusals = take(json.dumps({"time": "2026-11-22T20:00:00.000000001Z", "value": value}))
    assert not refusals
    assert type(point.value) is type(value)
    assert repr(point.value) == repr(value)
    assert point.time == ARRIVED + 1


@pytest.mark.parametrize(
    "text", ["-0.0", "5e-324", "9007199254740993", "1.7976931348623157e308", "-9223372036854775808"]
)
def test_the_edges_of_numbers_survive(text: str) -> None:
    (point,), _ = take(f'{{{NOW}, "value": {text}}}')
    assert repr(point.value) == text.replace("e308", "e+308")


@given(
    st.lists(
        st.sampled_from(['{"value": 1}', '{"value": NaN}', f'{{{NOW}, "value": 2}}', '{"valu": 1}', "7", "null"]),
        min_size=1,
        max_size=20,
    )
)
def test_each_record_of_a_pack_is_taken_or_refused_in_its_place(records: list[str]) -> None:
    good = {'{"value": 1}', f'{{{NOW}, "value": 2}}'}
    if '{"value": NaN}' in records:
        assert take(f"[{','.join(records)}]")[1], "NaN is no JSON"
        return
    points, refusals = take(f"[{','.join(records)}]")
    assert [r.index for r in refusals] == [i for i, record in enumerate(records) if record not in good]
    assert len(points) + len(refusals) == len(records)


def test_records_of_a_pack_without_times_do_not_hide_one_another() -> None:
    points, _ = take('[{"value": 1}, {"value": 1}, {"value": 2}]')
    assert [point.time for point in points] == [ARRIVED, ARRIVED + 1, ARRIVED + 2]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "empty"),
        ("{}", "value"),
        ('{"value": null}', "null"),
        ('{"value": [1]}', "array"),
        ('{"value": 1, "tiem": "2026"}', "tiem"),
        ('{"value": 1e999}', "finite|range"),
        ('{"value": 9223372036854775808}', "64 bits"),
        ('{"time": "yesterday", "value": 1}', "RFC 3339"),
        ('{"time": "2026-11-22T20:05:00.000000001Z", "value": 1}', "future"),
        ('{"time": 1795377600, "value": 1}', "str"),
        ('{"value": "\\u0000"}', "NUL"),
        ('{"value": "\\ud800"}', "surrogate|JSON"),
        (json.dumps({"value": "x" * (LONGEST_TEXT + 1)}), "at most"),
        (b"\xff\xfe", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (json.dumps([{"value": 1}] * (LARGEST_PACK + 1)), "at most"),
    ],
)
def test_what_is_not_as_the_interface_says_is_refused_with_the_reason(payload: bytes | str, reason: str) -> None:
    points, refusals = take(payload)
    assert not points
    with pytest.raises(ValueError, match=reason):
        raise ValueError(refusals[0].reason)


def test_a_time_five_minutes_ahead_is_just_taken() -> None:
    points, _ = take('{"time": "2026-11-22T20:05:00Z", "value": 1}')
    assert points[0].time == ARRIVED + AHEAD


@pytest.mark.parametrize("value", ['"21"', "true", "false"])
def test_a_datastream_with_a_unit_takes_numbers_only(value: str) -> None:
    assert "expected a number" in take(f'{{"value": {value}}}', IN_UNITS)[1][0].reason
    assert not take(f'{{"value": {value}}}', PLAIN)[1]


def test_senml_of_one_name_is_taken() -> None:
    points, refusals = take(
        '[{"bn": "box/t", "u": "Cel", "bt": 1795377590, "v": 20.5}, {"v": 21.5, "t": 5, "u": "Cel"}]', IN_UNITS
    )
    assert not refusals
    assert points == [Point(ARRIVED - 10 * times.SECOND, 20.5), Point(ARRIVED - 5 * times.SECOND, 21.5)]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ('[{"n": "t", "u": "K", "v": 1}]', "in Cel"),
        ('[{"n": "t", "v": 1}, {"n": "u", "v": 1}]', "several names"),
        ('[{"n": "t", "v": "x"}]', "SenML"),
    ],
)
def test_senml_of_another_unit_or_of_several_names_is_refused(pack: str, reason: str) -> None:
    points, refusals = take(pack, IN_UNITS)
    assert not points
    assert reason in refusals[0].reason


@given(st.binary(max_size=200), st.sampled_from(["measurement", "rfid"]))
def test_no_bytes_do_worse_than_being_refused(payload: bytes, kind: Kind) -> None:
    points, refusals = take(payload, TAGS if kind == "rfid" else PLAIN)
    assert points or refusals


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["time", "value", "epc", "antenna", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_no_json_does_worse_than_being_refused(found: object) -> None:
    for datastream in (PLAIN, TAGS):
        points, refusals = take(json.dumps(found), datastream)
        assert points or refusals
        assert all(math.isfinite(p.value) for p in points if isinstance(p.value, float))


@pytest.mark.parametrize(
    ("epc", "uri"),
    [
        ("urn:epc:id:sgtin:0614141.812345.6789", "urn:epc:id:sgtin:0614141.812345.6789"),
        ("3034257BF7194E4000001A85", "urn:epc:id:sgtin:0614141.812345.6789"),
        ("3034257bf7194e4000001a85", "urn:epc:id:sgtin:0614141.812345.6789"),
    ],
)  # GS1's own example of an SGTIN-96, in all its spellings
def test_a_tag_is_one_whatever_its_spelling(epc: str, uri: str) -> None:
    (point,), refusals = take(json.dumps({"epc": epc, "antenna": 2, "rssi": -61.5, "read_point": "gate"}), TAGS)
    assert not refusals
    assert (point.value, point.key) == (uri, f"{uri}|gate|2")
    assert json.loads(point.extra) == {"read_point": "gate", "antenna": 2, "rssi": -61.5}


@pytest.mark.parametrize(
    "record",
    [
        {"epc": ""},
        {"epc": "xyz"},
        {"value": 1},
        {"epc": "303", "antenna": -1},
        {"epc": "3034257BF7194E4000001A85", "antenna": 65_536},
        {"epc": "3034257BF7194E4000001A85", "read_point": ""},
    ],
)
def test_what_is_no_tag_read_is_refused(record: dict[str, object]) -> None:
    points, refusals = take(json.dumps(record), TAGS)
    assert not points
    assert refusals
