"""Whether a gateway is there: what it said last, and how long it has said nothing. Pure.

A gateway says `offline` by its last will (MQTT 5, 3.1.2.5) and `online` when it connects, on `in/{organisation}/{gateway}/~`, as
text or as {"state": …}: the words that most firmware for last wills uses. One that sets no will is silent after a time. One with an
outbox says in the object, as `outbox`, what became of what it heard and could not send (`mitoyen gateway` does).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

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
    outbox: str | None = None
    """What it said last of its outbox, as `Outbox` in JSON."""


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


_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Outbox(msgspec.Struct):
    """Records on the owner's machine: those that wait now, and since the outbox was made those that never come, by reason."""

    pending: _Count = 0
    dropped: _Count = 0
    """For want of room."""
    missed: _Count = 0
    """Faster than the disk, or pictures while there was no connection."""
    unreadable: _Count = 0
    undated: _Count = 0
    withheld: _Count = 0
    """By privacy at the edge."""


class _Said(msgspec.Struct):
    state: str
    outbox: Outbox | None = None


def outbox(payload: bytes) -> str:
    """What a gateway that says a word says of its outbox, as JSON; empty if nothing."""
    if payload.strip()[:1] != b"{":
        return ""
    said = msgspec.json.decode(payload, type=_Said).outbox
    return "" if said is None else msgspec.json.encode(said).decode()


def fates(outbox: str) -> dict[str, int]:
    """Records by what became of them, of what was kept of a gateway's word."""
    told: dict[str, int] = msgspec.structs.asdict(msgspec.json.decode(outbox, type=Outbox))
    return told


def word(payload: bytes) -> Word | None:
    """What a gateway says of itself, or None if it is neither of the two words."""
    text = payload.strip()
    if text[:1] == b"{":
        try:
            text = msgspec.json.decode(text, type=_Said).state.encode()
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    match text.lower():
        case b"online":
            return "online"
        case b"offline":
            return "offline"
    return None
