"""What becomes of a source's messages: items in their format, each with a time, made into records for the broker. Pure.

A retained message was said before we listened: what it says without a time has none that is known, and is passed over. Two arrivals
are never one time, so that a message without times hides no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from broker import times
from broker.entry import Refusal
from broker.reading import About, Answer, Format, Reading, TagRead, Understood
from gateways import relayed

Item: TypeAlias = Reading | TagRead
_encode = msgspec.json.Encoder().encode


class Read(NamedTuple):
    """What was made of a message."""

    items: list[Item]
    """Each with a time."""
    about: list[About]
    """What is new of the devices."""
    answers: Sequence[Answer] = ()
    refused: Sequence[str] = ()
    """Why something could not be read."""
    undated: int = 0
    """Records whose time nobody knows."""


class Understanding:
    """One source's, in order: it remembers what its devices told of themselves, and the last arrival."""

    def __init__(self, format_: Format | None) -> None:
        self._format = format_
        self._free = 0
        """The next arrival that no message has had."""
        self._told: dict[str, About] = {}

    def message(self, topic: str, payload: bytes, arrived: int, *, retained: bool) -> Read:
        """Read a message in the source's format."""
        assert self._format is not None
        arrived = max(arrived, self._free)
        return self.understood(self._format.understand(topic, payload, arrived), arrived, retained=retained)

    def understood(self, what: Understood, arrived: int, *, retained: bool = False) -> Read:
        """The same for what came understood."""
        items: list[Item] = []
        self._free = max(arrived, self._free)
        undated = 0
        for item in what.items:
            if isinstance(item, Refusal):
                continue
            if item.time is not None:
                items.append(item)
            elif retained:
                undated += 1
            else:
                items.append(msgspec.structs.replace(item, time=self._free))
                self._free += 1
        refused = [item.reason for item in what.items if isinstance(item, Refusal)]
        return Read(items, self._news(what.about), what.answers, refused, undated)

    def _news(self, about: Sequence[About]) -> list[About]:
        new = [one for one in about if self._told.get(one.device) != one]
        self._told.update({one.device: one for one in new})
        return new


def own_record(item: Item) -> bytes:
    """The item in Mitoyen's own JSON, for a topic that says which datastream it is of."""
    assert item.time is not None
    time = times.text(item.time)
    if isinstance(item, Reading):
        return _encode({"time": time, "value": item.value})
    told = {"read_point": item.read_point, "antenna": item.antenna, "rssi": item.rssi, "biz_step": item.biz_step}
    return _encode(
        {"time": time, "epc": item.epc, **{name: value for name, value in told.items() if value is not None}}
    )


def relayed_records(read: Read) -> list[bytes]:
    """The records for the gateway's own topic, of all its devices: first what is new of them, then what they observed."""
    return [relayed.record(item) for item in (*read.about, *read.items)]
