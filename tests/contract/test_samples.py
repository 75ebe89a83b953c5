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
}  # fmt: skip
"""Sample -> (format, device, what it says)."""
NO_DATA: dict[str, FormatName] = {
    "ttn_v3/join_accept.json": "ttn",
    "chirpstack_v4/join.json": "chirpstack",
    "chirpstack_v4/status.json": "chirpstack",
    "chirpstack_v4/log.json": "chirpstack",
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
