"""What the outbox holds, how it is packed into messages, and what goes when there is no room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

MOST_RECORDS = 1_000
"""Of one message: small enough to be journalled in milliseconds, large enough that a week's backlog leaves in minutes."""
MOST_BYTES = 256 << 10
"""Of one message's payload: an eighth of what Mosquitto takes."""

Keep: TypeAlias = Literal["newest", "oldest"]
"""What stays when the outbox is full."""


class Parcel(NamedTuple):
    """Records that were kept together and go to one topic."""

    topic: str
    """What follows the gateway's own prefix."""
    records: int
    body: bytes
    """JSON objects, with commas between them."""


class Held(NamedTuple):
    """A parcel in the outbox."""

    id: int
    """Grows with each that is kept."""
    parcel: Parcel


class Message(NamedTuple):
    """One publish: the parcels from `first` to `last`."""

    first: int
    last: int
    topic: str
    records: int
    payload: bytes
    """A JSON array."""


class Weight(NamedTuple):
    """What of a held parcel counts when room is made."""

    id: int
    records: int
    size: int


class Room(NamedTuple):
    """How room is made for a parcel."""

    drop: list[Weight]
    """Held parcels that go."""
    takes: bool
    """Whether it fits then."""


def parcels(topic: str, records: Sequence[bytes]) -> tuple[list[Parcel], int]:
    """The records in parcels that fit into a message each, in order; and how many were too large for any."""
    fitting = [record for record in records if len(record) + 2 <= MOST_BYTES]
    made = [Parcel(topic, len(group), b",".join(group)) for group in _groups(fitting)]
    return made, len(records) - len(fitting)


def _groups(records: Sequence[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 2
    for record in records:
        if group and (len(group) == MOST_RECORDS or size + len(record) + 1 > MOST_BYTES):
            yield group
            group, size = [], 2
        group.append(record)
        size += len(record) + 1
    if group:
        yield group


def messages(held: Iterable[Held]) -> Iterator[Message]:
    """The messages that carry these parcels, oldest first: neighbours with one topic travel together."""
    group: list[Held] = []
    for one in held:
        if group and not _joins(group, one):
            yield _message(group)
            group = []
        group.append(one)
    if group:
        yield _message(group)


def _joins(group: Sequence[Held], one: Held) -> bool:
    records = sum(held.parcel.records for held in group) + one.parcel.records
    size = sum(len(held.parcel.body) + 1 for held in group) + len(one.parcel.body) + 2
    return group[0].parcel.topic == one.parcel.topic and records <= MOST_RECORDS and size <= MOST_BYTES


def _message(group: Sequence[Held]) -> Message:
    return Message(
        group[0].id,
        group[-1].id,
        group[0].parcel.topic,
        sum(held.parcel.records for held in group),
        b"[" + b",".join(held.parcel.body for held in group) + b"]",
    )


def make_room(size: int, oldest: Iterable[Weight], used: int, limit: int, keep: Keep) -> Room:
    """How a parcel of `size` bytes comes into an outbox that holds `used` bytes of at most `limit`.

    `oldest`: what it holds and may let go, oldest first. No more goes than must, and nothing if it would not be enough.
    """
    drop: list[Weight] = []
    if used + size > limit and keep == "newest":
        for weight in oldest:
            drop.append(weight)
            used -= weight.size
            if used + size <= limit:
                break
    fits = used + size <= limit
    return Room(drop if fits else [], fits)
