"""What simulated devices say has the shape of what real ones said: each member of it stands in a real payload, and is of its type.

The payloads lie in `../shared/samples`, where they may be used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from broker.times import HOUR, MINUTE, parse
from simulators.bike_share import BikeShare
from simulators.city import City
from simulators.encoders import make
from simulators.encoders.encoder import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
NOW = parse("2026-11-23T08:00:00Z")
CITY = City(7)
ROWS: dict[make.FormatName, tuple[str, str, set[str]]] = {
    "senml": ("pm25-1", "senml/ex*.json", set()),
    "senml-cbor": ("temperature-1", "senml/ex3.cbor", {"/-3"}),
    "ttn": ("bay-1", "ttn_v3/uplink_mqtt.json", {"decoded_payload", "location", "received_at", "coding_rate"}),
    "chirpstack": ("laeq-1", "chirpstack_v4/up.json", {"object"}),
    "sensor-community": ("pm25-1", "sensor_community/*.json", set()),
    "tasmota": ("temperature-1", "tasmota/SENSOR_BME280.json", {"Epoch"}),
    "zigbee2mqtt": ("temperature-1", "zigbee2mqtt/WSDCGQ01LM.json", {"air_temperature", "last_seen"}),
    "shelly": ("temperature-1", "shelly/NotifyStatus_switch.json", {"temperature:0"}),
    "impinj": ("gate-1", "impinj/tagInventory_full.json", set()),
    "zebra": ("gate-1", "zebra_iotc/tag_SIMPLE.json", {"hostName"}),
    "epcis": ("temperature-1", "epcis_2_0/*.jsonld", {"@context"}),
    "ngsi": ("laeq-1", "smart_data_models/NoiseLevelObserved.example-normalized.jsonld", {"laeq", "observedAt"}),
    "cloudevents": ("flow-1", "cloudevents/*.json", {"data", "subject"}),
    "gbfs": ("bikes-1", "gbfs/v3*.json", {"num_docks_available"}),
}
"""Format: a sensor, real payloads, and members that these lack and the specification has."""


def members(found: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """(path, type) of every value; places in arrays are all alike, and numbers."""
    if isinstance(found, dict):
        for name, inner in found.items():
            yield from members(inner, f"{at}/{name}")
    elif isinstance(found, list):
        for inner in found:
            yield from members(inner, f"{at}[]")
    else:
        yield at, "number" if isinstance(found, int | float) and not isinstance(found, bool) else type(found).__name__


def real(pattern: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for path in sorted(SAMPLES.glob(pattern)):
        raw = path.read_bytes()
        found |= set(members(cbor2.loads(raw) if path.suffix == ".cbor" else json.loads(raw)))
    return found


@pytest.mark.parametrize("name", ROWS)
def test_what_is_said_has_the_shape_of_what_a_real_device_said(name: make.FormatName) -> None:
    sensor_id, pattern, besides = ROWS[name]
    known = real(pattern)
    if not known:
        pytest.skip(f"{pattern} is not beside this checkout")
    sensor = next(one for one in CITY.sensors if one.id == sensor_id)
    reading = next(CITY.readings(sensor, NOW - HOUR, NOW))
    (said,) = make.make(name).messages([Report(sensor, parse(str(reading["time"])), reading, sensor.unit)])
    found = cbor2.loads(said.payload) if name == "senml-cbor" else json.loads(said.payload)
    strange = {one for one in members(found) if one not in known and not any(word in one[0] for word in besides)}
    assert not strange


@pytest.mark.parametrize(("version", "lacking"), [("2.3", set()), ("3.0", {"num_docks_available"})])
def test_the_bike_shares_status_has_the_shape_of_a_real_ones(version: Any, lacking: set[str]) -> None:
    known = real(f"gbfs/v{version}_station_status*.json")
    if not known:
        pytest.skip("gbfs is not beside this checkout")
    document = BikeShare(CITY).document(version, "station_status", NOW + MINUTE)
    assert not {one for one in members(document) if one not in known and not any(word in one[0] for word in lacking)}
