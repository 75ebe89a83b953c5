"""Whether a decoded record may enter: the rules that hold for every format. Pure."""

from __future__ import annotations

from math import isfinite

from broker import times
from broker.entry import Decoded, Refusal
from broker.model import Datastream
from broker.points import Point

LONGEST_TEXT = 4_096
"""Characters of a text value: a reading, not a document; InfluxDB's own limit for a field is 64 KiB."""
LARGEST_PACK = 10_000
"""Records of one message: at 40 bytes each it is what fits in the message size limit of mosquitto.conf."""
_LEAST, _MOST = -(2**63), 2**63 - 1


def validate(decoded: Decoded, datastream: Datastream, arrived: int, ahead: int) -> tuple[list[Point], list[Refusal]]:
    """The points that may enter, and the refusals with their place in the pack.

    `arrived`: ns since 1970; `ahead`: how far (ns) a record's time may lie after it.
    """
    items = decoded.items
    if not items:
        return [], [Refusal(0, "empty: expected at least one record")]
    if len(items) > LARGEST_PACK:
        return [], [Refusal(0, f"a pack of {len(items)} records: at most {LARGEST_PACK} are taken")]
    if decoded.unit is not None and datastream.unit not in (None, decoded.unit):
        return [], [Refusal(0, f"unit {decoded.unit[:80]}: the datastream {datastream.id} is in {datastream.unit}")]
    points, refusals = [], []
    latest = arrived + ahead
    for index, item in enumerate(items):
        if type(item) is Refusal:
            refusals.append(Refusal(index, item.reason))
            continue
        assert type(item) is Point
        value = item.value
        if type(value) is float and isfinite(value) and times.EARLIEST <= item.time <= latest:
            points.append(item)  # nearly every record ends here
            continue
        reason = objection(item, datastream, latest)
        if reason:
            refusals.append(Refusal(index, reason))
        else:
            points.append(item)
    return points, refusals


def objection(point: Point, datastream: Datastream, latest: int) -> str | None:
    """Why a point may not enter a datastream, or None. `latest`: the latest time (ns) that it may have."""
    value = point.value
    numeric = datastream.unit is not None and datastream.kind == "measurement"
    if point.time > latest:
        return f"time {times.text(min(point.time, times.LATEST))} lies in the future: check the device's clock"
    if point.time < times.EARLIEST:
        return "time lies before 1678"
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
