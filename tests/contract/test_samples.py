"""Real payloads, which lie beside the project where they may be used: each decodes to what its specification says it is.

`../shared/samples/README.md` names their sources; nothing of them is copied here but the values that are looked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from broker import times
from broker.entry import Refusal
from broker.reading import Custom, FormatName, Reading, TagRead
from gateways import formats, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.points import Value

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ARRIVED = times.parse("2026-11-22T20:00:00Z")

Row: TypeAlias = "tuple[str, Value, str | None, str | None]"
"""(property, value, unit, time) of a reading, (read point or antenna, EPC, RSSI, time) of a tag read."""

_TASMOTA = {"Temperature": "Cel", "DewPoint": "Cel", "Humidity": "%", "Pressure": "hPa", "Gas": "kOhm"}
OW = "urn:dev:ow:10e2073a01080063"
DATA: dict[str, tuple[FormatName, str, list[Row]]] = {
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
}  # fmt: skip
"""Sample -> (format, device, what it says)."""
NO_DATA: dict[str, FormatName] = {
    "ttn_v3/join_accept.json": "ttn",
    "chirpstack_v4/join.json": "chirpstack",
    "chirpstack_v4/status.json": "chirpstack",
    "chirpstack_v4/log.json": "chirpstack",
    "shelly/NotifyStatus_cloud.json": "shelly",
    **{
        f"sparkplug_b/{kind}": "sparkplug"
        for kind in ("NCMD.json", "DCMD.json", "NDEATH.json", "DDEATH.json", "client_NDEATH.bin")
    },
}
REFUSED: dict[str, tuple[FormatName, str]] = {
    "opensensemap/post_shapes_TEMPLATE.txt": ("opensensemap", "JSON is malformed"),
}
"""Sample -> (format, why): what is a template, or says that it observed nothing."""
FOLDERS = {name.partition("/")[0] for name in (*DATA, *NO_DATA, *REFUSED)}


def read(sample: str, name: FormatName) -> Sequence[Reading | TagRead | Refusal]:
    path = SAMPLES / sample
    if not path.exists():
        pytest.skip(f"{sample} is not beside this checkout")
    understand = formats.make(name, Custom()).understand
    found = [understand(topic, payload, ARRIVED) for topic, payload in show.unwrapped(path.read_bytes(), "")]
    return [item for one in found for item in one.items]


def row(item: Reading | TagRead | Refusal) -> Row:
    assert not isinstance(item, Refusal), item
    time = None if item.time is None else times.text(item.time)
    if isinstance(item, TagRead):
        return item.read_point or str(item.antenna), item.epc, None if item.rssi is None else str(item.rssi), time
    return item.property, item.value, item.unit, time


def alike(time: str | None) -> int | None:
    return None if time is None else times.parse(time)


@pytest.mark.parametrize("sample", DATA)
def test_a_sample_that_is_data_decodes_to_what_its_specification_says(sample: str) -> None:
    name, device, expected = DATA[sample]
    items = read(sample, name)
    assert [(*row(item)[:3], alike(row(item)[3])) for item in items] == [(*r[:3], alike(r[3])) for r in expected]
    assert {getattr(item, "device", None) for item in items} == {device}


@pytest.mark.parametrize("sample", NO_DATA)
def test_a_sample_that_is_no_data_gives_none(sample: str) -> None:
    assert not read(sample, NO_DATA[sample])


@pytest.mark.parametrize("sample", REFUSED)
def test_a_sample_that_observed_nothing_is_refused_with_the_reason(sample: str) -> None:
    name, why = REFUSED[sample]
    items = read(sample, name)
    assert items
    assert all(isinstance(item, Refusal) and why in item.reason for item in items)


def test_no_sample_of_a_known_format_is_left_out() -> None:
    if not SAMPLES.exists():
        pytest.skip("there are no samples beside this checkout")
    found = {str(path.relative_to(SAMPLES)) for folder in FOLDERS for path in (SAMPLES / folder).iterdir()}
    assert {name for name in found if not name.endswith("SOURCES.md")} <= {*DATA, *NO_DATA, *REFUSED}


def test_an_unknown_unit_is_marked() -> None:
    (signal,) = [
        item
        for item in read("sensor_community/luftdaten_example_data.json", "sensor-community")
        if isinstance(item, Reading) and item.property == "signal"
    ]
    assert (signal.unit, signal.unit_known) == ("dBm", False)
