"""Whether a gateway is there: what it said last, and how long it has said nothing. Pure.

A gateway says `offline` by its last will (MQTT 5, 3.1.2.5) and `online` when it connects, on `in/{organisation}/{gateway}/~`, as
text or as {"state": …}: the words that most firmware for last wills uses. One that sets no will is silent after a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

Word: TypeAlias = Literal["online", "offline"]
Reason: TypeAlias = Literal["last_will", "timeout", "never_heard"]


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of a gateway. Times in ns since 1970."""

    organisation: str
    gateway: str
    accepted: int = 0
    """Records, as the next."""
    refused: int = 0
    last_seen: int | None = None
    """When anything came of it but a last will."""
    left: int | None = None
    """When its last will came; None if it came back since."""


@dataclass(frozen=True, slots=True)
class State:
    state: Literal["live", "silent"]
    since: int | None = None
    """Of a silence: when (ns) it was last heard, or its last will came. None: it never was heard."""
    reason: Reason | None = None


def state(known: Presence, now: int, silent_after: int) -> State:
    """How a gateway is at `now`, if it may say nothing for `silent_after` ns."""
    heard = known.last_seen
    if known.left is not None and (heard is None or known.left >= heard):
        return State("silent", known.left, "last_will")
    if heard is None:
        return State("silent", None, "never_heard")
    if now - heard > silent_after:
        return State("silent", heard, "timeout")
    return State("live")


class _Said(msgspec.Struct):
    state: str


def word(payload: bytes) -> Word | None:
    """What a gateway says of itself, or None if it is neither of the two words."""
    text = payload.strip()
    if text[:1] == b"{":
        try:
            text = msgspec.json.decode(text, type=_Said).state.encode()
        except msgspec.DecodeError:
            return None
    match text.lower():
        case b"online":
            return "online"
        case b"offline":
            return "offline"
    return None
