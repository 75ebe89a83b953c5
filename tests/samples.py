"""What each real payload beside this checkout says, by its specification: only the values that are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from broker.model import FormatName
    from broker.points import Value

Row: TypeAlias = "tuple[str, Value, str | None, str | None]"
"""(property, value, unit, time) of a reading, (read point or antenna, EPC, RSSI, time) of a tag read."""
_TASMOTA = {"Temperature": "Cel", "DewPoint": "Cel", "Humidity": "%", "Pressure": "hPa", "Gas": "kOhm"}
OW = "urn:dev:ow:10e2073a01080063"
SEEN_AT_3: Row = (
    "urn:epc:id:sgln:4012345.00005.0",
    "urn:epc:id:sgtin:4012345.011111.9876",
    None,
    "2019-04-02T14:00:00Z",
)
REPORTED = {"Temperature": "Cel", "AbsoluteHumidity": "g/m3", "Speed": "km/h", "Illuminance": "lx"}
NOISE = {"LAS": 91.6, "LAeq": 67.8, "LAeq_d": 65.4, "LAmax": 94.5}
_LD = "urn:ngsi-ld:AirQualityObserved:"
AIR: list[tuple[str, str, list[tuple[str, Value, str | None]]]] = [
    (
        ".json",
        "",
        [
            ("precipitation", 0, None), ("relativeHumidity", 0.54, None), ("temperature", 12.2, None), ("windDirection", 176, None),
            ("windSpeed", 0.64, None), ("airQualityLevel", "moderate", None), ("airQualityIndex", 65, None), ("reliability", 0.7, None),
            ("co", 500, None), ("no", 45, None), ("co2", 69, None), ("nox", 139, None), ("so2", 11, None), ("coLevel", "moderate", None),
            ("pm4", 37, None), ("tpc", 108, None), ("tsp", 73.3, None), ("pressure", 1.1, None), ("charge", 5, None),
        ],
    ),
    (
        ".jsonld",
        _LD,
        [
            ("co", 500, None), ("coLevel", "moderate", None), ("no", 45, None), ("no2", 69, None), ("nox", 139, None), ("so2", 11, None),
            ("airQualityIndex", 65, None), ("airQualityLevel", "moderate", None), ("precipitation", 0, None),
            ("relativeHumidity", 0.54, None), ("reliability", 0.7, None), ("temperature", 12.2, None), ("windDirection", 180, None),
            ("windSpeed", 0.64, None),
        ],
    ),
    (
        "-normalized.json",
        "",
        [
            ("airQualityLevel", "moderate", None), ("co", 500, "mg/m3"), ("temperature", 12.2, None), ("no", 45, "ug/m3"),
            ("windDirection", 176, None), ("windSpeed", 0.64, None), ("so2", 11, "ug/m3"), ("nox", 139, "ug/m3"),
            ("airQualityIndex", 65, None), ("reliability", 0.7, None), ("relativeHumidity", 0.54, None), ("precipitation", False, None),
            ("no2", 69, "ug/m3"), ("coLevel", "moderate", None), ("pm4", 37, None), ("tpc", 108, None), ("tsp", 73.3, None),
            ("pressure", 1.1, None), ("charge", 5, None),
        ],
    ),
    (
        "-normalized.jsonld",
        _LD,
        [
            ("co", 500, "mg/m3"), ("coLevel", "moderate", None), ("no", 45, "ug/m3"), ("no2", 69, "ug/m3"), ("nox", 139, "ug/m3"),
            ("so2", 11, "ug/m3"), ("airQualityIndex", 65, None), ("airQualityLevel", "moderate", None), ("precipitation", 0, None),
            ("relativeHumidity", 0.54, None), ("reliability", 0.7, None), ("temperature", 12.2, None), ("windDirection", 186, None),
            ("windSpeed", 0.64, None), ("pm4", 37, None), ("tpc", 108, None), ("tsp", 73.3, None), ("pressure", 1.1, None),
            ("charge", 5, None),
        ],
    ),
]  # fmt: skip
DATA: dict[str, tuple[FormatName, str | None, list[Row]]] = {
    "senml/ex1.json": ("senml", OW, [("Cel", 23.1, "Cel", None)]),
    "senml/ex2.json": ("senml", OW, [("voltage", 120.1, "V", None), ("current", 1.2, "A", None)]),
    **{
        f"senml/ex3.{kind}": (
            name,
            "urn:dev:ow:10e2073a0108006",
            [("voltage", 120.1, "V", "2010-06-08T18:01:16.001Z")]
            + [("current", v, "A", f"2010-06-08T18:01:{s}.001Z") for s, v in enumerate([1.2, 1.3, 1.4, 1.5, 1.6, 1.7], 11)],
        )
        for kind, name in (("json", "senml"), ("cbor", "senml-cbor"))
    },
    "senml/ex5.json": (
        "senml",
        OW,
        [
            ("%RH", 20.0, "%", "2011-10-31T13:24:24Z"), ("lon", 24.30621, "deg", "2011-10-31T13:24:24Z"),
            ("lat", 60.07965, "deg", "2011-10-31T13:24:24Z"), ("%RH", 20.3, "%", "2011-10-31T13:25:24Z"),
            ("lon", 24.30622, "deg", "2011-10-31T13:25:24Z"), ("lat", 60.07965, "deg", "2011-10-31T13:25:24Z"),
            ("%RH", 20.7, "%", "2011-10-31T13:26:24Z"), ("lon", 24.30623, "deg", "2011-10-31T13:26:24Z"),
            ("lat", 60.07966, "deg", "2011-10-31T13:26:24Z"), ("%EL", 98.0, "%", "2011-10-31T13:26:54Z"),
            ("%RH", 21.2, "%", "2011-10-31T13:27:24Z"), ("lon", 24.30628, "deg", "2011-10-31T13:27:24Z"),
            ("lat", 60.07967, "deg", "2011-10-31T13:27:24Z"),
        ],
    ),
    "ttn_v3/uplink_mqtt.json": ("ttn", "dev1", [("frm_payload", "VGVtcGVyYXR1cmUgPSAwLjA=", None, None)]),
    "ttn_v3/uplink_normalized_fragment.json": ("ttn", "", [("air.temperature", -21.3, "Cel", None)]),
    "chirpstack_v4/up.json": ("chirpstack", "0101010101010101", [("data", "qg==", None, "2022-07-18T09:34:15.775023242Z")]),
    "sensor_community/luftdaten_example_data.json": (
        "sensor-community",
        "",
        [
            ("PM10", 5.38, "ug/m3", None), ("PM2.5", 4.98, "ug/m3", None), ("samples", 316274, None, None),
            ("min_micro", 162, "us", None), ("max_micro", 394014, "us", None), ("signal", -59, "dBm", None),
        ],
    ),
    "opensensemap/post_luftdaten.json": (
        "opensensemap", "", [("PM10", 5.38, "ug/m3", None), ("PM2.5", 4.98, "ug/m3", None)],
    ),
    "opensensemap/hackair.json": (
        "opensensemap",
        "",
        [
            ("PM2.5", 7.93, "ug/m3", None), ("PM10", 32.63, "ug/m3", None), ("battery", 5.99, None, None),
            ("tamper", 0, None, None), ("error", 4, None, None),
        ],
    ),
    "opensensemap/get_sensor_data.json": (
        "opensensemap", "", [("value", 6.38, None, f"2023-09-29T08:06:{s}Z") for s in ("13.254", "12.312")],
    ),
    "opensensemap/get_sensor_data.csv": (
        "opensensemap",
        "",
        [
            ("value", 6.38, None, f"2023-09-29T08:06:{s}Z")
            for s in ("13.254", "12.312", "11.513", "10.380", "09.569", "05.967")
        ],
    ),
    **{
        f"tasmota/SENSOR_{sensor}.json": (
            "tasmota", "", [(f"{sensor}.{member}", value, _TASMOTA[member], time) for member, value in values.items()],
        )
        for sensor, time, values in (
            ("AM2301", "2019-01-01T00:00:00Z", {"Temperature": 24.6, "Humidity": 58.2}),
            ("BME280", "2019-11-03T19:34:28Z", {"Temperature": 21.7, "Humidity": 66.6, "Pressure": 988.6}),
            (
                "BME680",
                "2021-09-22T17:00:00Z",
                {"Temperature": 24.5, "Humidity": 33.0, "DewPoint": 7.1, "Pressure": 987.7, "Gas": 1086.43},
            ),
        )
    },
    "tasmota/SENSOR_LwReceived.json": (
        "tasmota",
        "",
        [
            (f"LwReceived.0x4AD6.{member}", value, None, None)
            for member, value in (
                ("Node", 1), ("Device", "0x4AD6"), ("RSSI", -50.0), ("SNR", 12.0), ("Events", 0), ("LastEvent", 0), ("DoorOpen", 1),
                ("Alarm", 0), ("Battery", 3.0),
            )
        ],
    ),
    "zigbee2mqtt/LED1545G12.json": (
        "zigbee2mqtt", "", [("state", "ON", None, None), ("brightness", 215, None, None), ("color_temp", 325, None, None)],
    ),
    "zigbee2mqtt/WSDCGQ01LM.json": (
        "zigbee2mqtt", "", [("temperature", 27.34, None, None), ("humidity", 44.72, None, None)],
    ),
    "shelly/NotifyStatus_switch.json": (
        "shelly", "shellypro4pm-f008d1d8b8b8", [("switch:0.output", True, None, "2021-09-09T11:22:25.04Z")],
    ),
    "shelly/gen1_plug_s_device_dump.json": (
        "shelly",
        "shellyplug-s-DDEEFF",
        [
            (name, value, unit, "2024-02-07T18:57:21Z")
            for name, value, unit in (
                ("meters.0.overpower", 0.0, None), ("meters.0.power", 0.0, "W"), ("meters.0.total", 2632, "W.min"),
                ("overtemperature", False, None), ("relays.0.ison", False, None), ("relays.0.overpower", False, None),
                ("temperature", 24.14, "Cel"), ("tmp.tC", 24.14, "Cel"),
            )
        ],
    ),
    "shelly/gen2_plus1pm_device_dump.json": (
        "shelly",
        "shellyplus1pm-aabbccddeeff",
        [
            (name, value, unit, "2024-02-07T17:28:56Z")
            for name, value, unit in (
                ("input:0.state", False, None), ("switch:0.aenergy.total", 110.046, "W.h"), ("switch:0.apower", 0.0, "W"),
                ("switch:0.current", 0.0, "A"), ("switch:0.output", False, None), ("switch:0.temperature.tC", 30.3, "Cel"),
                ("switch:0.voltage", 232.8, "V"),
            )
        ],
    ),
    "home_assistant/statestream.ndjson": ("home-assistant", "light.master_bedroom_dimmer", [("state", "on", None, None)]),
    "sparkplug_b/NBIRTH.json": (
        "sparkplug",
        "Sparkplug B Devices/Raspberry Pi",
        [
            (name, value, None, "2017-02-03T17:55:02.122Z")
            for name, value in (
                ("Properties/Hardware Make", "Raspberry Pi"), ("Properties/Hardware Model", "Pi 3 Model B"),
                ("Properties/OS", "Raspbian"), ("Properties/OS Version", "Jessie with PIXEL/11.01.2017"), ("Supply Voltage", 12.1),
            )
        ],
    ),
    "sparkplug_b/DBIRTH.json": (
        "sparkplug",
        "Sparkplug B Devices/Raspberry Pi/Pibrella",
        [
            (name, False, None, "2017-02-03T17:55:02.122Z")
            for name in (
                "Inputs/A", "Inputs/B", "Inputs/C", "Inputs/D", "Inputs/Button", "Outputs/E", "Outputs/F", "Outputs/G", "Outputs/H",
                "Outputs/LEDs/Green", "Outputs/LEDs/Red", "Outputs/LEDs/Yellow", "Outputs/Buzzer",
            )
        ]
        + [("Properties/Hardware Make", "Pibrella", None, "2017-02-03T17:55:02.122Z")],
    ),
    "sparkplug_b/DDATA.json": (
        "sparkplug",
        "Sparkplug B Devices/Raspberry Pi/Pibrella",
        [(name, True, None, "2017-02-03T17:55:02.122Z") for name in ("Inputs/A", "Inputs/C")],
    ),
    **{
        f"sparkplug_b/client_{kind}.bin": ("sparkplug", "", [(name, value, None, time)])
        for kind, name, value, time in (
            ("NBIRTH", "Supply Voltage", 12.1, "2026-11-22T21:01:42.758Z"), ("DBIRTH", "pm25", 11.5, "2026-11-22T21:01:42.758Z"),
            ("DDATA", "pm25", 13.25, "2026-11-22T21:01:43.760Z"), ("NDATA", "Supply Voltage", 12.3, "2026-11-22T21:01:44.260Z"),
        )
    },
    "impinj/tagInventoryEvent.json": (
        "impinj", "impinj-13-f8-f5", [("1", "urn:epc:raw:96.xE2801190A5021F80055817CA", "-26.5", "2021-07-09T23:35:59.278427551Z")],
    ),
    "impinj/tagInventory_full.json": (
        "impinj",
        "impinj-01-23-45",
        [("ANTENNA-NAME", "urn:epc:raw:96.x7EDA9038051002710002C0AE", "-60.0", "2025-05-08T12:00:00Z")],
    ),
    "zebra_iotc/tag_SIMPLE.json": (
        "zebra", "C4:7D:CC:FF:FF:FF", [("1", "urn:epc:raw:96.x7EDA9038051002710002C0AE", "-60", "2025-10-07T12:00:00Z")],
    ),
    "epcis_2_0/Example_9.6.1-ObjectEvent.jsonld": (
        "epcis",
        None,
        [
            (f"urn:epc:id:sgln:{at}", f"urn:epc:id:sgtin:0614141.107346.{tag}", None, time)
            for at, tag, time in (
                ("0614141.07346.1234", 2017, "2005-04-04T02:33:31.116Z"), ("0614141.07346.1234", 2018, "2005-04-04T02:33:31.116Z"),
                ("0012345.11111.400", 2018, "2005-04-05T02:33:31.116Z"),
            )
        ],
    ),
    "epcis_2_0/SensorDataExample1.jsonld": (
        "epcis",
        None,
        [SEEN_AT_3, *(
            (name, value, unit, f"2019-04-02T13:{minute}:00Z")
            for minute, values in (("05", (26.0, 12.1, 160.0, 800.0)), ("35", (26.1, 12.2, 161.0, 801.0)), ("55", (26.2, 12.2, 162.0, 802.0)))
            for (name, unit), value in zip(REPORTED.items(), values, strict=True)
        )],
    ),
    "epcis_2_0/SensorDataExample2.jsonld": (
        "epcis",
        None,
        [SEEN_AT_3, *(
            (f"{name}.{what}", value, REPORTED[name], "2019-04-02T13:55:00Z")
            for name, what, value in (
                ("Temperature", "min", 26.0), ("Temperature", "max", 26.2), ("Temperature", "mean", 26.1), ("Temperature", "sDev", 0.1),
                ("AbsoluteHumidity", "min", 12.1), ("AbsoluteHumidity", "max", 12.2), ("Speed", "min", 160.0), ("Speed", "max", 162.0),
                ("Illuminance", "min", 800.0), ("Illuminance", "max", 802.0),
            )
        )],
    ),
    "epcis_2_0/SensorDataExample9.jsonld": (
        "epcis",
        "urn:epc:id:sgln:4012345.00005.0",
        [
            (*SEEN_AT_3[:3], "2020-05-07T15:00:00Z"),
            ("Temperature.ERROR_CONDITION", "https://example.com/ErrorCode-A827", None, "2020-05-07T15:00:00Z"),
            ("AbsoluteHumidity.ALARM_CONDITION", True, None, "2020-05-07T15:00:00Z"),
        ],
    ),
    "ngsi_ld_temporal/entity_current.json": (
        "ngsi",
        "urn:ngsi-ld:Device:pig003",
        [
            (name, value, unit, "2021-09-16T15:24:15.781Z")
            for name, value, unit in (("heartRate", 65, "{count}/min"), ("status", "3", None), ("d", "FORAGING", None))
        ],
    ),
    "ngsi_ld_temporal/temporalValues_location.json": (
        "ngsi",
        "urn:ngsi-ld:Animal:cow002",
        [
            ("heartRate", value, None, f"2021-09-16T10:59:{s}Z")
            for value, s in ((52.0, "58.790"), (51.0, "54.038"), (50.0, "52.138"))
        ],
    ),
    "ngsi_ld_temporal/temporalValues_multi.json": (
        "ngsi",
        None,
        [
            row
            for of in (((52.0, "59.329"), (51.0, "54.169"), (50.0, "52.479")), ((52.0, "59.375"), (51.0, "54.167"), (51.0, "52.441")))
            for row in (
                *(("heartRate", value, None, f"2021-09-16T10:59:{s}Z") for value, s in of),
                ("sex", "male", None, "2021-09-16T10:22:39.650Z"),
            )
        ],
    ),
    "ngsi_ld_temporal/temporal_normalized_cow002.json": (
        "ngsi",
        "urn:ngsi-ld:Animal:cow002",
        [
            *(
                ("heartRate", value, "{count}/min", f"2021-09-15T13:41:{s}Z")
                for value, s in ((51.0, "37.888"), (50.0, "34.568"), (51.0, "33.508"))
            ),
            ("species", "dairy cattle", None, None),
            ("reproductiveCondition", "active", None, None),
        ],
    ),
    **{
        f"smart_data_models/AirQualityObserved.example{kind}": (
            "ngsi",
            f"{prefix}Madrid-AmbientObserved-28079004",
            [(name, value, unit, "2016-03-15T11:00:00Z") for name, value, unit in rows],
        )
        for kind, prefix, rows in AIR
    },
    **{
        f"smart_data_models/NoiseLevelObserved.example{kind}": (
            "ngsi",
            f"{prefix}Vitoria-NoiseLevelObserved",
            [(name, NOISE[name], None, "2016-12-28T12:00:00Z") for name in names],
        )
        for kind, prefix, names in (
            (".json", "", ("LAS", "LAeq", "LAeq_d", "LAmax")), ("-normalized.json", "", ("LAmax", "LAeq", "LAeq_d", "LAS")),
            (".jsonld", "urn:ngsi-ld:NoiseLevelObserved:", ("LAS", "LAeq", "LAeq_d", "LAmax")),
            ("-normalized.jsonld", "urn:ngsi-ld:NoiseLevelObserved:", ("LAS", "LAeq", "LAeq_d", "LAmax")),
        )
    },
    "cloudevents/data_base64.json": ("cloudevents", "/mycontext", [("xyz", 123, None, None)]),
    "cloudevents/structured_null_subject.json": ("cloudevents", "/mycontext", [("data", 1.5, None, "2018-04-05T17:31:00Z")]),
    "gbfs/v2.3_station_information_5.json": (
        "gbfs", "pga", [(f"vehicle_type_capacity.{of}", n, None, "2021-12-30T17:59:23Z") for of, n in (("abc123", 7), ("def456", 9))],
    ),
    "gbfs/v2.3_station_information_6.json": (
        "gbfs",
        "station12",
        [
            (name, n, None, "2021-12-30T17:59:23Z")
            for name, n in (("capacity", 16), ("vehicle_capacity.abc123", 8), ("vehicle_capacity.def456", 8), ("vehicle_capacity.ghi789", 16))
        ],
    ),
    "gbfs/v2.3_station_status_fixture.json": (
        "gbfs",
        None,
        [
            (name, value, None, "2025-07-02T06:21:03Z")
            for bikes, docks, available, free in ((1, 3, (1, 0), (2, 1)), (6, 8, (2, 4), (6, 2)))
            for name, value in (
                ("is_installed", True), ("is_renting", True), ("is_returning", True), ("num_bikes_available", bikes),
                ("num_docks_available", docks), ("vehicle_types_available.TST:VehicleType:Scooter", available[0]),
                ("vehicle_types_available.TST:VehicleType:CityBike", available[1]),
                ("vehicle_docks_available.TST:VehicleType:Scooter", free[0]), ("vehicle_docks_available.TST:VehicleType:CityBike", free[1]),
            )
        ],
    ),
    "gbfs/v3.0_station_information_fixture.json": ("gbfs", None, [("capacity", 10, None, "2019-07-04T13:33:03.969Z")] * 4),
    "gbfs/v3.0_station_status_fixture.json": (
        "gbfs",
        "6efbec5a-6b8c-455b-bed2-8d66be6d6a4b",
        [
            (name, value, None, "2019-07-04T13:33:03.969Z")
            for name, value in (
                ("is_installed", True), ("is_renting", True), ("is_returning", True), ("num_vehicles_available", 0),
                ("vehicle_types_available.ebicycle_paris", 0), ("vehicle_types_available.escooter_paris", 0),
            )
        ],
    ),
    "gbfs/v3.1_station_information_6.json": ("gbfs", "pga", [("vehicle_docks_capacity.abc123", 7, None, "2023-07-17T11:34:13Z")]),
    "gbfs/v3.1_station_information_7.json": (
        "gbfs",
        "station12",
        [
            (name, n, None, "2023-07-17T11:34:13Z")
            for name, n in (("capacity", 16), ("vehicle_types_capacity.abc123+def456", 15), ("vehicle_types_capacity.def456", 1))
        ],
    ),
    "gbfs/v3.1_vehicle_status_9.json": (
        "gbfs", None, [(name, n, None, "2023-07-17T11:34:13Z") for _ in range(2) for name, n in (("num_disabled", 0), ("num_reserved", 0), ("num_vehicles", 1))],
    ),
    **{
        f"gtfs_rt/trip-updates-full.{kind}": (
            "gtfs-rt",
            None,
            [(f"arrival_delay.{stop}", delay, "s", "2010-09-14T09:44:28Z") for stop, delay in ((3, 5), (8, 1), (1, -2))],
        )
        for kind in ("pb", "asciipb")
    },
    **{
        f"gtfs_rt/alerts.{kind}": (
            "gtfs-rt",
            "0",
            [
                (name, value, None, "2010-09-14T09:44:28Z")
                for name, value in (
                    ("cause", "CONSTRUCTION"), ("effect", "DETOUR"),
                    ("header_text", "Stop at Elm street is closed, temporary stop at Oak street"),
                    (
                        "description_text",
                        "Due to construction at Elm street the stop is closed. The temporary stop can be found 300 meters north at Oak street",
                    ),
                )
            ],
        )
        for kind in ("pb", "asciipb")
    },
}  # fmt: skip
"""Sample -> (format, its device or None where they are several, what it says)."""
NO_DATA: dict[str, FormatName] = {
    "ttn_v3/join_accept.json": "ttn",
    "chirpstack_v4/join.json": "chirpstack",
    "chirpstack_v4/status.json": "chirpstack",
    "chirpstack_v4/log.json": "chirpstack",
    "shelly/NotifyStatus_cloud.json": "shelly",
    **{f"gbfs/v2.3_station_information_{n}.json": "gbfs" for n in (18, 20, 21)},
    **{
        f"sparkplug_b/{kind}": "sparkplug"
        for kind in ("NCMD.json", "DCMD.json", "NDEATH.json", "DDEATH.json", "client_NDEATH.bin")
    },
}
REFUSED: dict[str, tuple[FormatName, str]] = {
    "cloudevents/structured_json_data.json": ("cloudevents", "application/xml"),
    "opensensemap/post_shapes_TEMPLATE.txt": ("opensensemap", "JSON is malformed"),
}
"""Sample -> (format, why): what is a template, or envelopes what no format reads."""
MIXED = {"cloudevents/batch.json"}
