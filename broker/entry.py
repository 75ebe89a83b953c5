"""What the journal holds: one entry a message, with what was understood of it and what was refused. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from broker.model import Kind
from broker.points import Point

KEPT_PAYLOAD = 1_024
"""Bytes of a refused payload that are kept for its owner (the interface's figure)."""


Cause: TypeAlias = Literal[
    "unreadable",
    "empty",
    "too_large",
    "unit",
    "time",
    "value",
    "kind",
    "unknown_datastream",
    "topic",
    "simulated",
    "fault",
]
"""What refusals are counted by: few, and none of them of a publisher's making, as its words would be."""


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record that is not taken, and why."""

    index: int
    """Its place in the pack; 0 for a message that is no pack."""
    reason: str
    cause: Cause = "unreadable"


class Decoded(NamedTuple):
    """What a decoder made of a payload."""

    items: list[Point | Refusal]
    """In the payload's order."""
    untimed: bool = False
    """Whether a record had no time of its own, so that its arrival stands for it."""
    unit: str | None = None
    """What the payload says that its values are in, if it says so."""


Decode: TypeAlias = Callable[[bytes, Kind, int], Decoded]
"""A payload format: (payload, the datastream's kind, arrival in ns) -> what was understood. Pure; raises nothing."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message that came in."""

    topic: str
    arrived: int
    """ns since 1970."""
    points: list[Point]
    refusals: list[Refusal] = []
    payload: bytes = b""
    """The beginning of the payload if something of it was refused, else empty."""
    response_topic: str = ""
    """Where a receipt was asked for; empty if none was."""
    correlation: bytes | None = None
    says: str = ""
    """`online` or `offline` if the gateway spoke of itself, else empty."""
    elsewhere: int = 0
    """Records of a message that are in entries of their own: of several datastreams, or told as the events of their tags."""
    outbox: str = ""
    """What a gateway says of its outbox (`broker/presence.py`), as JSON; empty if nothing."""
    concluded: bool = False
    """Whether nothing was heard: the broker concludes it from silence."""


def shown(payload: bytes) -> tuple[str, str | None]:
    """A refused payload as its owner sees it: text, or base64 and the encoding's name where it is not UTF-8."""
    kept = payload[:KEPT_PAYLOAD]
    try:
        return kept.decode(), None
    except UnicodeDecodeError as error:
        if error.start >= len(kept) - 3 and len(payload) > KEPT_PAYLOAD:  # a character cut in two at the limit
            return kept[: error.start].decode(), None
        return base64.b64encode(kept).decode(), "base64"
