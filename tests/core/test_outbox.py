"""The outbox: nothing lost, nothing doubled, never more than it may hold, and what it drops is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import Unavailable
from gateways.agent.outbox import Outbox
from gateways.agent.parcel import MOST_BYTES, MOST_RECORDS, Held, Parcel, Weight, make_room, messages, parcels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateways.agent.parcel import Message

records = st.lists(st.integers(1, MOST_BYTES).map(lambda size: b'"' + b"x" * size + b'"'), max_size=8) | st.lists(
    st.integers(0, 99).map(lambda value: b"%d" % value), max_size=3_000
)
kept = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 400)), max_size=20)


def whole(number: int, size: int = 1 << 20) -> Parcel:
    return Parcel("d", 1, (b"%d" % number).rjust(size))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", limit_bytes=4 << 20, keep="newest")
    yield made
    made.close()


def every(outbox: Outbox) -> Iterator[Message]:
    after = 0
    while (message := outbox.next(after)) is not None:
        yield message
        after = message.last


@given(records)
def test_parcels_hold_every_record_that_fits_in_order_and_count_the_rest(given_: list[bytes]) -> None:
    made, too_large = parcels("d", given_)
    held = [record for parcel in made for record in json.loads(b"[" + parcel.body + b"]")]
    fitting = [json.loads(record) for record in given_ if len(record) + 2 <= MOST_BYTES]
    assert held == fitting
    assert too_large == len(given_) - len(fitting)
    assert all(parcel.records <= MOST_RECORDS and len(parcel.body) + 2 <= MOST_BYTES for parcel in made)


@given(kept)
def test_messages_carry_every_parcel_once_in_order_and_one_topic_each(of: list[tuple[str, int]]) -> None:
    held = [Held(n, Parcel(topic, count, b",".join([b"%d" % n] * count))) for n, (topic, count) in enumerate(of, 1)]
    packed = list(messages(held))
    assert [number for message in packed for number in range(message.first, message.last + 1)] == [h.id for h in held]
    for message in packed:
        carried = held[message.first - 1 : message.last]
        assert {one.parcel.topic for one in carried} == {message.topic}
        assert json.loads(message.payload) == [one.id for one in carried for _ in range(one.parcel.records)]
        assert message.records == sum(one.parcel.records for one in carried) <= MOST_RECORDS


@given(
    st.lists(st.integers(1, 50), max_size=10),
    st.integers(1, 60),
    st.integers(50, 200),
    st.sampled_from(["newest", "oldest"]),
)
def test_room_is_made_from_the_oldest_and_no_more_than_must(sizes: list[int], size: int, limit: int, keep: str) -> None:
    oldest = [Weight(n, 1, one) for n, one in enumerate(sizes)]
    used = sum(sizes)
    room = make_room(size, oldest, used, limit, keep)  # type: ignore[arg-type]  # one of the two
    after = used - sum(weight.size for weight in room.drop) + (size if room.takes else 0)
    assert room.drop == oldest[: len(room.drop)]
    assert room.takes == (used + size <= limit or (keep == "newest" and size <= limit))
    if room.takes:
        assert after <= limit
        assert not room.drop or after + room.drop[-1].size > limit
    else:
        assert not room.drop


def test_what_was_kept_is_there_after_a_restart_and_gone_after_its_receipt(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    first = Outbox(path, limit_bytes=1 << 20, keep="newest")
    first.put([Parcel("a", 2, b"1,2"), Parcel("a", 1, b"3"), Parcel("b", 1, b"4")], {"file": "1:10"}, {}, sent=0)
    first.close()
    second = Outbox(path, limit_bytes=1 << 20, keep="newest")
    assert second.places("file") == {"file": "1:10"}
    assert second.pending == 4
    assert [(m.topic, m.payload) for m in every(second)] == [("a", b"[1,2,3]"), ("b", b"[4]")]
    second.settle(next(every(second)), stored=2, rejected=1)
    assert [m.payload for m in every(second)] == [b"[4]"]
    assert second.pending == 1
    assert second.counts == {"kept": 4, "stored": 2, "rejected": 1}
    second.close()


def test_a_full_outbox_drops_the_oldest_that_is_not_on_its_way_and_counts_it(outbox: Outbox) -> None:
    dropped = [outbox.put([whole(n)], {}, {}, sent=1) for n in range(1, 7)]
    assert dropped == [0, 0, 0, 0, 1, 1]
    assert [message.first for message in every(outbox)] == [1, 4, 5, 6]
    assert outbox.counts == {"kept": 6, "dropped": 2}
    assert outbox.pending == 4


def test_a_full_outbox_that_keeps_the_oldest_refuses_what_is_new_and_counts_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=4 << 20, keep="oldest")
    assert [outbox.put([whole(n)], {}, {}, sent=0) for n in range(1, 7)] == [0, 0, 0, 0, 1, 1]
    assert [message.first for message in every(outbox)] == [1, 2, 3, 4]
    assert outbox.counts == {"kept": 4, "dropped": 2}
    outbox.close()


def test_an_outbox_belongs_to_one_process(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put([whole(1)], {}, {}, sent=0)
    with pytest.raises(Unavailable, match="does another gateway run on it"):
        Outbox(tmp_path / "outbox.db", limit_bytes=4 << 20, keep="newest")


def test_nobody_else_may_read_it(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put([whole(1)], {}, {}, sent=0)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
