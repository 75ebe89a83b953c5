"""Frames that wait, and what owners are told: the pure parts of cameras."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.camera.plan import Order
from broker.camera.tally import Tally
from broker.camera.waiting import Frame, Waiting
from broker.privacy.profile import Blur


def order(name: str, every: int | None = None) -> Order:
    return Order(name, Blur("blur"), every, ())


def frame(name: str, arrived: int, data: bytes = b"frame") -> Frame:
    return Frame(name, arrived, data)


@given(st.lists(st.sampled_from("abc")))
def test_the_newest_of_each_camera_waits_and_no_camera_waits_longer_for_another_that_sends_more(
    names: list[str],
) -> None:
    waiting, newest = Waiting(), {}
    for arrived, name in enumerate(names):
        replaced = waiting.put(order(name), frame(name, arrived))
        assert (replaced.arrived if replaced else None) == newest.get(name)
        newest[name] = arrived
    taken = []
    while (turn := waiting.take()) is not None:
        taken.append((turn[0].topic, turn[1].arrived))
    assert taken == [(name, newest[name]) for name in dict.fromkeys(names)]


def test_a_frame_falls_in_the_interval_of_its_arrival() -> None:
    assert order("a", times.MINUTE).interval(119 * times.SECOND) == 1
    assert order("a").interval(119) == 119


def test_a_reason_is_told_at_once_and_then_once_a_minute_with_how_often_it_held() -> None:
    tally, begin = Tally(), 1_000 * times.SECOND
    tally.refused(frame("frame/o/g/d", begin), "corrupt", "no picture")
    (first,) = tally.entries(begin)
    assert [r.reason for r in first.refusals] == ["corrupt: no picture"]
    for second in range(1, 11):
        tally.refused(frame("frame/o/g/d", begin + second * times.SECOND), "corrupt", "no picture")
    assert tally.entries(begin + 30 * times.SECOND) == []
    (again,) = tally.entries(begin + 60 * times.SECOND)
    assert again.refusals[0].reason == "corrupt: no picture (10 times since it was last told)"
    assert tally.entries(begin + 180 * times.SECOND) == []


def test_of_a_refused_frame_size_and_hash_are_told_and_nothing_else() -> None:
    tally = Tally()
    tally.refused(frame("frame/o/g/d", times.HOUR, b"a face"), "corrupt", "no picture")
    (entry,) = tally.entries(times.HOUR)
    assert set(json.loads(entry.payload)) == {"bytes", "sha256"}
    assert json.loads(entry.payload)["bytes"] == 6
    assert len(json.loads(entry.payload)["sha256"]) == 64
    assert b"face" not in entry.payload


def test_frames_that_are_taken_are_told_by_time_and_size() -> None:
    tally = Tally()
    tally.took(frame("frame/o/g/d", 5, b"12345"))
    tally.took(frame("frame/o/g/d", 6, b"1"))
    (entry,) = tally.entries(10)
    assert [(p.time, p.value) for p in entry.points] == [(5, 5), (6, 1)]
    assert tally.entries(11) == []
