"""openSenseMap: what a senseBox uploads, in each of the bodies that its API takes, and what the API answers. Pure.

https://docs.opensensemap.org/ . Bodies are told apart by what they are, since a message has no content type:

    [{"sensor": id, "value": …, "createdAt"?, "location"?}, …]     JSON array
    {id: value | [value, createdAt?, location?], …}                JSON object
    id,value[,createdAt[,longitude,latitude[,height]]]             CSV, a line each
    12 bytes id, float32 little-endian [, uint32 seconds], …       sbx-bytes, sbx-bytes-ts
    {"sensordatavalues": …}, {"reading": …}                        luftdaten (Sensor.Community), hackAIR
    [{"createdAt": …, "value": …}, …], and the same as CSV         an answer of GET /boxes/{box}/data/{sensor}

The topic's levels are the box and, for an answer, the sensor. Values may be texts; units stand in the box's description only.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from broker.errors import Malformed
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments, sensor_community
from gateways.foreign import Item, Json, Read

_SBX = struct.Struct("<12sf")
_SBX_TS = struct.Struct("<12sfI")
_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_LINE = re.compile(rb"\s*(?:[0-9a-f]{24}\s*,|createdAt,value\b)")
_HEXADECIMAL = re.compile(rb"(?:[0-9a-fA-F]{2}\s*){16,}")
_MEASUREMENTS = "expected measurements in JSON, a line of CSV each, or sbx-bytes"
_HACKAIR = {"PM2.5_AirPollutantValue": "PM2.5", "PM10_AirPollutantValue": "PM10"}
_LONGEST_LINE = 6
"""Columns of a CSV line."""


def reader(custom: Custom) -> Read:
    def read(topic: str, payload: bytes, _arrived: int) -> Understood:
        if payload.lstrip()[:1] in (b"[", b"{"):
            return _json(topic, foreign.parse(payload), custom)
        if _LINE.match(payload):
            return Understood(_csv(topic, payload.decode(), custom))
        if _HEXADECIMAL.fullmatch(payload):  # as the documentation prints bytes, and some firmware sends them
            payload = bytes.fromhex(payload.decode())
        return Understood(_sbx(topic, payload))

    return read


def _json(topic: str, found: object, custom: Custom) -> Understood:
    box, _, sensor = topic.partition("/")
    if isinstance(found, list):
        return Understood(
            foreign.each(
                foreign.records(found, "measurements"),
                lambda one: [_measured(box, sensor, foreign.record(one, "a measurement"), custom)],
            )
        )
    body = foreign.record(found, "measurements")
    if "sensordatavalues" in body:
        return sensor_community.push(body, box)
    if isinstance(body.get("reading"), dict):
        return Understood(_hackair(box, body))
    if "value" in body:
        return Understood([_measured(box, sensor, body, custom)])
    return Understood(foreign.each(list(body.items()), lambda pair: [_pair(box, pair, custom)]))


def _measured(box: str, sensor: str, found: Json, custom: Custom) -> Item:
    of = foreign.text(found, "sensor") or foreign.text(found, "sensorId") or foreign.text(found, "_id") or sensor
    return _reading(box, of, found.get("value"), found.get("createdAt"), custom)


def _pair(box: str, pair: object, custom: Custom) -> Item:
    assert isinstance(pair, tuple)
    of, found = pair
    listed = found if isinstance(found, list) else [found]
    if not listed:
        raise Malformed(f"sensor {of[:80]!r}: an empty array, expected a value first")
    return _reading(box, of, listed[0], listed[1] if len(listed) > 1 else None, custom)


def _hackair(box: str, body: Json) -> list[Item]:
    values: Mapping[str, object] = {
        **foreign.part(body, "reading"),
        **{k: v for k, v in body.items() if k != "reading"},
    }
    items: list[Item] = []
    for named, found in values.items():
        value = foreign.value(found)
        if value is not None:
            of = _HACKAIR.get(named)
            items.append(Reading(box, of or named, value, None, "ug/m3" if of else None))
    return items


def _sbx(topic: str, payload: bytes) -> list[Item]:
    """Binary measurements. Raises Malformed for a length that is none of theirs."""
    if not payload:
        raise Malformed(f"an empty body: {_MEASUREMENTS}")
    timed = not len(payload) % _SBX_TS.size and bool(len(payload) % _SBX.size or _same_times(payload))
    if not timed and len(payload) % _SBX.size:
        raise Malformed(_MEASUREMENTS)
    rows = (_SBX_TS if timed else _SBX).iter_unpack(payload)
    box = topic.partition("/")[0]
    return [_reading_of_bytes(box, *row) for row in rows]


def _same_times(payload: bytes) -> bool:
    """Whether 80 bytes or a multiple are four measurements with times rather than five without: times of one upload lie near."""
    seconds: list[int] = [row[2] for row in _SBX_TS.iter_unpack(payload)]
    return min(seconds) > 1_000_000_000 and max(seconds) - min(seconds) < 31 * 86_400  # noqa: PLR2004 - 2001


def _reading_of_bytes(box: str, sensor: bytes, value: float, seconds: int | None = None) -> Reading:
    return Reading(box, sensor.hex(), foreign.shortest(value), None if seconds is None else moments.since_1970(seconds))


def _csv(topic: str, text: str, custom: Custom) -> list[Item]:
    box, _, sensor = topic.partition("/")
    lines = [line.split(",") for line in text.splitlines() if line.strip()]
    answered = lines[0] == ["createdAt", "value"]
    rows: list[object] = [[sensor, row[-1], row[0]] for row in lines[1:]] if answered else list(lines)

    def read(row: object) -> list[Item]:
        assert isinstance(row, list)
        if not 1 < len(row) <= _LONGEST_LINE or not (answered or _ID.fullmatch(row[0].strip())):
            raise Malformed("a line: expected sensor id,value[,createdAt[,longitude,latitude[,height]]]")
        return [_reading(box, row[0].strip(), row[1].strip(), row[2].strip() if len(row) > 2 else None, custom)]  # noqa: PLR2004

    return foreign.each(rows, read)


def _reading(box: str, sensor: str, value: object, created: object, custom: Custom) -> Item:
    read = foreign.value(value)
    if read is None or read == "":
        raise Malformed(f"sensor {sensor[:80]!r}: expected a value")
    time = moments.parse(created, custom.zone) if isinstance(created, str) else None
    return Reading(box, sensor or "value", read, time)
