"""RFID readers that send their tag reads themselves: Impinj's IoT device interface, Zebra's IoT Connector. Pure.

https://platform.impinj.com/site/docs/reader_api/index.gsp , https://zebradevs.github.io/rfid-ziotc-docs/
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from simulators import chance
from simulators.encoders.encoder import Packed, Report, array, compact
from simulators.memory import of_uri

if TYPE_CHECKING:
    from simulators.city import Sensor

_PACK = 25
"""Events in one message: readers that are behind send arrays of them."""
TAG = "epc"
"""What a tag read is called where a property is named."""


def _impinj(sensor: Sensor, report: Report) -> bytes:
    """RSSI is in hundredths of a dBm, the EPC in base64 of URLs and in hexadecimal."""
    memory = of_uri(str(report.said["epc"]))
    event = {
        "timestamp": report.time,
        "hostname": sensor.id,
        "eventType": "tagInventory",
        "tagInventoryEvent": {
            "epc": base64.urlsafe_b64encode(memory).decode(),
            "epcHex": memory.hex().upper(),
            "antennaPort": report.said["antenna"],
            "antennaName": report.said["read_point"],
            "peakRssiCdbm": 100 * int(report.said["rssi"]),
            "lastSeenTime": report.time,
        },
    }
    return compact(event).encode()


def _zebra(sensor: Sensor, report: Report) -> bytes:
    """The offset has no colon."""
    data = {
        "MAC": ":".join(f"{byte:02X}" for byte in (chance.named(sensor.id) & (1 << 48) - 1).to_bytes(6)),
        "antenna": report.said["antenna"],
        "eventNum": 1 + report.time_ns // 1_000_000 % 1_000_000,
        "format": "epc",
        "hostName": sensor.id,
        "idHex": of_uri(str(report.said["epc"])).hex().upper(),
        "peakRssi": report.said["rssi"],
        "reads": 1,
    }
    return compact({"type": "SIMPLE", "timestamp": report.time.replace("Z", "+0000"), "data": data}).encode()


IMPINJ = Packed(lambda sensor: (sensor.id, TAG), lambda _: "impinj", array(_impinj), _PACK)
ZEBRA = Packed(lambda sensor: (sensor.id, TAG), lambda _: "zebra", array(_zebra), _PACK)
