"""Mitoyen's own JSON: one object, or an array of them. Pure.

    {"time"?: RFC 3339, "value": number | text | boolean}
    {"time"?: RFC 3339, "epc": hexadecimal | urn:epc:…, "read_point"?: text, "antenna"?: integer, "rssi"?: dBm, "biz_step"?: text}

Members that are not named here are refused rather than passed over: a misspelt "time" would else be stored at its
arrival. A payload is first read as what it should be, in one go; only one that is not is looked at record by record.
SenML of one name is taken as well: the topic says which datastream it is of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from broker import times
from broker.entry import Decoded, Refusal
from broker.errors import Malformed
from broker.model import Kind
from broker.points import Point, tag_point
from broker.reading import Custom, Reading, TagRead, Understood
from gateways import epc, foreign, senml
from gateways.foreign import Item, Read

LONGEST_NAME = 128
"""Characters of a read point's or a step's name."""


class _Measurement(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: bool | int | float | str
    time: str | None = None


class _TagRead(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    epc: str
    time: str | None = None
    read_point: str | None = None
    antenna: int | None = None
    rssi: float | None = None
    biz_step: str | None = None


_measurements: Callable[[bytes], _Measurement | list[_Measurement]] = msgspec.json.Decoder(
    _Measurement | list[_Measurement]
).decode
_tag_reads: Callable[[bytes], _TagRead | list[_TagRead]] = msgspec.json.Decoder(_TagRead | list[_TagRead]).decode
_anything = msgspec.json.Decoder().decode


def decode(payload: bytes, kind: Kind, arrived: int) -> Decoded:
    """Points of a payload. A record without a time gets `arrived` (ns) plus its place in the pack, so that none hides another."""
    try:
        read = _measurements(payload) if kind == "measurement" else _tag_reads(payload)
        records: Sequence[_Measurement | _TagRead] = read if isinstance(read, list) else [read]
        items: list[Point | Refusal] = [_point(record, arrived + i) for i, record in enumerate(records)]
    except (msgspec.DecodeError, Malformed, UnicodeDecodeError):
        return _one_by_one(payload, kind, arrived)
    return Decoded(items, any(record.time is None for record in records))


def reader(_: Custom) -> Read:
    """The same as readings, of the datastream that is the topic."""

    def read(topic: str, payload: bytes, _arrived: int) -> Understood:
        found = foreign.records(foreign.parse(payload), "a pack")
        return Understood(foreign.each(found, lambda record: [_item(record, topic)]))

    return read


def _item(found: object, datastream: str) -> Item:
    kind: Kind = "rfid" if isinstance(found, dict) and "epc" in found else "measurement"
    record = _typed(found, kind)
    time = None if record.time is None else times.parse(record.time)
    if isinstance(record, _Measurement):
        return Reading("", datastream or "value", record.value, time)
    return TagRead("", epc.canonical(record.epc), time, record.read_point, record.antenna, record.rssi, record.biz_step)


def _point(record: _Measurement | _TagRead, arrived: int) -> Point:
    time = arrived if record.time is None else times.parse(record.time)
    if type(record) is _Measurement:
        return Point(time, record.value)
    assert type(record) is _TagRead
    return _tag_point(record, time)


def _tag_point(record: _TagRead, time: int) -> Point:
    for name, said in (("read_point", record.read_point), ("biz_step", record.biz_step)):
        if said is not None and not 0 < len(said) <= LONGEST_NAME:
            raise Malformed(f"{name}: expected 1 to {LONGEST_NAME} characters")
    if record.antenna is not None and not 0 <= record.antenna < 65_536:  # noqa: PLR2004 - LLRP's AntennaID has 16 bits
        raise Malformed("antenna: expected an integer from 0 to 65535")
    tag = epc.canonical(record.epc)
    return tag_point(time, tag, record.read_point, record.antenna, record.rssi, record.biz_step)


def _one_by_one(payload: bytes, kind: Kind, arrived: int) -> Decoded:
    try:
        read = _anything(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Decoded([Refusal(0, f"no JSON: {error}")])
    if kind == "measurement" and senml.is_pack(read):
        return _of_senml(payload, arrived)
    items: list[Point | Refusal] = []
    untimed = False
    for index, record in enumerate(read if isinstance(read, list) else [read]):
        try:
            typed = _typed(record, kind)
            untimed = untimed or typed.time is None
            items.append(_point(typed, arrived + index))
        except (msgspec.ValidationError, Malformed) as error:
            items.append(Refusal(index, f"{error}; expected {_FORM[kind]}"))
    return Decoded(items, untimed)


def _of_senml(payload: bytes, arrived: int) -> Decoded:
    try:
        readings = senml.resolve(senml.of_json(payload), arrived)
    except (msgspec.DecodeError, Malformed) as error:
        return Decoded([Refusal(0, f"SenML: {error}")])
    said = {(item.device, item.property, item.unit) for item in readings if isinstance(item, Reading)}
    if len(said) > 1:
        return Decoded([Refusal(0, "SenML of several names or units: publish each on its own datastream's topic")])
    items: list[Point | Refusal] = []
    for index, item in enumerate(readings):
        if isinstance(item, Reading):
            items.append(Point(arrived + index if item.time is None else item.time, item.value))
        elif isinstance(item, Refusal):
            items.append(item)
    return Decoded(items, untimed=True, unit=next(iter(said))[2] if said else None)


def _typed(record: object, kind: Kind) -> _Measurement | _TagRead:
    if kind == "measurement":
        return msgspec.convert(record, _Measurement)
    return msgspec.convert(record, _TagRead)


_FORM = {
    "measurement": '{"time": RFC 3339, "value": …}',
    "rfid": '{"time": RFC 3339, "epc": …, "read_point"?, "antenna"?, "rssi"?, "biz_step"?}',
}
