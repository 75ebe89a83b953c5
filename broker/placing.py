"""Where readings of a device's own format go: to the datastream that its owner made of that property of that device. Pure.

What no datastream was made of is refused and told, so that its owner can. A reading in another unit than its datastream's is
converted where one follows from the other, and refused where not: a firmware that changes units overnight changes no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from broker.entry import Refusal
from broker.model import Datastream
from broker.points import Point, Value, tag_point
from broker.reading import TAG, Convert, Reading, TagRead, Understood
from broker.validate import LARGEST_PACK, Objection, objection

Streams: TypeAlias = Mapping[tuple[str, str], Datastream]
"""A gateway's datastreams, by the device and property that each is of."""


Unplaced: TypeAlias = Reading | TagRead
"""What a device observed and no datastream takes."""


class Placed(NamedTuple):
    points: Mapping[str, list[Point]]
    """By datastream id; in the message's order."""
    refusals: list[Refusal]
    unplaced: list[Unplaced]


def place(understood: Understood, streams: Streams, convert: Convert, arrived: int, ahead: int) -> Placed:
    """Points of each datastream, and refusals. A record without a time gets `arrived` (ns), and one more for each before it of
    its datastream, so that none hides another. `ahead`: how far (ns) a time may lie after `arrived`.
    """
    points: dict[str, list[Point]] = {}
    refusals: list[Refusal] = []
    unplaced: list[Unplaced] = []
    if len(understood.items) > LARGEST_PACK:
        reason = f"a pack of {len(understood.items)} records: at most {LARGEST_PACK} are taken"
        return Placed({}, [Refusal(0, reason, "too_large")], [])
    for index, item in enumerate(understood.items):
        if isinstance(item, Refusal):
            refusals.append(item)
            continue
        named = (item.device, item.property if isinstance(item, Reading) else TAG)
        stream = streams.get(named)
        if stream is None:
            unplaced.append(item)
            refusals.append(Refusal(index, _unknown(*named), "unknown_datastream"))
            continue
        before = points.setdefault(stream.id, [])
        made = _point(item, stream, convert, arrived + len(before))
        if isinstance(made, Point):
            made = objection(made, stream, arrived + ahead) or made
        if isinstance(made, Point):
            before.append(made)
        else:
            refusals.append(Refusal(index, *made))
    return Placed({stream: made for stream, made in points.items() if made}, refusals, unplaced)


def _point(item: Reading | TagRead, stream: Datastream, convert: Convert, arrived: int) -> Point | Objection:
    """The point, or why there is none."""
    time = arrived if item.time is None else item.time
    if isinstance(item, TagRead):
        if stream.kind != "rfid":
            return Objection(f"a tag read: the datastream {stream.id} takes measurements", "kind")
        return _tag_point(item, time)
    if stream.kind != "measurement":
        return Objection(f"a measurement: the datastream {stream.id} takes tag reads", "kind")
    value = _in_unit(item, stream, convert)
    return Point(time, value) if value is not None else Objection(_other_unit(item, stream), "unit")


def _tag_point(read: TagRead, time: int) -> Point:
    return tag_point(time, read.epc, read.read_point, read.antenna, read.rssi, read.biz_step)


def _in_unit(item: Reading, stream: Datastream, convert: Convert) -> Value | None:
    """The value in the datastream's unit; None where it can't be said. A unit that nobody named is the datastream's."""
    if item.unit is None or stream.unit is None or isinstance(item.value, bool | str):
        return item.value
    if not item.unit_known:
        spelt = stream.origin.unit if stream.origin else None
        return item.value if item.unit == spelt else None
    return item.value if item.unit == stream.unit else convert(item.value, item.unit, stream.unit)


def _other_unit(item: Reading, stream: Datastream) -> str:
    if item.unit_known:
        return f"unit {item.unit}: the datastream {stream.id} is in {stream.unit}, which does not follow from it"
    return f"unit {str(item.unit)[:80]!r} is unknown: name it as the datastream's origin.unit if you know what it means"


def _unknown(device: str, observed: str) -> str:
    """What is refused until the owner makes a datastream of it."""
    named = f"device {device[:80]!r}, property {observed[:80]!r}" if device else f"property {observed[:80]!r}"
    return f"{named}: no datastream of this gateway is of it; adopt it first"
