"""Devices of homes: Tasmota, Zigbee2MQTT, Shelly since its second generation, Home Assistant's statestream. Pure.

https://tasmota.github.io/docs/MQTT/ , https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html ,
https://shelly-api-docs.shelly.cloud/gen2/General/Notifications , https://www.home-assistant.io/integrations/mqtt_statestream/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from broker.times import SECOND
from simulators import chance
from simulators.encoders.encoder import OneByOne, Report, Said, compact, noise, slug

if TYPE_CHECKING:
    from simulators.city import Sensor

SPELT = {
    "Cel": "°C",
    "[degF]": "°F",
    "%": "%",
    "ug/m3": "µg/m³",
    "mg/m3": "mg/m³",
    "km/h": "km/h",
    "m/s": "m/s",
    "dB[SPL]": "dB(A)",
}
"""UCUM: what people write. Of what is not here devices name no unit."""
_TASMOTA = {
    "air temperature": ("BME280", "Temperature"),
    "relative humidity": ("BME280", "Humidity"),
    "PM2.5": ("VINDRIKTNING", "PM2.5"),
    "wind speed": ("WINDMETER", "Speed"),
}
_SPEEDS = {"km/h": "km/h", "m/s": "m/s"}
_DEGREES = {"Cel": "C", "[degF]": "F"}
_SHELLY = {"air temperature": ("temperature:0", "tC"), "relative humidity": ("humidity:0", "rh")}
_BLU = ("bthomesensor:200", "value")
"""Any other sensor, heard by Bluetooth and passed on."""


def _tasmota_names(sensor: Sensor) -> tuple[str, str]:
    """The chip and what it measures; of what Tasmota has no driver for, a driver of one's own."""
    return _TASMOTA.get(sensor.observed_property, ("CITY", slug(sensor)))


def _tasmota(sensor: Sensor, report: Report) -> bytes:
    chip, name = _tasmota_names(sensor)
    message: dict[str, Any] = {
        "Time": report.time[:19],
        "Epoch": _seconds(report.time_ns),
        chip: {name: report.value},
    }
    if report.unit in _DEGREES:
        message["TempUnit"] = _DEGREES[report.unit]
    if report.unit in _SPEEDS:
        message["SpeedUnit"] = _SPEEDS[report.unit]
    return compact(message).encode()


def _zigbee(sensor: Sensor, report: Report) -> bytes:
    return compact({slug(sensor): report.value, "last_seen": report.time}).encode()


def _zigbee_devices(sensors: Sequence[Sensor], _at_ns: int) -> Iterator[Said]:
    """`bridge/devices`: who is there, and which unit each member of a state is in."""
    devices: list[dict[str, Any]] = [{"friendly_name": "Coordinator", "type": "Coordinator", "definition": None}]
    for sensor in sensors:
        exposed = {"type": "numeric", "name": slug(sensor), "property": slug(sensor), "access": 1}
        unit = SPELT.get(sensor.unit or "")
        definition = {
            "vendor": "Mitoyen",
            "model": sensor.observed_property,
            "exposes": [exposed | ({"unit": unit} if unit else {})],
        }
        devices.append({
            "friendly_name": sensor.id,
            "type": "EndDevice",
            "ieee_address": f"0x{chance.named(sensor.id):016x}",
            "description": sensor.description,
            "definition": definition,
        })  # fmt: skip
    yield Said("zigbee2mqtt/bridge/devices", compact(devices).encode(), 0)


def _shelly_id(sensor: Sensor) -> str:
    return f"shellyhtg3-{chance.named(sensor.id) & 0xFFFFFFFFFFFF:012x}"


def _shelly(sensor: Sensor, report: Report) -> bytes:
    component, member = _SHELLY.get(sensor.observed_property, _BLU)
    told = {"id": int(component.partition(":")[2]), member: report.value}
    params = {"ts": _seconds(report.time_ns), component: told}
    source = _shelly_id(sensor)
    return compact({"src": source, "dst": f"{source}/events", "method": "NotifyStatus", "params": params}).encode()


def _shelly_origin(sensor: Sensor) -> tuple[str, str]:
    return _shelly_id(sensor), ".".join(_SHELLY.get(sensor.observed_property, _BLU))


def _entity(sensor: Sensor) -> tuple[str, str]:
    return ("sensor" if sensor.unit else "binary_sensor"), sensor.id.replace("-", "_")


def _state(_: Sensor, report: Report) -> bytes:
    """Texts stand in quotes, numbers do not."""
    value = report.value
    return (compact("on" if value else "off") if isinstance(value, bool) else str(value)).encode()


def _attributes(sensors: Sequence[Sensor], _at_ns: int) -> Iterator[Said]:
    for sensor in sensors:
        below = "/".join(("homeassistant", *_entity(sensor)))
        if unit := SPELT.get(sensor.unit or ""):
            yield Said(f"{below}/unit_of_measurement", compact(unit).encode(), 0)
        yield Said(f"{below}/friendly_name", compact(sensor.description).encode(), 0)
        yield Said(f"{below}/longitude", str(sensor.location[0]).encode(), 0)
        yield Said(f"{below}/latitude", str(sensor.location[1]).encode(), 0)


def _seconds(time_ns: int) -> int | float:
    return time_ns // SECOND if time_ns % SECOND == 0 else time_ns / SECOND


TASMOTA = OneByOne(
    origin=lambda sensor: (sensor.id, ".".join(_tasmota_names(sensor))),
    topic=lambda sensor: f"tele/{sensor.id}/SENSOR",
    payload=_tasmota,
)
ZIGBEE2MQTT = OneByOne(
    origin=lambda sensor: (sensor.id, slug(sensor)),
    topic=lambda sensor: f"zigbee2mqtt/{sensor.id}",
    payload=_zigbee,
    greeting=_zigbee_devices,
)
SHELLY = OneByOne(origin=_shelly_origin, topic=lambda sensor: f"{_shelly_id(sensor)}/events/rpc", payload=_shelly)
HOME_ASSISTANT = OneByOne(
    origin=lambda sensor: (".".join(_entity(sensor)), "state"),
    topic=lambda sensor: "/".join(("homeassistant", *_entity(sensor), "state")),
    payload=_state,
    greeting=_attributes,
    torn=noise,
    timed=False,
)
