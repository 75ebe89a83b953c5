"""LoRaWAN uplinks as the two network servers forward them: The Things Stack v3, ChirpStack v4. Pure.

https://www.thethingsindustries.com/docs/integrations/data-formats/, https://www.chirpstack.io/docs/chirpstack/integrations/events.html
"""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING

from simulators import chance
from simulators.encoders.encoder import OneByOne, Report, compact, slug

if TYPE_CHECKING:
    from simulators.city import Sensor

_APPLICATION = "city"
_TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
_FREQUENCIES = (867_100_000, 867_300_000, 867_500_000, 868_100_000, 868_300_000, 868_500_000)
"""Hz: channels of EU868."""
_ROOF = (45.7606, 4.8233)
"""Where the network's gateway stands: on Fourvière, and never where a sensor is."""


def _eui(sensor: Sensor) -> str:
    return f"70b3d57e{chance.named(sensor.id) & 0xFFFFFFFF:08x}"


def _raw(report: Report) -> str:
    """What came by radio: a float of 32 bits, which the codec below turned into an object."""
    return base64.b64encode(struct.pack("<f", float(report.value))).decode()


def _heard(sensor: Sensor, report: Report) -> tuple[int, float, int]:
    """RSSI (dBm), SNR (dB) and frequency (Hz) of an uplink."""
    drawn = chance.draw(chance.named(sensor.id), report.time_ns)
    return -60 - drawn % 55, (drawn >> 8) % 220 / 10 - 12, _FREQUENCIES[(drawn >> 16) % len(_FREQUENCIES)]


def _ttn(sensor: Sensor, report: Report) -> bytes:
    rssi, snr, frequency = _heard(sensor, report)
    latitude, longitude = _ROOF
    roof = {"latitude": latitude, "longitude": longitude, "source": "SOURCE_REGISTRY"}
    own = {"latitude": sensor.location[1], "longitude": sensor.location[0], "source": "SOURCE_REGISTRY"}
    message = {
        "end_device_ids": {
            "device_id": sensor.id,
            "application_ids": {"application_id": _APPLICATION},
            "dev_eui": _eui(sensor).upper(),
            "dev_addr": f"260B{chance.named(sensor.id) & 0xFFFF:04X}",
        },
        "received_at": report.time,
        "uplink_message": {
            "f_port": 2,
            "frm_payload": _raw(report),
            "decoded_payload": {slug(sensor): report.value},
            "rx_metadata": [{"gateway_ids": {"gateway_id": "roof"}, "rssi": rssi, "snr": snr, "location": roof}],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": 9, "coding_rate": "4/5"}},
                "frequency": str(frequency),
            },
            "received_at": report.time,
            "locations": {"user": own},
        },
    }
    return compact(message).encode()


def _chirpstack(sensor: Sensor, report: Report) -> bytes:
    rssi, snr, frequency = _heard(sensor, report)
    event = {
        "time": report.time.replace("Z", "+00:00"),
        "deviceInfo": {
            "tenantId": _TENANT,
            "applicationName": _APPLICATION,
            "deviceProfileName": sensor.observed_property,
            "deviceName": sensor.id,
            "devEui": _eui(sensor),
            "tags": {},
        },
        "devAddr": f"0018{chance.named(sensor.id) & 0xFFFF:04x}",
        "dr": 3,
        "fPort": 2,
        "data": _raw(report),
        "object": {slug(sensor): report.value},
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": rssi, "snr": snr}],
        "txInfo": {
            "frequency": frequency,
            "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 9, "codeRate": "CR_4_5"}},
        },
    }
    return compact(event).encode()


TTN = OneByOne(
    origin=lambda sensor: (sensor.id, slug(sensor)),
    topic=lambda sensor: f"v3/{_APPLICATION}@ttn/devices/{sensor.id}/up",
    payload=_ttn,
)
CHIRPSTACK = OneByOne(
    origin=lambda sensor: (_eui(sensor), slug(sensor)),
    topic=lambda sensor: f"application/{_TENANT}/device/{_eui(sensor)}/event/up",
    payload=_chirpstack,
)
