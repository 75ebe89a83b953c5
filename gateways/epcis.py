"""EPCIS 2.0 events in JSON-LD: ObjectEvents, with sensor elements. Pure. https://ref.gs1.org/standards/epcis/

What was observed where becomes tag reads at the read point; each sensor report becomes readings, of its device where it names
one, else of the read point. Units are common codes of UN/CEFACT's Recommendation 20. Aggregations, transactions and
transformations are business, not observation, and are refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from broker.errors import Malformed
from broker.points import Value
from broker.reading import Custom, Reading, TagRead, Understood
from gateways import epc, foreign, moments, units
from gateways.foreign import Item, Json, Read

_STATISTICS = {
    "value": "",
    "minValue": ".min",
    "maxValue": ".max",
    "meanValue": ".mean",
    "sDev": ".sDev",
    "percValue": ".perc",
}
"""Members of a report that are in its unit, and what follows the property's name for each."""
_OTHER_VALUES = ("stringValue", "booleanValue", "hexBinaryValue", "uriValue")
_QUALIFIERS = ("component", "chemicalSubstance", "microorganism")
"""Members that tell which of several things of one type is meant."""
_VOCABULARY = re.compile(
    r"(?:gs1:|cbv:|urn:epcglobal:cbv:bizstep:|https?://(?:www\.|ref\.)?gs1\.org/(?:voc|cbv)/)(?:BizStep-)?", re.ASCII
)


class _Event(NamedTuple):
    """What of an event its sensor elements need."""

    time: int
    read_point: str | None
    biz_step: str | None
    custom: Custom


def reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        events = _events(foreign.parse(payload))
        return Understood(foreign.each(events, lambda event: _event(foreign.record(event, "an event"), custom)))

    return read


def _events(found: object) -> list[object]:
    """The events of a document, of a query's answer, or alone."""
    if isinstance(found, list):
        return foreign.records(found, "events")
    document = foreign.record(found, "a document")
    if "epcisBody" not in document:
        return [document]
    body = foreign.part(document, "epcisBody")
    results = foreign.part(foreign.part(body, "queryResults"), "resultsBody")
    events = body.get("eventList", results.get("eventList"))
    if not isinstance(events, list):
        raise Malformed("expected epcisBody with an eventList")
    return events


def _event(event: Json, custom: Custom) -> list[Item]:
    kind, action = event.get("type"), event.get("action")
    if kind != "ObjectEvent":
        raise Malformed(f"{str(kind)[:40]}: only an ObjectEvent tells what was observed")
    if action not in ("OBSERVE", "ADD"):
        raise Malformed(f"action {str(action)[:40]}: expected OBSERVE or ADD, for what was removed was not seen")
    written = foreign.text(event, "eventTime")
    if written is None:
        raise Malformed("an ObjectEvent without eventTime")
    read_point = foreign.text(foreign.part(event, "readPoint"), "id")
    step = _VOCABULARY.sub("", foreign.text(event, "bizStep") or "") or None
    at = _Event(moments.parse(written, custom.zone), read_point, step, custom)
    elements = event.get("sensorElementList", [])
    if not isinstance(elements, list):
        raise Malformed("sensorElementList: expected an array")
    return [
        *_tag_reads(event, at),
        *(reading for one in elements for reading in _element(foreign.record(one, "a sensor element"), at)),
    ]


def _tag_reads(event: Json, at: _Event) -> list[Item]:
    codes = event.get("epcList", [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise Malformed("epcList: expected an array of texts")
    return [
        TagRead(at.read_point or "", epc.canonical(code), at.time, at.read_point, biz_step=at.biz_step)
        for code in codes
    ]


def _element(element: Json, at: _Event) -> list[Item]:
    metadata = foreign.part(element, "sensorMetadata")
    reports = element.get("sensorReport")
    if not isinstance(reports, list):
        raise Malformed("a sensor element: expected sensorReport, an array")
    items: list[Item] = []
    for one in reports:
        report = foreign.record(one, "a sensor report")
        device = foreign.text(report, "deviceID") or foreign.text(metadata, "deviceID") or at.read_point or ""
        items += _report(device, report, _time(report, metadata, at))
    return items


def _report(device: str, report: Json, time: int) -> list[Item]:
    unit = units.rec_20(foreign.text(report, "uom"))
    name = _name(report)
    measured: list[Item] = [
        Reading(device, name + suffix, value, time, unit.code, unit.known)
        for member, suffix in _STATISTICS.items()
        if (value := foreign.real(report, member)) is not None
    ]
    said: list[Value] = [found for member in _OTHER_VALUES if isinstance(found := report.get(member), str | bool)]
    return measured + [Reading(device, name, found, time) for found in said]


def _name(report: Json) -> str:
    """A report's type in short, with what tells it from others of the type, and an exception if it is one."""
    words = [foreign.text(report, name) or "" for name in ("type", *_QUALIFIERS, "exception")]
    named = ".".join(_VOCABULARY.sub("", word) for word in words if word)
    if not named:
        raise Malformed("a sensor report without type")
    return named


def _time(report: Json, metadata: Json, at: _Event) -> int:
    """Of the report, else of its element; of an interval the end."""
    for told, name in ((report, "time"), (metadata, "time"), (metadata, "endTime")):
        if written := foreign.text(told, name):
            return moments.parse(written, at.custom.zone)
    return at.time
