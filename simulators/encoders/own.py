"""Mitoyen's own JSON, and SenML in JSON and in CBOR. Pure. https://www.rfc-editor.org/rfc/rfc8428"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import cbor2

from broker.times import SECOND
from simulators.encoders.encoder import Packed, Report, compact, slug
from simulators.faults import BREAKS, written

if TYPE_CHECKING:
    from simulators.city import Sensor

PACK = 50
"""Records in one message at most; a message then stays below 10 KiB."""
_LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "vb": 4, "t": 6}
"""RFC 8428, table 4."""
_ONE = Decimal(1)
_UNITS = {
    "Cel": ("Cel", _ONE),
    "%": ("%RH", _ONE),
    "km/h": ("km/h", _ONE),
    "m/s": ("m/s", _ONE),
    "1": ("/", _ONE),
    "ug/m3": ("kg/m3", Decimal("1e-9")),  # the registry has no other unit of concentration
    "mg/m3": ("kg/m3", Decimal("1e-6")),
}
"""UCUM: SenML's name (or RFC 8798's), and what a value is multiplied by. What has none is sent without."""


def _json(reports: Sequence[Report]) -> bytes:
    records = [written(report.said) for report in reports]
    return (records[0] if len(records) == 1 else f"[{','.join(records)}]").encode()


def _pack(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """A pack in which each sensor's first record has base values, which hold until the next sensor's."""
    records: list[dict[str, Any]] = []
    for _, of_one in groupby(reports, key=lambda report: report.sensor.id):
        records += _of_one(list(of_one))
    return records


def _of_one(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """A sensor's records; times are relative to the last of them."""
    last = reports[-1]
    records = [_record(report, last) for report in reports]
    return [{"bn": f"{last.sensor.id}/", "bt": _seconds(last.time_ns)} | records[0], *records[1:]]


def _record(report: Report, last: Report) -> dict[str, Any]:
    """The unit is the record's own: a base unit would be that of the next sensor, which may have none."""
    value = report.value
    unit, factor = _UNITS.get(report.unit or "", (None, _ONE))
    record: dict[str, Any] = {"n": slug(report.sensor)} | ({"u": unit} if unit else {})
    if isinstance(value, bool):
        record["vb"] = value
    else:
        record["v"] = value if factor == _ONE else float(Decimal(repr(value)) * factor)
    if report.time_ns != last.time_ns:
        record["t"] = _seconds(report.time_ns - last.time_ns)
    return record


def _seconds(time_ns: int) -> int | float:
    """With the milliseconds that it has."""
    return time_ns // SECOND if time_ns % SECOND == 0 else time_ns / SECOND


def _in_cbor(record: dict[str, Any]) -> dict[int, Any]:
    return {_LABELS[name]: value for name, value in record.items()}


def _senml_origin(sensor: Sensor) -> tuple[str, str]:
    return sensor.id, slug(sensor)


def _senml_json(reports: Sequence[Report]) -> bytes:
    return compact(_pack(reports)).encode()


def _senml_cbor(reports: Sequence[Report]) -> bytes:
    return cbor2.dumps([_in_cbor(record) for record in _pack(reports)])


JSON = Packed(lambda _: None, lambda sensor: sensor.id, _json, PACK, breaks=BREAKS)
SENML_JSON = Packed(_senml_origin, lambda _: "senml", _senml_json, PACK)
SENML_CBOR = Packed(_senml_origin, lambda _: "senml", _senml_cbor, PACK)
