"""Each format that simulated devices speak, read by the project's own decoder of it: the two share no line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from broker.entry import Refusal
from broker.reading import Custom, Reading, TagRead
from broker.times import HOUR, MINUTE, SECOND, parse
from gateways import formats, units
from simulators.city import City
from simulators.encoders import make
from simulators.encoders.encoder import Report
from simulators.faults import OTHER_UNITS, Faulty
from simulators.feed import Feed
from simulators.memory import of_uri
from simulators.schema import Faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.reading import Format
    from simulators.city import Sensor
    from simulators.encoders.encoder import Said

NOW = parse("2026-11-23T08:00:00Z")
CITY = City(7)


def spoken_by(name: make.FormatName) -> list[Sensor]:
    return [sensor for sensor in CITY.sensors if make.can_say(name, sensor)]


def reports(sensor: Sensor, span: int = HOUR) -> list[Report]:
    readings = CITY.readings(sensor, NOW - span, NOW)
    return [Report(sensor, parse(str(reading["time"])), reading, sensor.unit) for reading in readings]


def understood(decoder: Format, messages: Sequence[Said]) -> list[Reading | TagRead]:
    items: list[Reading | TagRead] = []
    for topic, payload, records in messages:
        found = decoder.understand(topic, payload, NOW)
        assert not [item for item in found.items if isinstance(item, Refusal)]
        assert not found.answers
        told = [item for item in found.items if not isinstance(item, Refusal) and not _is_besides(item)]
        assert len(told) == records
        items += told
    return items


def _is_besides(item: Reading | TagRead) -> bool:
    """What a bicycle station tells of itself, beside how many bicycles it has."""
    besides = ("capacity", "is_", "num_docks", "vehicle_types")
    return isinstance(item, Reading) and item.property.startswith(besides)


@pytest.mark.parametrize("name", make.FORMATS)
def test_what_is_encoded_is_decoded_to_the_same(name: make.FormatName) -> None:
    encoder, decoder = make.make(name), formats.make(name, Custom())
    sensors = spoken_by(name)
    assert sensors
    assert not understood(decoder, list(encoder.greeting(sensors, NOW - HOUR)))
    for sensor in sensors:
        said = reports(sensor)
        items = understood(decoder, list(encoder.messages(said)))
        assert len(items) == len(said) > 0
        for report, item in zip(said, items, strict=True):
            assert (item.device, getattr(item, "property", "epc")) == _origin(encoder.origin(sensor), sensor)
            assert item.time == (report.time_ns if encoder.timed else None)
            _assert_alike(item, report, sensor)


TOGETHER: list[make.FormatName] = [
    "senml",
    "senml-cbor",
    "epcis",
    "ngsi",
    "cloudevents",
    "gbfs",
    "gtfs-rt",
    "impinj",
    "zebra",
]


@pytest.mark.parametrize("name", TOGETHER)
def test_what_several_sensors_say_travels_together_and_is_told_apart(name: make.FormatName) -> None:
    encoder, decoder = make.make(name), formats.make(name, Custom())
    sensors = spoken_by(name)
    said = [report for sensor in sensors for report in reports(sensor, 3 * MINUTE)]
    messages = list(encoder.messages(said))
    assert len(messages) <= len(said) / 2
    assert max(len(message.payload) for message in messages) < 10 << 10
    found = [(item.device, getattr(item, "property", "epc"), item.time) for item in understood(decoder, messages)]
    assert Counter(found) == Counter((*_origin(encoder.origin(one.sensor), one.sensor), one.time_ns) for one in said)


@pytest.mark.parametrize("name", ["gbfs", "gtfs-rt"])
def test_a_picture_of_the_moment_has_each_sensor_once(name: make.FormatName) -> None:
    said = [report for sensor in spoken_by(name) for report in reports(sensor, 3 * MINUTE)]
    decoder = formats.make(name, Custom())
    for message in make.make(name).messages(said):
        devices = [item.device for item in understood(decoder, [message])]
        assert len(devices) == len(set(devices)) > 1


def _origin(found: tuple[str, str] | None, sensor: Sensor) -> tuple[str, str]:
    return found or ("", "epc" if sensor.kind == "rfid" else sensor.id)


def _assert_alike(item: Reading | TagRead, report: Report, sensor: Sensor) -> None:
    if isinstance(item, TagRead):
        assert item.epc == report.said["epc"]
        assert item.rssi in (None, report.said["rssi"])
        assert item.antenna in (None, report.said["antenna"])
        assert item.read_point in (None, report.said["read_point"])
    elif item.unit is None or item.unit == sensor.unit or isinstance(report.value, bool):
        assert item.value in (report.value, str(report.value), "on" if report.value else "off")
    else:
        assert sensor.unit is not None
        assert item.unit_known
        assert units.convert(float(item.value), item.unit, sensor.unit) == report.value


@pytest.mark.parametrize("name", ["senml", "tasmota", "zigbee2mqtt", "home-assistant", "sparkplug", "epcis", "ngsi"])
def test_formats_that_name_units_name_them(name: make.FormatName) -> None:
    sensor = next(one for one in CITY.sensors if one.id == "temperature-1")
    encoder, decoder = make.make(name), formats.make(name, Custom())
    understood(decoder, list(encoder.greeting([sensor], NOW)))
    (item,) = understood(decoder, list(encoder.messages(reports(sensor, MINUTE))))
    assert isinstance(item, Reading)
    assert item.unit == "Cel"


@pytest.mark.parametrize("name", ["tasmota", "epcis", "ngsi"])
def test_firmware_that_speaks_in_another_unit_says_so_where_messages_name_units(name: make.FormatName) -> None:
    sensor = next(one for one in CITY.sensors if one.id == "temperature-1")
    assert OTHER_UNITS["Cel"][0] == "[degF]"
    faulty = Faulty(CITY, Faults.model_validate({"units": {"rate": 1}}), "in/o/g")
    feed = Feed("in/o/g", CITY, [sensor], [], position_ns=NOW - HOUR, encoder=make.make(name), faulty=faulty)
    decoder = formats.make(name, Custom())
    said = [decoder.understand(m.topic.removeprefix("in/o/g/"), m.payload, NOW) for m in feed.due(NOW, NOW)]
    items = [item for found in said for item in found.items]
    for report, item in zip(reports(sensor, HOUR), items, strict=False):
        assert isinstance(item, Reading)
        assert item.unit == "[degF]"
        assert units.convert(float(item.value), "[degF]", "Cel") == pytest.approx(report.value)


@pytest.mark.parametrize("name", make.FORMATS[1:])  # what is broken in Mitoyen's own is tested with the faults
def test_every_record_that_is_broken_is_refused_or_is_of_nothing_known(name: make.FormatName) -> None:
    encoder, decoder = make.make(name), formats.make(name, Custom())
    sensors = spoken_by(name)
    known = {_origin(encoder.origin(sensor), sensor) for sensor in sensors}
    faulty = Faulty(CITY, Faults.model_validate({"malformed": {"rate": 1}}), "in/o/g", encoder.breaks)
    feed = Feed("in/o/g", CITY, sensors, [], position_ns=NOW - 600 * SECOND, encoder=encoder, faulty=faulty)
    messages = feed.due(NOW, NOW)
    assert feed.verdicts["refused"] == sum(message.records for message in messages) > 0
    for message in messages:
        found = decoder.understand(message.topic.removeprefix("in/o/g/"), message.payload, NOW)
        if not message.records:
            continue  # a greeting, which is whole
        assert found.items
        for item in found.items:
            assert isinstance(item, Refusal) or (item.device, getattr(item, "property", "epc")) not in known


def test_a_gateway_that_comes_back_greets_anew_and_its_host_follows() -> None:
    wanted = Faults.model_validate({"reboot": {"rate": 0.2, "lasting": "PT10M"}})
    encoder, decoder = make.make("sparkplug"), formats.make("sparkplug", Custom())
    sensors = spoken_by("sparkplug")
    faulty = Faulty(CITY, wanted, "in/o/g")
    feed = Feed("in/o/g", CITY, sensors, [], position_ns=NOW - 6 * HOUR, encoder=encoder, faulty=faulty)
    births = 0
    while feed.behind(NOW, NOW):
        for message in feed.due(NOW, NOW):
            births += "/NBIRTH/" in message.topic
            found = decoder.understand(message.topic.removeprefix("in/o/g/"), message.payload, NOW)
            assert not found.answers
            assert not [item for item in found.items if isinstance(item, Refusal)]
    assert births > 2


def test_a_rebirth_that_is_asked_for_is_a_greeting() -> None:
    encoder = make.make("sparkplug")
    sensors = spoken_by("sparkplug")[:2]
    feed = Feed("in/o/g", CITY, sensors, [], position_ns=NOW - 9 * MINUTE, encoder=encoder)
    feed.due(NOW - 6 * MINUTE, NOW)
    late = formats.make("sparkplug", Custom())
    messages = feed.due(NOW - 3 * MINUTE, NOW)
    asked = [late.understand(m.topic.removeprefix("in/o/g/"), m.payload, NOW).answers for m in messages]
    assert feed.commands == "in/o/g/" + next(answer.topic for answers in asked for answer in answers)
    feed.greet()
    for message in feed.due(NOW, NOW):
        assert not late.understand(message.topic.removeprefix("in/o/g/"), message.payload, NOW).answers


def test_the_memory_of_a_tag_is_that_of_the_tag_data_standards_example() -> None:
    """Tag Data Standard 1.13, E.3: SGTIN-96, filter value 3."""
    example = bytes.fromhex("3074257BF7194E4000001A85")
    without_filter = bytes((example[0], example[1] & 0x1F, *example[2:]))
    assert of_uri("urn:epc:id:sgtin:0614141.812345.6789") == without_filter
