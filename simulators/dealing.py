"""Who has which gateway of a city, and what its devices speak, where nobody says so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simulators.city import City
    from simulators.encoders.make import FormatName

_SPOKEN: Mapping[str, tuple[FormatName, ...]] = {
    "air": ("ngsi", "senml", "sensor-community", "epcis", "json"),
    "weather": ("zigbee2mqtt", "tasmota", "home-assistant", "shelly", "opensensemap"),
    "noise": ("chirpstack", "ttn", "senml-cbor"),
    "roads": ("sparkplug", "cloudevents", "json"),
    "parking": ("ttn", "chirpstack"),
    "forest": ("impinj", "epcis"),
    "works": ("zebra", "json"),
    "bikes": ("gbfs",),
    "buses": ("gtfs-rt",),
}
"""What each kind of the city's gateways speaks: the first the first, and so on round. All formats are there."""


class Dealt(NamedTuple):
    organisation: str
    gateway: str
    """One of the city's own."""
    format: FormatName


def deal(city: City, owners: int) -> list[Dealt]:
    """The city's gateways, one after the other to `owner-1`, `owner-2` and so on: each has some of everything."""
    gateways = sorted({sensor.gateway for sensor in city.sensors})
    return [Dealt(f"owner-{1 + place % owners}", name, spoken(name)) for place, name in enumerate(gateways)]


def spoken(gateway: str) -> FormatName:
    """The format of one of the city's gateways, such as `weather-2`."""
    kind, _, number = gateway.rpartition("-")
    return _SPOKEN[kind][(int(number) - 1) % len(_SPOKEN[kind])]
