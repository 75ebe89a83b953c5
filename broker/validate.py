"""Whether a decoded record may enter: the rules that hold for every format. Pure."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from broker import times
from broker.entry import Cause, Decoded, Refusal
from broker.model import Datastream
from broker.points import Point, Value

LONGEST_TEXT = 4_096
"""Characters of a text value: a reading, not a document; InfluxDB's own limit for a field is 64 KiB."""
LARGEST_PACK = 10_000
"""Records of one message: at 40 bytes each it is what fits in the message size limit of mosquitto.conf."""
_LEAST, _MOST = -(2**63), 2**63 - 1


class Objection(NamedTuple):
    """Why a point may not enter."""

    reason: str
    cause: Cause


def validate(decoded: Decoded, datastream: Datastream, arrived: int, ahead: int) -> tuple[list[Point], list[Refusal]]:
    """The points that may enter, and the refusals with their place in the pack.

    `arrived`: ns since 1970; `ahead`: how far (ns) a record's time may lie after it.
    """
    items = decoded.items
    if not items:
        return [], [Refusal(0, "empty: expected at least one record", "empty")]
    if len(items) > LARGEST_PACK:
        return [], [Refusal(0, f"a pack of {len(items)} records: at most {LARGEST_PACK} are taken", "too_large")]
    if decoded.unit is not None and datastream.unit not in (None, decoded.unit):
        reason = f"unit {decoded.unit[:80]}: the datastream {datastream.id} is in {datastream.unit}"
        return [], [Refusal(0, reason, "unit")]
    points, refusals = [], []
    latest = arrived + ahead
    for index, item in enumerate(items):
        if type(item) is Refusal:
            refusals.append(Refusal(index, item.reason, item.cause))
            continue
        assert type(item) is Point
        value = item.value
        if type(value) is float and isfinite(value) and times.EARLIEST <= item.time <= latest:
            points.append(item)  # nearly every record ends here
            continue
        objected = objection(item, datastream, latest)
        if objected:
            refusals.append(Refusal(index, *objected))
        else:
            points.append(item)
    return points, refusals


def objection(point: Point, datastream: Datastream, latest: int) -> Objection | None:
    """Why a point may not enter a datastream, or None. `latest`: the latest time (ns) that it may have."""
    if point.time > latest:
        future = times.text(min(point.time, times.LATEST))
        return Objection(f"time {future} lies in the future: check the device's clock", "time")
    if point.time < times.EARLIEST:
        return Objection("time lies before 1678", "time")
    reason = _objection_to_value(point.value, datastream)
    return Objection(reason, "value") if reason else None


def _objection_to_value(value: Value, datastream: Datastream) -> str | None:
    numeric = datastream.unit is not None and datastream.kind == "measurement"
    if isinstance(value, float) and not isfinite(value):
        return f"value {value}: expected a finite number"
    if type(value) is int and not _LEAST <= value <= _MOST:
        return "value: an integer must fit in 64 bits"
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"value: a text has at most {LONGEST_TEXT} characters"
        if "\x00" in value or _unpaired(value):
            return "value: a text has neither NUL nor unpaired surrogates"
    if numeric and type(value) not in (int, float):
        return f"value {value!r:.40}: expected a number, for the datastream {datastream.id} is in {datastream.unit}"
    return None


def _unpaired(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
