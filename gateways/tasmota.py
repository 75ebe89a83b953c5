"""Tasmota: telemetry of a device, `tele/<device>/SENSOR`, and the same in answer to a question, `stat/<device>/STATUS10`. Pure.

https://tasmota.github.io/docs/MQTT/ . The key is the sensor's name; `Time` is local and has no offset, so `Epoch` counts where it
is sent; which temperature and pressure are meant stands beside them in `TempUnit` and `PressureUnit`. STATE, LWT, INFO and
RESULT are no measurements.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.errors import Malformed
from broker.points import Value
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Json, Read

_TOLD = {
    "TempUnit": ("Temperature", "DewPoint", "HeatIndex", "ObjTmp", "AmbTmp", "Temperature1", "Temperature2"),
    "PressureUnit": ("Pressure", "SeaPressure"),
    "SpeedUnit": ("Speed", "WindSpeed"),
}
"""Members that a message's own unit is for."""
_FIXED = {
    "Humidity": "%", "Illuminance": "lx", "CarbonDioxide": "[ppm]", "eCO2": "[ppm]", "CO2": "[ppm]", "TVOC": "[ppb]", "Gas": "kOhm",
    "PM1": "ug/m3", "PM2.5": "ug/m3", "PM10": "ug/m3", "PM25": "ug/m3", "CF1": "ug/m3", "CF2.5": "ug/m3", "CF10": "ug/m3",
    "Power": "W", "ApparentPower": "V.A", "Voltage": "V", "Current": "A", "Frequency": "Hz", "Total": "kW.h", "Today": "kW.h",
    "Yesterday": "kW.h", "Moisture": "%", "Distance": "cm", "Noise": "dB",
}  # fmt: skip
"""Members whose unit the firmware fixes."""
_NO_SENSORS = {"Time", "Epoch", *_TOLD}
_NO_VALUES = {"Id", "TotalStartTime", "alias", "mac", "via"}
"""Members that name or describe."""
_DATA = {"SENSOR", "STATUS8", "STATUS10"}


def reader(custom: Custom) -> Read:
    def read(topic: str, payload: bytes, _arrived: int) -> Understood:
        device, command = _levels(topic)
        if command and command not in _DATA:
            return Understood()
        message = foreign.record(foreign.parse(payload), "telemetry")
        message = foreign.part(message, "StatusSNS") or message
        if not command and "Uptime" in message:
            return Understood()  # STATE, of which the topic is not known
        time = _time(message, custom)
        return Understood(
            [Reading(device, name, value, time, *_unit(name, message)) for name, value in _values(message)]
        )

    return read


def _levels(topic: str) -> tuple[str, str]:
    """The device and what is told of it: `tele/kitchen/SENSOR`, or, as some set it, `kitchen/tele/SENSOR`."""
    levels = topic.split("/")
    if len(levels) < 2:  # noqa: PLR2004 - a device's own topic alone says no more than that
        return topic, ""
    return "/".join(level for level in levels[:-1] if level not in ("tele", "stat", "tasmota")), levels[-1]


def _time(message: Json, custom: Custom) -> int | None:
    epoch = foreign.real(message, "Epoch")
    if epoch is not None:
        return moments.since_1970(epoch)
    written = foreign.text(message, "Time")
    return moments.parse(written, custom.zone) if written else None


def _values(message: Json) -> Iterator[tuple[str, Value]]:
    sensors = {name: found for name, found in message.items() if name not in _NO_SENSORS}
    if not sensors:
        raise Malformed("expected a sensor's name and what it measured")
    for name, value in foreign.scalars(sensors):
        if name.rpartition(".")[2] not in _NO_VALUES:
            yield name, value


def _unit(name: str, message: Json) -> units.Unit:
    words = [word for word in name.split(".") if not word.isdecimal()]
    last = "PM2.5" if name.endswith("PM2.5") else words[-1] if words else ""
    for told, of in _TOLD.items():
        if last in of:
            return units.ucum(foreign.text(message, told))
    return units.Unit(_FIXED.get(last))
