"""A live message says all that a released point is: it is taken apart again into the same one."""

from __future__ import annotations

import msgspec
import pytest

from broker import message, times
from broker.message import Form
from broker.points import Point, tag_key

AT = times.parse("2026-11-22T20:00:00.000000001Z")
MEASURED = Form(b'{"datastream":"d","time":"', b'","value":', b',"unit":"Cel"')
OF_CELLS = Form(b'{"time":"', b'","value":', b',"unit":"1"')
OF_TAGS = Form(b'{"datastream":"d","time":"', b'","tag":', b"")
WINDOW = msgspec.json.encode({"until": "2026-11-22T20:05:00Z", "statistics": {"mean": 1.5}}).decode()
CELL = msgspec.json.encode({"until": "2026-11-22T20:05:00Z", "cell": "881f9", "location": {"type": "Point"}}).decode()
READ = msgspec.json.encode({"read_point": "gate", "antenna": 0}).decode()


@pytest.mark.parametrize(
    ("form", "point"),
    [
        *((MEASURED, Point(AT, value)) for value in (True, 0, -0.0, 1e300, "open", 2**62)),
        (MEASURED, Point(AT, 1.5, "", WINDOW)),
        (OF_CELLS, Point(AT, 7, "881f9", CELL)),
        (OF_TAGS, Point(AT, "urn:epc:id:x", tag_key("urn:epc:id:x", "gate", 0), READ)),
        (OF_TAGS, Point(AT, "a1", tag_key("a1", None, None))),
    ],
)
def test_a_message_is_the_point_that_it_was_made_of(form: Form, point: Point) -> None:
    found = message.point(form.message(point))
    assert found == point
    assert type(found.value) is type(point.value)


def test_a_pack_is_as_many_messages() -> None:
    points = [Point(AT + n, n) for n in range(3)]
    assert [message.point(one) for one in message.split(MEASURED.messages(points))] == points
    assert message.split(MEASURED.messages(points[:1])) == [MEASURED.message(points[0])]
