"""MJPEG: pictures come out as they went in, however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.agent.sources.mjpeg import Parts, boundary

pictures = st.lists(st.binary(min_size=1, max_size=60).map(lambda body: b"\xff\xd8\xff" + body), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("content_type", "between"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"--frame"),
        ('Multipart/X-Mixed-Replace;charset=x; boundary="--frame"', b"--frame"),
        ("image/jpeg", None),
        ("", None),
    ],
)
def test_what_stands_between_the_pictures_is_in_the_content_type(content_type: str, between: bytes | None) -> None:
    assert boundary(content_type) == between


@given(pictures, st.integers(1, 50))
def test_pictures_with_a_length_come_out_whole(sent: list[bytes], step: int) -> None:
    stream = b"".join(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(one), one) for one in sent
    )
    parts = Parts(b"--frame", 1_000)
    assert [part for at in range(0, len(stream), step) for part in parts.feed(stream[at : at + step])] == sent


@given(pictures, st.integers(1, 50))
def test_pictures_without_a_length_end_where_the_next_begins(sent: list[bytes], step: int) -> None:
    sent = [one.replace(b"\r\n", b"  ").rstrip(b"\r") for one in sent]
    stream = b"".join(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n" % one for one in sent) + b"--frame"
    parts = Parts(b"--frame", 1_000)
    assert [part for at in range(0, len(stream), step) for part in parts.feed(stream[at : at + step])] == sent


def test_a_stream_without_an_end_of_its_picture_is_none() -> None:
    parts = Parts(b"--frame", 1_000)
    with pytest.raises(ValueError, match="longer than 1000"):
        parts.feed(b"--frame\r\n\r\n" + b"x" * 6_000)
