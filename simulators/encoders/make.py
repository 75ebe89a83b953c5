"""The encoders by the names of their formats, and what each can say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from simulators.encoders import citizens, events, home, lorawan, own, readers
from simulators.encoders.gbfs import GBFS
from simulators.encoders.gtfs_rt import GTFS_RT
from simulators.encoders.sparkplug import Sparkplug

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.city import Sensor
    from simulators.encoders.encoder import Encoder

FormatName: TypeAlias = Literal[
    "json", "senml", "senml-cbor", "ttn", "chirpstack", "sensor-community", "opensensemap", "tasmota", "zigbee2mqtt", "shelly",
    "home-assistant", "sparkplug", "impinj", "zebra", "epcis", "ngsi", "cloudevents", "gbfs", "gtfs-rt",
]  # fmt: skip
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
TAGS: frozenset[FormatName] = frozenset(("json", "impinj", "zebra", "epcis"))
"""Those that can tell of tags."""
NO_VALUES: frozenset[FormatName] = frozenset(("impinj", "zebra"))
"""Those that tell of nothing else."""
_OF_ONE_THEME: Mapping[FormatName, str] = {"gbfs": "bike share", "gtfs-rt": "public transport"}
_WITHOUT_MEMORY: Mapping[FormatName, Encoder] = {
    "json": own.JSON,
    "senml": own.SENML_JSON,
    "senml-cbor": own.SENML_CBOR,
    "ttn": lorawan.TTN,
    "chirpstack": lorawan.CHIRPSTACK,
    "sensor-community": citizens.SENSOR_COMMUNITY,
    "opensensemap": citizens.OPENSENSEMAP,
    "tasmota": home.TASMOTA,
    "zigbee2mqtt": home.ZIGBEE2MQTT,
    "shelly": home.SHELLY,
    "home-assistant": home.HOME_ASSISTANT,
    "impinj": readers.IMPINJ,
    "zebra": readers.ZEBRA,
    "epcis": events.EPCIS,
    "ngsi": events.NGSI,
    "cloudevents": events.CLOUDEVENTS,
    "gbfs": GBFS,
    "gtfs-rt": GTFS_RT,
}


def make(name: FormatName) -> Encoder:
    """An encoder for one gateway."""
    return Sparkplug() if name == "sparkplug" else _WITHOUT_MEMORY[name]


def can_say(name: FormatName, sensor: Sensor) -> bool:
    """Whether a format has words for what a sensor observes."""
    if sensor.kind == "rfid":
        return name in TAGS
    theme = _OF_ONE_THEME.get(name)
    return name not in NO_VALUES and theme in (None, sensor.theme)
