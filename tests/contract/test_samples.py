"""Real payloads, which lie beside the project where they may be used: each decodes to what its specification says it is.

`../shared/samples/README.md` names their sources; nothing of them is copied here but the values that are looked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker import times
from broker.entry import Refusal
from broker.model import FormatName
from broker.reading import Custom, Reading, TagRead
from gateways import formats, show
from tests.samples import DATA, MIXED, NO_DATA, REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.samples import Row

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ARRIVED = times.parse("2026-11-22T20:00:00Z")

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
    assert device is None or {getattr(item, "device", None) for item in items} == {device}


@pytest.mark.parametrize("sample", NO_DATA)
def test_a_sample_that_is_no_data_gives_none(sample: str) -> None:
    assert not read(sample, NO_DATA[sample])


@pytest.mark.parametrize("sample", REFUSED)
def test_a_sample_that_observed_nothing_is_refused_with_the_reason(sample: str) -> None:
    name, why = REFUSED[sample]
    items = read(sample, name)
    assert items
    assert all(isinstance(item, Refusal) and why in item.reason for item in items)


def test_of_a_batch_what_can_be_read_is_taken() -> None:
    refused, *items = read("cloudevents/batch.json", "cloudevents")
    assert isinstance(refused, Refusal)
    assert "vnd.apache.thrift" in refused.reason
    assert [row(item)[:2] for item in items] == [("appinfoA", "abc"), ("appinfoB", 123), ("appinfoC", True)]


def test_no_sample_of_a_known_format_is_left_out() -> None:
    if not SAMPLES.exists():
        pytest.skip("there are no samples beside this checkout")
    found = {str(path.relative_to(SAMPLES)) for folder in FOLDERS for path in (SAMPLES / folder).iterdir()}
    assert {name for name in found if not name.endswith("SOURCES.md")} <= {*DATA, *NO_DATA, *REFUSED, *MIXED}


def test_an_unknown_unit_is_marked() -> None:
    (signal,) = [
        item
        for item in read("sensor_community/luftdaten_example_data.json", "sensor-community")
        if isinstance(item, Reading) and item.property == "signal"
    ]
    assert (signal.unit, signal.unit_known) == ("dBm", False)
