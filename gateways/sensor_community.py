"""Sensor.Community: what an airRohr station pushes, and what the project's server publishes. Pure.

    {"software_version": …, "sensordatavalues": [{"value_type": "SDS_P1", "value": "5.38"}, …]}
    [{"timestamp": "2026-11-22 20:00:00", "sensor": {"id": 140, …}, "location": {…}, "sensordatavalues": [{"value_type": "P1", …}, …]}, …]

https://github.com/opendata-stuttgart/meta/wiki/EN-APIs. Every value is a text. A push has no time, and which station it is stands in the
HTTP headers `X-Sensor` and `X-Pin`: whoever receives it makes them the topic's two levels. The server's times are UTC, and a sensor is
its number there. P0, P1 and P2 are the firmware's names for PM1, PM10 and PM2.5.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from broker.errors import Malformed
from broker.reading import About, Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Item, Json, Read

_PARTICLES = {"P0": "PM1", "P1": "PM10", "P2": "PM2.5", "P4": "PM4"}
"""The firmware's names of particle mass concentrations."""
_USUAL = "SDS"
"""The particle sensor of nearly every station: what it measures is named without it."""
_UNITS = {
    **dict.fromkeys(_PARTICLES.values(), "ug/m3"), "temperature": "Cel", "humidity": "%", "pressure": "Pa", "pressure_at_sealevel": "Pa",
    "pressure_sealevel": "Pa", "noise_LAeq": "dB[SPL]", "noise_LA_min": "dB[SPL]", "noise_LA_max": "dB[SPL]", "lat": "deg", "lon": "deg",
    "height": "m", "micro": "us", "counts_per_minute": "{count}/min", "co2": "[ppm]", "N05": "/cm3", "N1": "/cm3", "N25": "/cm3",
    "N4": "/cm3", "N10": "/cm3", "TS": "um", "interval": "ms",
}  # fmt: skip
"""By the last words of a name."""
_UTC = ZoneInfo("UTC")
_WITH_UNIT = re.compile(r"(-?\d+(?:\.\d+)?) ([^\d\s]\S*)", re.ASCII)


def reader(_: Custom) -> Read:
    def read(topic: str, payload: bytes, _arrived: int) -> Understood:
        found = foreign.parse(payload)
        return _published(found) if isinstance(found, list) else push(foreign.record(found, "a push"), topic)

    return read


def push(body: Json, topic: str) -> Understood:
    """What a push says. Raises Malformed."""
    device = topic.replace("/", "-") or _own_id(body)
    items = _readings(body, device, None)
    said = {item.property: item.value for item in items if isinstance(item, Reading)}
    place = foreign.place(said.get("GPS_lon"), said.get("GPS_lat"))
    return Understood(items, foreign.about(device, model=foreign.text(body, "software_version"), place=place))


def name(value_type: str) -> str:
    """What is observed: `SDS_P1` is PM10, `PMS_P2` is PMS_PM2.5; other names stay."""
    sensor, _, last = value_type.rpartition("_")
    particles = _PARTICLES.get(last)
    if particles is None:
        return value_type
    return particles if sensor in ("", _USUAL) else f"{sensor}_{particles}"


def unit(named: str) -> units.Unit:
    """By the end of the name, from its last word to all of it."""
    words = named.split("_")
    for at in range(len(words) - 1, -1, -1):
        if known := _UNITS.get("_".join(words[at:])):
            return units.Unit(known)
    return units.NO_UNIT


def _published(found: list[object]) -> Understood:
    """What the server answers. A place that is not `exact` is as it publishes it: somewhere near."""
    about: list[About] = []

    def measured(element: object) -> list[Item]:
        body = foreign.record(element, "a measurement")
        sensor, at = foreign.part(body, "sensor"), foreign.part(body, "location")
        number = foreign.whole(sensor, "id")
        if number is None:
            raise Malformed('a measurement: expected {"sensor": {"id": …}, "timestamp": …, "sensordatavalues": […]}')
        items = _readings(body, str(number), moments.parse(foreign.text(body, "timestamp") or "", _UTC))
        place = foreign.place(foreign.value(at.get("longitude")), foreign.value(at.get("latitude")))
        about.extend(
            foreign.about(str(number), model=foreign.text(foreign.part(sensor, "sensor_type"), "name"), place=place)
        )
        return items

    return Understood(foreign.each(found, measured), about)


def _readings(body: Json, device: str, time: int | None) -> list[Item]:
    values = body.get("sensordatavalues")
    if not isinstance(values, list):
        raise Malformed('expected {"sensordatavalues": [{"value_type": …, "value": …}, …]}')
    return foreign.each(values, lambda found: [_reading(device, foreign.record(found, "a value"), time)])


def _own_id(body: Json) -> str:
    found = body.get("esp8266id") or body.get("esp32id")
    return str(found) if isinstance(found, str | int) else ""


def _reading(device: str, found: Json, time: int | None) -> Item:
    value_type, value = foreign.text(found, "value_type"), foreign.value(found.get("value"))
    if value_type is None or value is None:
        raise Malformed('a value: expected {"value_type": …, "value": …}')
    named, of = name(value_type), unit(name(value_type))
    spelt = _WITH_UNIT.fullmatch(value) if isinstance(value, str) else None
    if spelt is not None:  # "signal": "-59 dBm"
        value, of = foreign.number(spelt[1]) or 0, units.ucum(spelt[2])
    if isinstance(value, str) and of is not units.NO_UNIT:
        raise Malformed(f"{value_type} {value[:40]!r}: expected a number")
    return Reading(device, named, value, time, of.code, of.known)
