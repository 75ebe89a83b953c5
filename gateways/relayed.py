"""What `mitoyen gateway` sends: what it understood of its devices, as an array of JSON objects, each with a time of its own. Pure.

    {"device": …, "property": …, "time": RFC 3339, "value": …, "unit"?: UCUM code, "unit_known"?: false}
    {"device": …, "epc": urn:epc:…, "time": RFC 3339, "read_point"?, "antenna"?, "rssi"?, "biz_step"?}
    {"device": …, "about": {"name"?, "model"?, "location"?: [longitude, latitude]}}

Both directions stand here, so that they are one format. It goes to the gateway's topic `~readings`; what goes to another of its topics is
Mitoyen's own JSON, of the datastream that is called so.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from broker import times
from broker.entry import Refusal
from broker.errors import Malformed
from broker.points import Value
from broker.reading import About, Custom, Reading, TagRead, Understood
from gateways import canonical, epc, foreign
from gateways.foreign import Item, Read

TOPIC = "~readings"
"""No datastream is called so."""
Relayed: TypeAlias = Reading | TagRead | About


class _About(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: str | None = None
    model: str | None = None
    location: tuple[float, float] | None = None


class _Record(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    device: str
    property: str | None = None
    time: str | None = None
    value: Value | None = None
    unit: str | None = None
    unit_known: bool = True
    epc: str | None = None
    read_point: str | None = None
    antenna: int | None = None
    rssi: float | None = None
    biz_step: str | None = None
    about: _About | None = None


_encode = msgspec.json.Encoder().encode


def record(item: Relayed) -> bytes:
    """One of the objects. Readings and tag reads must have a time."""
    if isinstance(item, About):
        place = (item.place.longitude, item.place.latitude) if item.place else None
        return _encode(_Record(item.device, about=_About(item.name, item.model, place)))
    assert item.time is not None
    time = times.text(item.time)
    if isinstance(item, Reading):
        return _encode(_Record(item.device, item.property, time, item.value, item.unit, item.unit_known))
    told = (item.epc, item.read_point, item.antenna, item.rssi, item.biz_step)
    return _encode(_Record(item.device, None, time, None, None, True, *told))  # noqa: FBT003 - as the record has it


def reader(custom: Custom) -> Read:
    own = canonical.reader(custom)

    def read(topic: str, payload: bytes, arrived: int) -> Understood:
        if topic not in (TOPIC, ""):
            return own(topic, payload, arrived)
        about: list[About] = []
        items: list[Item] = []
        for index, found in enumerate(foreign.records(foreign.parse(payload), "a pack")):
            try:
                item = _item(found)
            except (Malformed, msgspec.ValidationError) as error:
                items.append(Refusal(index, str(error)))
                continue
            if isinstance(item, About):
                about.append(item)
            else:
                items.append(item)
        return Understood(items, about)

    return read


def _item(found: object) -> Relayed:
    record = msgspec.convert(found, _Record)
    if record.about is not None:
        longitude, latitude = record.about.location or (None, None)
        return About(record.device, record.about.name, record.about.model, foreign.place(longitude, latitude))
    if record.time is None:
        raise Malformed("a record: expected a time")
    time = times.parse(record.time)
    if record.epc is not None:
        tag = epc.canonical(record.epc)
        told = (record.read_point, record.antenna, record.rssi, record.biz_step)
        return TagRead(record.device, tag, time, *told)
    if not record.property or record.value is None:
        raise Malformed("a record: expected property and value, epc, or about")
    return Reading(record.device, record.property, record.value, time, record.unit, record.unit_known)
