"""What a device's own format says, before anyone knows which datastream it belongs to. Pure.

The core knows no payload format, only what each makes of a message. A format is made once a gateway and given each of its
messages in order: most look at one message alone, some (Sparkplug's births, Zigbee2MQTT's device list) must have seen others
before. Whatever it can't read becomes a Refusal; it never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from broker.entry import Decode, Refusal
from broker.model import FormatName
from broker.place import Place
from broker.points import Value

UTC = ZoneInfo("UTC")
TAG = "epc"
"""What a tag read is a reading of, where a reading's property is asked for."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One observation of one property of a device."""

    device: str
    """The device's own id within its gateway, as its format has it: a DevEUI, a serial number, a friendly name. Empty: the
    message names none, so that it is the gateway's only one."""
    property: str
    """What was observed, as the format names it, such as `temperature`; members of members are joined by dots."""
    value: Value
    time: int | None = None
    """phenomenonTime, ns since 1970; None: the message says none, so that its arrival counts."""
    unit: str | None = None
    """UCUM code where `unit_known`, else as the device spells it; None: it says none."""
    unit_known: bool = True


class TagRead(msgspec.Struct, frozen=True, gc=False):
    """One sight of one tag."""

    device: str
    """The reader."""
    epc: str
    """Canonical URI, as `gateways/epc.py` makes it."""
    time: int | None = None
    read_point: str | None = None
    antenna: int | None = None
    rssi: float | None = None
    """dBm."""
    biz_step: str | None = None
    """Of an event what became of the tag, as EPCIS's bizStep in short: `arriving`; None: it was seen, no more."""


@dataclass(frozen=True, slots=True)
class About:
    """What a device tells of itself, for its owner to adopt it by."""

    device: str
    name: str | None = None
    model: str | None = None
    place: Place | None = None
    """Where the device says that it stands; never where a gateway stands that heard it."""


class Answer(NamedTuple):
    """What a device is to be told, such as a Sparkplug rebirth request."""

    topic: str
    """Below the gateway's own prefix, as `topic` of `Format.understand`."""
    payload: bytes


class Understood(NamedTuple):
    """What a format made of a message. No items: it is no data (a join, a status, a log)."""

    items: Sequence[Reading | TagRead | Refusal] = ()
    """In the message's order; a Refusal's index is its place among the message's records."""
    about: Sequence[About] = ()
    answers: Sequence[Answer] = ()


@dataclass(frozen=True, slots=True)
class Custom:
    """What a gateway's owner sets for its format."""

    zone: ZoneInfo = UTC
    """What a time without zone means."""


class Format(Protocol):
    """One gateway's messages, in order."""

    def understand(self, topic: str, payload: bytes, arrived: int) -> Understood:
        """`topic`: what follows the gateway's own prefix, empty where none is known; `arrived`: ns since 1970. Raises nothing."""
        ...


Convert: TypeAlias = Callable[[float, str, str], float | None]
"""(value, from a UCUM unit, to another) -> the value in that, or None where there is no way."""


@dataclass(frozen=True, slots=True)
class Formats:
    """What the core is given of `gateways/`, since it imports nothing of it."""

    decoders: Mapping[str, Decode]
    """Of one datastream's own topic, by format."""
    make: Callable[[FormatName, Custom], Format]
    convert: Convert
    canonical: Callable[[str], str]
    """Every spelling of an EPC -> its URI. Raises Malformed."""
    show: Callable[[Understood], list[dict[str, object]]]
    """As `mitoyen decode` prints it."""
