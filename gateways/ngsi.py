"""NGSI-LD and NGSIv2 entities, such as Smart Data Models', in every rendering. Pure.

https://www.etsi.org/deliver/etsi_gs/CIM/001_099/009/01.08.01_60/gs_CIM009v010801p.pdf , https://fiware.github.io/specifications/ngsiv2/stable/

    "no2": {"type": "Property", "value": 69, "unitCode": "GQ", "observedAt"?}          normalised (NGSIv2: unit in `metadata`)
    "no2": 69                                                                          simplified, keyValues
    "no2": [{"type": "Property", "value": …, "observedAt": …}, …]                      temporal
    "no2": {"type": "Property", "values": [[69, time], …]}                             temporalValues

Units are common codes of UN/CEFACT's Recommendation 20. An attribute without a time of its own was observed when the entity
says so (`dateObserved`). Relationships, places and what describes the entity are no observations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from broker.errors import Malformed
from broker.place import Place
from broker.points import Value
from broker.reading import About, Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Item, Json, Read

_OBSERVED = ("dateObserved", "dateObservedTo", "observedAt", "TimeInstant", "timestamp")
"""Attributes that say when the others were observed, in the order that they count; of an interval the end."""
_DESCRIBES = {
    "id", "type", "@context", "@type", "@id", "scope", "name", "alternateName", "description", "source", "dataProvider", "owner",
    "seeAlso", "address", "areaServed", "typeOfLocation", "category", "controlledProperty", "supportedProtocol", "dateCreated",
    "dateModified", "dateObservedFrom", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "stationCode", "stationName",
    "configuration", "device", "namespace", "provider", "brandName", "modelName", "serialNumber", "firmwareVersion",
    "softwareVersion", "hardwareVersion", "color", *_OBSERVED,
}  # fmt: skip
_WITH_TIME = re.compile(r"(.+?)[-_:.]\d{4}-\d\d-\d\dT[\d:.]+Z?(?:_\d{4}-\d\d-\d\dT[\d:.]+Z?)?", re.ASCII)
"""An entity of Smart Data Models is often one observation, and its id ends with when: what comes before is the device's."""
_RELATIONSHIP = re.compile(r"ref[A-Z].*", re.ASCII)
"""NGSIv2's way to name one."""
_NO_PROPERTY = {"Relationship", "GeoProperty", "LanguageProperty", "VocabProperty", "ListRelationship", "geo:json", "geo:point",
                "StructuredValue", "DateTime", "PostalAddress"}  # fmt: skip


class _Instance(NamedTuple):
    """One value of an attribute at one time."""

    value: Value
    time: int | None
    unit: units.Unit


def reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        found = foreign.parse(payload)
        notified = found.get("data") if isinstance(found, dict) and "subscriptionId" in found else found
        told: list[About] = []

        def entity(one: object) -> list[Item]:
            return _entity(foreign.record(one, "an entity"), custom, told)

        return Understood(foreign.each(foreign.records(notified, "entities"), entity), told)

    return read


def _entity(entity: Json, custom: Custom, told: list[About]) -> list[Item]:
    name = foreign.text(entity, "id") or foreign.text(entity, "@id")
    if name is None:
        raise Malformed("an entity without id")
    dated = _WITH_TIME.fullmatch(name)
    name = dated[1] if dated else name
    told += foreign.about(
        name, _plain_text(entity.get("name")), foreign.text(entity, "type"), _place(entity.get("location"))
    )
    observed = _when(entity, custom)
    return [
        Reading(name, attribute, one.value, observed if one.time is None else one.time, *one.unit)
        for attribute, found in entity.items()
        if attribute and attribute not in _DESCRIBES and not _RELATIONSHIP.fullmatch(attribute)
        for one in _instances(found, custom)
    ]


def _when(entity: Json, custom: Custom) -> int | None:
    for attribute in _OBSERVED:
        written = _plain_text(entity.get(attribute))
        if written:
            return moments.parse(written.rpartition("/")[2], custom.zone)  # an interval is written from/to
    return None


def _instances(found: object, custom: Custom) -> Iterator[_Instance]:
    """What an attribute says, in any rendering; nothing if it is no property."""
    if isinstance(found, bool | int | float | str):
        yield _Instance(found, None, units.NO_UNIT)
    elif isinstance(found, list):
        for one in found:
            if isinstance(one, dict):
                yield from _instances(one, custom)
    elif isinstance(found, dict) and foreign.text(found, "type") not in _NO_PROPERTY:
        yield from _property(found, custom)


def _property(found: Json, custom: Custom) -> Iterator[_Instance]:
    metadata = foreign.part(found, "metadata")
    unit = units.rec_20(foreign.text(found, "unitCode") or _plain_text(metadata.get("unitCode")))
    written = foreign.text(found, "observedAt") or _plain_text(metadata.get("TimeInstant"))
    time = moments.parse(written, custom.zone) if written else None
    value = found.get("value")
    if isinstance(value, bool | int | float | str):
        yield _Instance(value, time, unit)
    values = found.get("values", [])
    for pair in values if isinstance(values, list) else []:
        if isinstance(pair, list) and len(pair) > 1 and isinstance(pair[0], bool | int | float | str):
            if not isinstance(pair[1], str):
                raise Malformed("values: expected [value, time] pairs")
            yield _Instance(pair[0], moments.parse(pair[1], custom.zone), unit)


def _plain_text(found: object) -> str | None:
    """A text, or the one that an attribute has as its value, or a typed one (`@value`)."""
    for member in ("value", "@value"):
        if isinstance(found, dict):
            found = found.get(member, found)
    return found if isinstance(found, str) else None


def _place(found: object) -> Place | None:
    """The place of a GeoProperty, in any rendering; the newest of several."""
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        return None
    values = found.get("values")
    if isinstance(values, list) and values and isinstance(values[0], list) and values[0]:
        return foreign.geojson(values[0][0])
    return foreign.geojson(found.get("value", found))
