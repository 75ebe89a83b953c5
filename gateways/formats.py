"""The formats that a gateway may speak, by the name that configuration and interface use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.entry import Decode, Refusal
from broker.model import FormatName
from broker.reading import Custom, Format, Formats, Understood
from gateways import (
    canonical,
    cloudevents,
    epc,
    epcis,
    gbfs,
    gtfs_rt,
    home_assistant,
    lorawan,
    ngsi,
    opensensemap,
    relayed,
    rfid_readers,
    senml,
    sensor_community,
    shelly,
    show,
    sparkplug,
    tasmota,
    units,
    zigbee2mqtt,
)
from gateways.foreign import EXPECTED, Read

DECODERS: dict[str, Decode] = {"json": canonical.decode}
"""Those of one datastream's own topic."""
READERS: dict[FormatName, Callable[[Custom], Read]] = {
    "json": canonical.reader,
    "senml": senml.json_reader,
    "senml-cbor": senml.cbor_reader,
    "ttn": lorawan.ttn_reader,
    "chirpstack": lorawan.chirpstack_reader,
    "sensor-community": sensor_community.reader,
    "opensensemap": opensensemap.reader,
    "tasmota": tasmota.reader,
    "zigbee2mqtt": zigbee2mqtt.reader,
    "shelly": shelly.reader,
    "home-assistant": home_assistant.reader,
    "sparkplug": sparkplug.reader,
    "impinj": rfid_readers.impinj_reader,
    "zebra": rfid_readers.zebra_reader,
    "epcis": epcis.reader,
    "ngsi": ngsi.reader,
    "cloudevents": cloudevents.reader,
    "gbfs": gbfs.reader,
    "gtfs-rt": gtfs_rt.reader,
    "gateway": relayed.reader,
}


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A reader whose payload that can't be read is refused as a whole."""

    read: Read

    def understand(self, topic: str, payload: bytes, arrived: int) -> Understood:
        try:
            return self.read(topic, payload, arrived)
        except EXPECTED as error:
            return Understood([Refusal(0, str(error))])


def formats() -> Formats:
    """All that the core is given."""
    return Formats(DECODERS, make, units.convert, epc.canonical, lambda understood: list(show.shown(understood)))


def make(name: FormatName, custom: Custom) -> Format:
    """A format for one gateway's messages, which it is to be given in order."""
    return _Guarded(READERS[name](custom))
