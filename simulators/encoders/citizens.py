"""What citizens' stations push: Sensor.Community's airRohr, openSenseMap's boxes. Pure.

https://github.com/opendata-stuttgart/meta/wiki/EN-APIs , https://docs.opensensemap.org/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulators import chance
from simulators.encoders.encoder import OneByOne, Packed, Report, compact, slug

if TYPE_CHECKING:
    from simulators.city import Sensor

_PACK = 50
"""Measurements in one message."""
_VALUE_TYPES = {
    "PM2.5": ("SDS_P2", "PM2.5"),
    "air temperature": ("BME280_temperature", "BME280_temperature"),
    "relative humidity": ("BME280_humidity", "BME280_humidity"),
    "LAeq": ("DNMS_noise_LAeq", "DNMS_noise_LAeq"),
}
"""Observed property: what the firmware calls it, and what that means."""


def _station(sensor: Sensor) -> str:
    return f"esp8266-{chance.named(sensor.id) % 10**7}"


def _value_type(sensor: Sensor) -> tuple[str, str]:
    own = slug(sensor)
    return _VALUE_TYPES.get(sensor.observed_property, (own, own))


def _push(sensor: Sensor, report: Report) -> bytes:
    """Values are texts with two decimals, as the firmware prints them."""
    value = report.value if isinstance(report.value, bool | str) else f"{report.value:.2f}"
    body = {
        "software_version": "NRZ-2024-135",
        "sensordatavalues": [{"value_type": _value_type(sensor)[0], "value": value}],
    }
    return compact(body).encode()


def _object_id(name: str) -> str:
    """24 hexadecimal digits, as MongoDB numbers things."""
    number = chance.named(name)
    return f"{number:016x}{chance.draw(number) & 0xFFFFFFFF:08x}"


def _measurements(reports: Sequence[Report]) -> bytes:
    return compact([_measured(report) for report in reports]).encode()


def _measured(report: Report) -> dict[str, str]:
    sensor = _object_id(f"{report.sensor.id}/sensor")
    return {"sensor": sensor, "value": str(report.value), "createdAt": report.time}


SENSOR_COMMUNITY = OneByOne(
    origin=lambda sensor: (f"{_station(sensor)}-1", _value_type(sensor)[1]),
    topic=lambda sensor: f"{_station(sensor)}/1",
    payload=_push,
    timed=False,
)
OPENSENSEMAP = Packed(
    origin=lambda sensor: (_object_id(sensor.id), _object_id(f"{sensor.id}/sensor")),
    topic=lambda sensor: _object_id(sensor.id),
    payload=_measurements,
    most=_PACK,
)
