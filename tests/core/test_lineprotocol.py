"""Line protocol and quoting, without a server; that a server reads the same is for the contract suite."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.points import Point, Row
from broker.store.lineprotocol import identifier, line, literal, point, tag, untag


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row("air/no2", Point(1, 21.5)), 'points,stream=air/no2 kind="f",value=21.5 1'),
        (Row("s", Point(-1, -0.0)), 'points,stream=s kind="f",value=-0.0 -1'),
        (Row("s", Point(1, 5e-324)), 'points,stream=s kind="f",value=5e-324 1'),
        (Row("s", Point(1, 2**53 + 1)), 'points,stream=s kind="i",integer=9007199254740993i 1'),
        (Row("s", Point(1, True)), 'points,stream=s kind="b",boolean=True 1'),
        (Row("s", Point(1, 'a"b\\')), r'points,stream=s kind="s",text="a\"b\\" 1'),
        (Row("s", Point(1, "")), 'points,stream=s kind="s",text="" 1'),
        (Row("s", Point(1, 1, "k")), 'points,key=k,stream=s kind="i",integer=1i 1'),
        (Row("a b,c=d", Point(1, 1)), r'points,stream=a\ b\,c\=d kind="i",integer=1i 1'),
        (Row("", Point(1, 1)), 'points kind="i",integer=1i 1'),
        (Row("s", Point(1, 1, "", '{"a":1}')), r'points,stream=s kind="i+",integer=1i,extra="{\"a\":1}" 1'),
    ],
)
def test_a_row_is_one_line(row: Row, expected: str) -> None:
    assert line(row) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_written_with_every_bit(number: float) -> None:
    written = line(Row("s", Point(1, number))).split("value=")[1].split()[0]
    assert struct.pack("d", float(written)) == struct.pack("d", number)


@given(st.text(), st.text())
def test_tags_can_be_undone_and_hold_nothing_that_a_parser_stumbles_over(left: str, right: str) -> None:
    assert untag(tag(left)) == left
    assert (tag(left) == tag(right)) == (left == right)
    assert tag(left).isprintable()
    assert "\\" not in tag(left)


def test_a_tag_that_people_can_read_stays_as_it_is() -> None:
    for text in ("urn:epc:id:sgtin:0614141.812345.6789", "forêt/arbre 7", "a,b=c"):
        assert tag(text) == text


@given(st.text(), st.text(), st.text(), st.text())
def test_neither_tag_nor_text_begins_another_line_or_field(stream: str, key: str, text: str, extra: str) -> None:
    head = line(Row(stream, Point(1, 1, key)))
    assert head.isprintable()
    assert len([part for part in head.replace("\\ ", "").split(" ") if part]) == 3
    body = (
        line(Row("s", Point(1, text, "", extra)))
        .removeprefix("points,stream=s ")
        .replace("\\\\", "")
        .replace('\\"', "")
    )
    assert body.count('"') == (6 if extra else 4)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((1, None, "f", 2.0, None, None, None, None), Point(1, 2.0)),
        ((1, "k%25", "i+", 2.0, 3, "old", True, "{}"), Point(1, 3, "k%", "{}")),
        ((1, None, "s", None, None, "", None, "old"), Point(1, "")),
        ((1, None, "b", None, None, None, False, None), Point(1, False)),
    ],
)
def test_kind_says_which_fields_of_a_result_count(found: tuple[object, ...], expected: Point) -> None:
    assert point(found) == expected
    assert type(point(found).value) is type(expected.value)


def test_a_result_that_was_not_written_here_is_an_error() -> None:
    for found in ((1, None, "f", None, 3, None, None, None), (1, None, "?", 1.0, 1, "", True, "")):
        with pytest.raises(ValueError, match="kind"):
            point(found)


def test_quotes_end_where_they_should() -> None:
    assert literal("o'brien\\\n") == r"'o\'brien\\\n'"
    assert identifier('a"b\\\n') == r'"a\"b\\\n"'
