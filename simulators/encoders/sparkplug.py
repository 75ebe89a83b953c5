"""Sparkplug B 3.0: an edge node, and a device for each sensor. Pure but for the number of the last message.

https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf

The gateway's births name every metric with an alias; data hold the alias alone. A birth whose value is not known yet says so:
is_null. A rebirth that is asked for on NCMD is a greeting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulators.encoders.encoder import Report, Said, noise, slug
from simulators.encoders.home import SPELT
from simulators.encoders.protobuf import double, message, text, varint
from simulators.faults import Break

if TYPE_CHECKING:
    from simulators.city import Sensor
    from simulators.encoders.encoder import Value

_GROUP, _NODE = "city", "edge-1"
_UINT64, _DOUBLE, _BOOLEAN, _STRING = 8, 10, 11, 12
"""Data types, by their numbers in the specification's section 6.4.16."""
_NUMBERS = 256
_OTHERS: tuple[Break, ...] = ("truncated", "unknown_datastream")


@dataclass(slots=True)
class Sparkplug:
    """One edge node."""

    timed: bool = True
    breaks: Sequence[Break] = _OTHERS
    commands: str | None = f"spBv1.0/{_GROUP}/NCMD/{_NODE}"
    _births: int = 0
    _number: int = 0
    """Of the next message."""
    _aliases: dict[str, int] = field(default_factory=dict)

    def origin(self, sensor: Sensor) -> tuple[str, str]:
        return f"{_GROUP}/{_NODE}/{sensor.id}", slug(sensor)

    def greeting(self, sensors: Sequence[Sensor], at_ns: int) -> Iterator[Said]:
        self._number = 0
        born = [
            _metric(at_ns, "bdSeq", _UINT64, varint(11, self._births)),
            _metric(at_ns, "Node Control/Rebirth", _BOOLEAN, varint(14, 0)),
        ]
        self._births = (self._births + 1) % _NUMBERS
        self._aliases = {sensor.id: 1 + place for place, sensor in enumerate(sensors)}
        yield Said(f"spBv1.0/{_GROUP}/NBIRTH/{_NODE}", self._payload(at_ns, born), 0)
        for sensor in sensors:
            birth = [self._birth(sensor, at_ns)]
            yield Said(f"spBv1.0/{_GROUP}/DBIRTH/{_NODE}/{sensor.id}", self._payload(at_ns, birth), 0)

    def messages(self, reports: Sequence[Report]) -> Iterator[Said]:
        for report in reports:
            device = report.sensor.id
            alias = self._aliases.get(device, len(self._aliases) + 1)  # of one that was not born: nobody knows it
            kind, value = _value(report.value)
            metric = _data(alias, report.time_ns, kind, value)
            yield Said(f"spBv1.0/{_GROUP}/DDATA/{_NODE}/{device}", self._payload(report.time_ns, [metric]))

    def torn(self, payload: bytes, pick: int) -> bytes:
        return noise(payload, pick)

    def _birth(self, sensor: Sensor, at_ns: int) -> bytes:
        kind = _DOUBLE if sensor.unit else _BOOLEAN
        unit = SPELT.get(sensor.unit or "")
        said = message(9, text(1, "engUnit") + message(2, varint(1, _STRING) + text(8, unit))) if unit else b""
        alias = varint(2, self._aliases[sensor.id])
        return message(2, text(1, slug(sensor)) + alias + _of(at_ns, kind) + varint(7, 1) + said)

    def _payload(self, at_ns: int, metrics: Sequence[bytes]) -> bytes:
        number, self._number = self._number, (self._number + 1) % _NUMBERS
        return varint(1, at_ns // 1_000_000) + b"".join(metrics) + varint(3, number)


def _metric(at_ns: int, name: str, kind: int, value: bytes) -> bytes:
    return message(2, text(1, name) + _of(at_ns, kind) + value)


def _data(alias: int, at_ns: int, kind: int, value: bytes) -> bytes:
    return message(2, varint(2, alias) + _of(at_ns, kind) + value)


def _of(at_ns: int, kind: int) -> bytes:
    """A metric's time, in ms, and its data type."""
    return varint(3, at_ns // 1_000_000) + varint(4, kind)


def _value(value: Value) -> tuple[int, bytes]:
    match value:
        case bool():
            return _BOOLEAN, varint(14, int(value))
        case int() | float():
            return _DOUBLE, double(13, float(value))
        case str():
            return _STRING, text(15, value)
