"""Messages in each format, written for these tests from the formats' specifications: (topic below the gateway's own, payload)."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import cbor2

from gateways import gtfs_rt
from gateways.sparkplug import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def text(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()


def sparkplug(seq: int | None, *metrics: tuple[str | None, int | None, int, dict[str, Any]]) -> bytes:
    """A payload of (name, alias, datatype, value) metrics."""
    made = [
        {
            "timestamp": 1795377600250,
            "datatype": datatype,
            **value,
            **({"name": name} if name else {}),
            **({"alias": alias} if alias else {}),
        }
        for name, alias, datatype, value in metrics
    ]
    return SCHEMA.make("Payload", timestamp=1795377600250, metrics=made, seq=seq).SerializeToString()


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
        (
            "",
            text([
                {
                    "id": 21500000001, "sampling_rate": None, "timestamp": "2026-11-22 19:58:30",
                    "location": {"id": 7, "latitude": "45.76", "longitude": "4.84", "country": "FR", "exact_location": 0, "indoor": 0},
                    "sensor": {"id": 140, "pin": "1", "sensor_type": {"id": 14, "name": "SDS011", "manufacturer": "Nova Fitness"}},
                    "sensordatavalues": [{"id": 1, "value_type": "P1", "value": "18.30"}, {"id": 2, "value_type": "P2", "value": "7.05"}],
                },
                {
                    "id": 21500000002, "sampling_rate": None, "timestamp": "2026-11-22 19:58:31", "location": {"id": 7},
                    "sensor": {"id": 141, "pin": "7", "sensor_type": {"id": 17, "name": "BME280", "manufacturer": "Bosch"}},
                    "sensordatavalues": [{"id": 3, "value_type": "temperature", "value": "11.48"}],
                },
            ]),
        ),
    ],
    "opensensemap": [
        (SENSEBOX, text([{"sensor": "a" * 24, "value": "7.5", "createdAt": "2026-11-22T20:00:00.250Z"}])),
        (SENSEBOX, text({"a" * 24: ["7.5", "2026-11-22T20:00:00Z"], "b" * 24: 3, "c" * 24: ["4"]})),
        (SENSEBOX, f"{'a' * 24},7.5,2026-11-22T20:00:00Z,4.83,45.76\n{'b' * 24},3\n".encode()),
        (SENSEBOX, struct.pack("<12sfI", bytes.fromhex("a" * 24), 4.3, 1795377600)),
        (SENSEBOX, struct.pack("<12sf12sf", bytes.fromhex("a" * 24), 4.3, bytes.fromhex("b" * 24), -1.25)),
        (SENSEBOX, struct.pack("<12sf", bytes.fromhex("a" * 24), 4.3).hex().encode()),
        (SENSEBOX, text({"reading": {"PM2.5_AirPollutantValue": "7.9"}, "battery": "5.9"})),
        (f"{SENSEBOX}/{'a' * 24}", b"createdAt,value\n2026-11-22T20:00:00.250Z,6.38\n"),
    ],
    "tasmota": [
        (
            "tele/cellar/SENSOR",
            text({
                "Time": "2026-11-22T21:00:00",
                "Epoch": 1795377600,
                "SHT3X-0x44": {"Temperature": 12.5, "Humidity": 71.2, "DewPoint": 7.4},
                "ENERGY": {"Total": 12.34, "Power": [10, 20], "Voltage": 231, "TotalStartTime": "2026-01-01T00:00:00"},
                "VINDRIKTNING": {"PM2.5": 6},
                "TempUnit": "C",
            }),
        ),
        ("stat/cellar/STATUS10", text({"StatusSNS": {"Time": "2026-07-01T12:00:00", "DS18B20": {"Id": "00", "Temperature": 54.5}, "TempUnit": "F"}})),
    ],
    "zigbee2mqtt": [
        (
            "zigbee2mqtt/bridge/devices",
            text([
                {"friendly_name": "Coordinator", "type": "Coordinator", "definition": None},
                {
                    "friendly_name": "kitchen/window",
                    "definition": {
                        "vendor": "Aqara",
                        "model": "WSDCGQ11LM",
                        "exposes": [
                            {"type": "numeric", "name": "temperature", "property": "temperature", "unit": "°C"},
                            {"type": "composite", "property": "level", "features": [{"property": "noise", "unit": "dBA"}]},
                            {"type": "numeric", "property": "linkquality", "unit": "lqi"},
                        ],
                    },
                },
            ]),
        ),
        ("zigbee2mqtt/kitchen/window", text({"temperature": 21.37, "contact": True, "level": {"noise": 40}, "linkquality": 87, "battery": None})),
        ("zigbee2mqtt/kitchen/window", text({"temperature": 21.4, "last_seen": "2026-11-22T20:00:00.250Z"})),
        ("zigbee2mqtt/kitchen/window", text({"temperature": 21.5, "last_seen": 1795377600250})),
    ],
    "shelly": [
        (
            "shellyplus1pm-1/events/rpc",
            text({
                "src": "shellyplus1pm-1",
                "method": "NotifyStatus",
                "params": {"ts": 1795377600.25, "switch:0": {"id": 0, "apower": 42.5, "aenergy": {"total": 7.5, "by_minute": [1.0]}, "errors": None}},
            }),
        ),
        ("shellyplus1pm-1/status/temperature:100", text({"id": 100, "tC": 11.5, "tF": 52.7})),
        ("shellies/shellyht-1/sensor/temperature", b"18.75"),
        ("shellies/shelly1pm-1/relay/0/energy", b"1200"),
        ("shellies/shelly1pm-1/relay/0", b"on"),
        (
            "",
            text({"src": "shellypro3em-1", "result": {"em:0": {"id": 0, "a_act_power": 12.5, "a_voltage": 230.1}, "sys": {"unixtime": 1795377600}}}),
        ),
        ("shellyem-1", text({"emeters": [{"power": 5.5, "total": 12.0, "is_valid": True}], "tmp": {"tC": 40.5}, "unixtime": 1795377600, "uptime": 5})),
    ],
    "home-assistant": [
        ("homeassistant/sensor/attic/unit_of_measurement", text("°C")),
        ("homeassistant/sensor/attic/state", b"17.5"),
        ("homeassistant/sensor/attic/state", b"unavailable"),
        ("homeassistant/sensor/attic/last_updated", text("2026-11-22T20:00:00.000001+00:00")),
        ("homeassistant/binary_sensor/door/state", text("on")),
        ("homeassistant/sensor/attic/longitude", b"4.8357"),
        ("homeassistant/sensor/attic/latitude", b"45.7605"),
    ],
    "sparkplug": [
        ("spBv1.0/works/NBIRTH/pump-1", sparkplug(0, ("bdSeq", None, 8, {"long_value": 3}), ("Node Control/Rebirth", None, 11, {"boolean_value": False}), ("Level", 1, 9, {"float_value": 12.1}))),
        ("spBv1.0/works/DBIRTH/pump-1/valve", sparkplug(1, ("Opening", 2, 1, {"int_value": 4_294_967_295}), ("Temp", 3, 10, {"double_value": 1.5}))),
        ("spBv1.0/works/NDATA/pump-1", sparkplug(2, (None, 1, 9, {"float_value": 12.3}))),
        ("spBv1.0/works/DDATA/pump-1/valve", sparkplug(3, (None, 2, 1, {"int_value": 200}), (None, 3, 0, {"is_null": True}))),
        ("spBv1.0/works/DDEATH/pump-1/valve", sparkplug(4)),
        ("spBv1.0/works/NDEATH/pump-1", sparkplug(None, ("bdSeq", None, 8, {"long_value": 3}))),
        ("spBv1.0/works/DDATA/pump-1/valve", text({"timestamp": 1795377600250, "metrics": [{"name": "Opening", "dataType": "Int8", "value": 55}], "seq": 0})),
    ],
    "impinj": [
        (
            "",
            text([
                {
                    "timestamp": "2026-11-22T20:00:00.123456789Z",
                    "hostname": "impinj-1",
                    "eventType": "tagInventory",
                    "tagInventoryEvent": {"epc": "MDQle_cZTkAAABqF", "antennaPort": 2, "antennaName": "east", "peakRssiCdbm": -5125},
                },
                {"timestamp": "2026-11-22T20:00:00Z", "hostname": "impinj-1", "eventType": "inventoryStatus", "inventoryStatusEvent": {"status": "running"}},
            ]),
        ),
        (
            "",
            text({
                "readerName": "dock",
                "tag_reads": [{"epc": "3034257BF7194E4000001A85", "firstSeenTimestamp": 1795377600123456, "antennaPort": 1, "antennaZone": "DOCK", "peakRssi": -44.5}],
            }),
        ),
        ("", b"\r\n"),
    ],
    "zebra": [
        (
            "",
            text([
                {
                    "type": "INVENTORY",
                    "timestamp": "2026-11-22T21:00:00.250+0100",
                    "data": {"idHex": "3034257BF7194E4000001A85", "antenna": 3, "peakRssi": -52, "hostName": "FX9600-1", "eventNum": 7, "format": "epc"},
                },
                {"type": "heartbeat", "timestamp": "2026-11-22T21:00:00+0100", "data": {"radioActivity": "active"}},
            ]),
        ),
        ("", text({"type": "SIMPLE", "timestamp": "2026-11-22T20:00:00Z", "data": {"tagData": [{"idHex": "3034257BF7194E4000001A86", "peakRssi": -60}]}})),
    ],
    "epcis": [
        (
            "",
            text({
                "type": "EPCISDocument",
                "schemaVersion": "2.0",
                "epcisBody": {
                    "eventList": [
                        {
                            "type": "ObjectEvent",
                            "action": "OBSERVE",
                            "eventTime": "2026-11-22T21:00:00.5+01:00",
                            "eventTimeZoneOffset": "+01:00",
                            "epcList": ["urn:epc:id:sgtin:0614141.812345.6789"],
                            "readPoint": {"id": "urn:epc:id:sgln:0614141.00001.7"},
                            "sensorElementList": [
                                {
                                    "sensorMetadata": {"startTime": "2026-11-22T19:00:00Z", "endTime": "2026-11-22T19:30:00Z"},
                                    "sensorReport": [
                                        {"type": "gs1:Temperature", "uom": "CEL", "minValue": 3.5, "maxValue": 5.25},
                                        {"type": "Acceleration", "component": "x", "uom": "MSK", "value": 0.5, "time": "2026-11-22T19:10:00Z"},
                                        {"type": "Pressure", "uom": "ZZZ", "value": 7.5, "deviceID": "urn:epc:id:giai:0614141.5"},
                                        {"type": "Temperature", "exception": "ALARM_CONDITION", "booleanValue": True},
                                    ],
                                }
                            ],
                        }
                    ]
                },
            }),
        ),
        (
            "",
            text({"type": "ObjectEvent", "action": "OBSERVE", "eventTime": "2026-11-22T20:00:00Z", "epcList": ["urn:epc:id:giai:0614141.12"]}),
        ),
    ],
    "ngsi": [
        (
            "",
            text({
                "id": "urn:ngsi-ld:AirQualityObserved:quay-2",
                "type": "AirQualityObserved",
                "dateObserved": {"type": "Property", "value": {"@type": "DateTime", "@value": "2026-11-22T21:00:00"}},
                "no2": {"type": "Property", "value": 41.5, "unitCode": "GQ"},
                "pm25": {"type": "Property", "value": 9, "unitCode": "GQ", "observedAt": "2026-11-22T19:59:00Z"},
                "odd": {"type": "Property", "value": 1, "unitCode": "QQQ"},
                "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.8357, 45.7605]}},
                "refDevice": {"type": "Relationship", "object": "urn:ngsi-ld:Device:7"},
            }),
        ),
        ("", text([{"id": "quay-2", "type": "AirQualityObserved", "dateObserved": "2026-11-22T20:00:00Z", "no2": 40, "refPoint": "x"}])),
        (
            "",
            text({
                "id": "quay-2",
                "type": "AirQualityObserved",
                "no2": [{"type": "Property", "value": 1.5, "observedAt": "2026-11-22T20:00:00Z"}, {"type": "Property", "value": 2.5, "observedAt": "2026-11-22T20:01:00Z"}],
                "no": {"type": "Property", "values": [[3.5, "2026-11-22T20:00:00Z"]]},
            }),
        ),
        (
            "",
            text({
                "subscriptionId": "s",
                "data": [{"id": "quay-2", "type": "A", "co": {"type": "Number", "value": 5, "metadata": {"unitCode": {"value": "GP"}}}}],
            }),
        ),
    ],
    "cloudevents": [
        (
            "",
            text({
                "specversion": "1.0",
                "id": "1",
                "source": "/meters",
                "subject": "m7",
                "type": "org.example.reading",
                "time": "2026-11-22T20:00:00.5Z",
                "data": {"kwh": 12.5, "tamper": False},
            }),
        ),
        (
            "",
            text([
                {
                    "specversion": "1.0",
                    "id": "2",
                    "source": "/meters",
                    "type": "org.example.reading",
                    "datacontenttype": "application/senml+json",
                    "time": "2026-11-22T20:00:00Z",
                    "data": [{"n": "m8/power", "u": "W", "v": 230, "t": -1}],
                },
                {"specversion": "1.0", "id": "3", "source": "/meters", "type": "t", "data_base64": "eyJrd2giOiAxMy41fQ=="},
            ]),
        ),
    ],
    "gbfs": [
        (
            "station_status",
            text({
                "last_updated": 1795377600,
                "ttl": 60,
                "version": "2.3",
                "data": {
                    "stations": [
                        {
                            "station_id": "s1",
                            "num_bikes_available": 3,
                            "num_docks_available": 9,
                            "is_renting": True,
                            "last_reported": 1795377590,
                            "vehicle_types_available": [{"vehicle_type_id": "ebike", "count": 1}],
                        }
                    ]
                },
            }),
        ),
        (
            "station_status",
            text({
                "last_updated": "2026-11-22T21:00:00+01:00",
                "ttl": 60,
                "version": "3.0",
                "data": {
                    "stations": [
                        {
                            "station_id": "s1",
                            "num_vehicles_available": 4,
                            "last_reported": "2026-11-22T20:59:50+01:00",
                            "vehicle_docks_available": [{"vehicle_type_ids": ["bike", "ebike"], "count": 8}],
                        }
                    ]
                },
            }),
        ),
        (
            "station_information",
            text({
                "last_updated": "2026-11-22T20:00:00Z",
                "ttl": 60,
                "version": "3.0",
                "data": {"stations": [{"station_id": "s1", "name": [{"text": "Quay", "language": "en"}], "lat": 45.76, "lon": 4.83, "capacity": 12}]},
            }),
        ),
        (
            "vehicle_status",
            text({
                "last_updated": "2026-11-22T20:00:00Z",
                "ttl": 0,
                "version": "3.0",
                "data": {
                    "vehicles": [
                        {"vehicle_id": "5f0c", "vehicle_type_id": "bike", "lat": 45.7, "lon": 4.8, "is_reserved": True, "is_disabled": False},
                        {"vehicle_id": "9a31", "vehicle_type_id": "bike", "lat": 45.7, "lon": 4.8, "is_reserved": False, "is_disabled": False},
                    ]
                },
            }),
        ),
    ],
    "gtfs-rt": [
        (
            "",
            gtfs_rt.SCHEMA.make(
                "FeedMessage",
                header={"gtfs_realtime_version": "2.0", "timestamp": 1795377600},
                entity=[
                    {
                        "id": "t",
                        "trip_update": {
                            "trip": {"trip_id": "line-7-0915"},
                            "stop_time_update": [{"stop_id": "quay", "arrival": {"delay": 65, "time": 1795377700}}],
                        },
                    },
                    {
                        "id": "v",
                        "vehicle": {
                            "vehicle": {"id": "bus-12"},
                            "position": {"latitude": 45.76, "longitude": 4.83, "speed": 8.5},
                            "occupancy_status": "FEW_SEATS_AVAILABLE",
                            "timestamp": 1795377595,
                        },
                    },
                    {"id": "a", "alert": {"cause": "STRIKE", "header_text": {"translation": [{"text": "Fewer buses"}]}}},
                ],
            ).SerializeToString(),
        ),
    ],
    "gateway": [
        (
            "~readings",
            text([
                {"device": "cellar", "about": {"name": "Cellar", "model": "BME280", "location": [4.835, 45.767]}},
                {"device": "cellar", "property": "temperature", "time": "2026-11-22T20:00:00.25Z", "value": 12.5, "unit": "Cel"},
                {"device": "gate", "epc": "urn:epc:id:sgtin:0614141.812345.6656", "time": "2026-11-22T20:00:00Z", "antenna": 1},
            ]),
        ),
        ("pm25", text({"time": "2026-11-22T20:00:00Z", "value": 12.5})),
    ],
}  # fmt: skip

REFUSED: Mapping[str, Sequence[tuple[str, bytes, str]]] = {
    "json": [("d", text({"value": 1, "tiem": 2}), "unknown field"), ("d", text({"value": [1]}), "no number, text or boolean|array")],
    "senml": [
        ("", text([{"n": "a", "v": 1, "odd_": 2}]), "must be understood"),
        ("", text([{"bver": 11, "n": "a", "v": 1}]), "bver"),
        ("", text([{"n": "a", "v": 1, "vs": "x"}]), "two values"),
        ("", text([{"n": "a b", "v": 1}]), "name"),
        ("", text([{"bv": 0.5, "n": "a", "v": 10**400}]), "beyond all floats"),
    ],
    "senml-cbor": [("", b"\xff\x00", "no CBOR"), ("", cbor2.dumps([{0: "a", 2: 1, "odd_": 2}]), "as above|must be understood")],
    "ttn": [
        ("", text({"end_device_ids": {"device_id": "d"}, "simulated": True, "uplink_message": {"frm_payload": "AA=="}}), "simulated"),
        ("", text({"x": 1}), "end_device_ids"),
    ],
    "chirpstack": [("", text({"time": "2026-11-22T20:00:00Z", "data": "AQ=="}), "devEui")],
    "sensor-community": [
        ("", text({"sensordatavalues": [{"value_type": "SDS_P1", "value": "nan"}]}), "expected a number"),
        ("", text({}), "sensordatavalues"),
    ],
    "opensensemap": [("", b"\x01\x02\x03", "none of theirs|expected measurements"), ("", text([{"sensor": "a"}]), "value")],
    "tasmota": [("tele/d/SENSOR", text({"Time": "2026-11-22T20:00:00"}), "a sensor's name")],
    "zigbee2mqtt": [("zigbee2mqtt/d", b"21", "expected a JSON object")],
    "shelly": [("shellies/d/relay/0", b"", "an empty payload")],
    "home-assistant": [("ha/sensor/d/state", b"\xff", "codec can't decode")],
    "sparkplug": [
        ("spBv1.0/g/DDATA/n/d", sparkplug(4, (None, 7, 9, {"float_value": 1.0})), "alias"),
        ("spBv1.0/g/NBIRTH/n", sparkplug(0, ("b", None, 17, {"bytes_value": b"x"})), "no single value"),
        ("elsewhere", sparkplug(0), "another topic|topic: expected"),
    ],
    "impinj": [("", text({"hostname": "r"}), "tagInventoryEvent"), ("", text({"tagInventoryEvent": {"epcHex": "zz"}}), "an EPC that is none|epc")],
    "zebra": [("", text({"type": "SIMPLE", "data": {"idHex": "zz"}}), "expected urn:epc:id")],
    "epcis": [
        ("", text({"type": "AggregationEvent", "action": "OBSERVE"}), "only an ObjectEvent"),
        ("", text({"type": "ObjectEvent", "action": "DELETE", "eventTime": "2026-11-22T20:00:00Z"}), "DELETE"),
        (
            "",
            text({"type": "ObjectEvent", "action": "OBSERVE", "eventTime": "2026-11-22T20:00:00Z", "epcList": ["https://id.gs1.org/01/1/21/2"]}),
            "Digital Link|epc",
        ),
    ],
    "ngsi": [("", text({"type": "A", "no2": 1}), "an entity without id")],
    "cloudevents": [
        ("", text({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "datacontenttype": "text/xml", "data": "<a/>"}), "expected JSON or SenML"),
        ("", text({"temperature": 21}), "specversion"),
    ],
    "gbfs": [
        ("", text({"data": {"stations": []}}), "last_updated"),
        ("", text({"last_updated": 1795377600, "data": {"stations": [{"num_bikes_available": 1}]}}), "station_id"),
    ],
    "gtfs-rt": [("", b"\xff\xff", "no protobuf"), ("", b"", "gtfs_realtime_version")],
    "gateway": [
        ("~readings", text([{"device": "cellar", "property": "temperature", "value": 12.5}]), "expected a time"),
        ("~readings", text({"device": "cellar", "time": "2026-11-22T20:00:00Z"}), "expected property and value, epc, or about"),
        ("pm25", text({"valu": 1}), "unknown field"),
    ],
}  # fmt: skip
"""What is refused: (topic, payload, a word of `docs/formats.md` for it, or that and a word of the reason)."""
