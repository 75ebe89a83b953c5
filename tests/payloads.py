"""Messages in each format, written for these tests from the formats' specifications: (topic below the gateway's own, payload)."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import cbor2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def text(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()


SENSEBOX = "5eb99cacd46fb8001b2ce04c"
MESSAGES: Mapping[str, Sequence[tuple[str, bytes]]] = {
    "json": [
        ("pm25", text({"time": "2026-11-22T20:00:00.000000001Z", "value": 12.5})),
        ("gate", text([{"epc": "3034257BF7194E4000001A85", "antenna": 2, "rssi": -61.5, "read_point": "north"}])),
    ],
    "senml": [
        ("", text([{"bn": "urn:dev:mac:0024befffe804ff1:", "bt": 1795377600.25, "bu": "Cel", "n": "indoor", "v": 21.5}])),
        ("", text([{"bn": "house/", "n": "energy", "u": "W", "v": 230, "s": 12.5, "t": -5}, {"n": "door", "vb": True}])),
        ("", text([{"n": "label", "vs": "open"}, {"n": "blob", "vd": "aGk"}, {"bv": 20, "n": "t", "v": 1.5, "u": "xyz"}])),
    ],
    "senml-cbor": [
        ("", cbor2.dumps([{-2: "urn:dev:mac:0024befffe804ff1:", -3: 1795377600.25, 0: "indoor", 1: "Cel", 2: 21.5}])),
        ("", cbor2.dumps([{0: "door", 4: True}, {0: "label", 3: "open"}, {0: "blob", 8: b"hi"}, {0: "n", 2: 3, 6: -2}])),
    ],
    "ttn": [
        (
            "v3/city@ttn/devices/bin-17/up",
            text({
                "end_device_ids": {"device_id": "bin-17", "dev_eui": "70B3D57ED0000017"},
                "received_at": "2026-11-22T20:00:00.123456789Z",
                "uplink_message": {
                    "f_port": 2,
                    "frm_payload": "AQID",
                    "decoded_payload": {"level": 0.75, "battery": {"volts": 3.61}, "tilted": False},
                    "rx_metadata": [{"location": {"latitude": 45.1, "longitude": 4.2}}],
                    "locations": {"user": {"latitude": 45.7605, "longitude": 4.8357, "source": "SOURCE_REGISTRY"}},
                    "received_at": "2026-11-22T19:59:59.987654321Z",
                },
            }),
        ),
    ],
    "chirpstack": [
        (
            "application/7/device/70b3d57ed0000018/event/up",
            text({
                "time": "2026-11-22T20:00:00.123456789+00:00",
                "deviceInfo": {"devEui": "70b3d57ed0000018", "deviceName": "bin 18", "deviceProfileName": "level"},
                "fPort": 2,
                "data": "AQID",
                "object": {"level": 0.5, "probes": [1.5, 2.5]},
                "rxInfo": [{"location": {"latitude": 45.1, "longitude": 4.2}}],
            }),
        ),
    ],
    "sensor-community": [
        (
            "esp8266-1234567/1",
            text({
                "software_version": "NRZ-2024-135",
                "sensordatavalues": [
                    {"value_type": "SDS_P1", "value": "18.30"},
                    {"value_type": "SDS_P2", "value": "7.05"},
                    {"value_type": "BME280_temperature", "value": "11.48"},
                    {"value_type": "BME280_pressure", "value": "99214.03"},
                    {"value_type": "PMS_P0", "value": "4"},
                    {"value_type": "signal", "value": "-71 dBm"},
                ],
            }),
        ),
    ],
    "opensensemap": [
        (SENSEBOX, text([{"sensor": "a" * 24, "value": "7.5", "createdAt": "2026-11-22T20:00:00.250Z"}])),
        (SENSEBOX, text({"a" * 24: ["7.5", "2026-11-22T20:00:00Z"], "b" * 24: 3, "c" * 24: ["4"]})),
        (SENSEBOX, f"{'a' * 24},7.5,2026-11-22T20:00:00Z,4.83,45.76\n{'b' * 24},3\n".encode()),
        (SENSEBOX, struct.pack("<12sfI", bytes.fromhex("a" * 24), 4.3, 1795377600)),
        (SENSEBOX, struct.pack("<12sf12sf", bytes.fromhex("a" * 24), 4.3, bytes.fromhex("b" * 24), -1.25)),
        (SENSEBOX, text({"reading": {"PM2.5_AirPollutantValue": "7.9"}, "battery": "5.9"})),
        (f"{SENSEBOX}/{'a' * 24}", b"createdAt,value\n2026-11-22T20:00:00.250Z,6.38\n"),
    ],
}  # fmt: skip
