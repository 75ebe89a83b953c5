"""What each format gets wrong in practice, read right: units, zones, digits, texts for numbers, and what is meant later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from broker import times
from broker.entry import Refusal
from broker.place import Place
from broker.reading import Custom, Reading, TagRead, Understood
from gateways import formats
from gateways.sparkplug import REBIRTH, SCHEMA
from tests.payloads import MESSAGES, sparkplug, text

if TYPE_CHECKING:
    from broker.model import FormatName
    from broker.points import Value

ARRIVED = times.parse("2026-11-22T20:00:00Z")
PARIS = Custom(ZoneInfo("Europe/Paris"))


def understood(name: FormatName, *messages: tuple[str, Any], custom: Custom = PARIS) -> Understood:
    """What is understood of the last of these messages."""
    format_ = formats.make(name, custom)
    for topic, payload in messages:
        found = format_.understand(topic, payload if isinstance(payload, bytes) else text(payload), ARRIVED)
    return found


def readings(
    name: FormatName, *messages: tuple[str, Any], custom: Custom = PARIS
) -> dict[str, tuple[Value, str | None, str | None]]:
    """(value, unit, time) by property."""
    items = understood(name, *messages, custom=custom).items
    assert all(isinstance(item, Reading) for item in items), items
    return {
        item.property: (item.value, item.unit, None if item.time is None else times.text(item.time))
        for item in items
        if isinstance(item, Reading)
    }


# --- SenML


def test_senml_carries_base_fields_over_and_adds_base_values() -> None:
    found = readings(
        "senml",
        ("", [{"bn": "h/", "bu": "Cel", "bv": 20, "n": "a", "v": 1.5}, {"n": "b"}, {"n": "c", "u": "K", "v": 0}]),
    )
    assert found == {"a": (21.5, "Cel", None), "b": (20, "Cel", None), "c": (20, "K", None)}


def test_senml_counts_small_times_from_now_and_large_ones_from_1970() -> None:
    pack = [
        {"n": "h/a", "v": 1, "t": -5.25},
        {"n": "h/b", "v": 1, "bt": 1_795_377_600, "t": 0.000000001},
        {"n": "h/c", "v": 1},
    ]
    assert [time for _, _, time in readings("senml", ("", pack)).values()] == [
        "2026-11-22T19:59:54.750Z", "2026-11-22T20:00:00.000000001Z", "2026-11-22T20:00:00Z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "times",
    [
        '"bt": 9e999999, "t": 9e999999',
        '"bt": 5, "t": "sNaN"',
        '"bt": "Infinity", "t": "-Infinity"',
        '"t": "NaN"',
        '"t": -26e9',
    ],
)
def test_senml_refuses_a_time_that_is_none(times: str) -> None:
    (item,) = understood("senml", ("", f'[{{"n": "a", "v": 1, {times}}}]'.encode())).items
    assert isinstance(item, Refusal)
    assert "time" in item.reason


def test_senml_sums_are_in_unit_seconds() -> None:
    assert readings("senml", ("", [{"bs": 100, "n": "h/p", "u": "W", "v": 5, "s": 20}])) == {
        "p": (5, "W", None),
        "p.sum": (120, "W.s", None),
    }


def test_senml_reads_every_kind_of_value_in_both_renderings() -> None:
    found = readings("senml", ("", [{"n": "a", "vb": False}, {"n": "b", "vs": "21"}, {"n": "c", "vd": "aGk"}]))
    assert [value for value, *_ in found.values()] == [False, "21", "aGk"]


# --- LoRaWAN


def test_the_gateways_place_is_never_the_sensors() -> None:
    uplink = {"decoded_payload": {"t": 1}, "rx_metadata": [{"location": {"latitude": 45.0, "longitude": 4.0}}]}
    found = understood("ttn", ("", {"end_device_ids": {"device_id": "d"}, "uplink_message": uplink}))
    assert not found.about
    own = {**uplink, "locations": {"user": {"latitude": 45.5, "longitude": 4.5}}}
    (about,) = understood("ttn", ("", {"end_device_ids": {"device_id": "d"}, "uplink_message": own})).about
    assert about.place == Place(4.5, 45.5)
    up = {
        "deviceInfo": {"devEui": "d"},
        "object": {"t": 1},
        "rxInfo": [{"location": {"latitude": 45.0, "longitude": 4.0}}],
    }
    assert not understood("chirpstack", ("application/a/device/d/event/up", up)).about


def test_ttn_answers_of_its_storage_are_read_line_by_line() -> None:
    lines = [
        json.dumps({"result": {"end_device_ids": {"device_id": "d"}, "uplink_message": {"decoded_payload": {"t": t}}}})
        for t in (1, 2)
    ]
    items = understood("ttn", ("", "\n".join(lines).encode())).items
    assert [item.value for item in items if isinstance(item, Reading)] == [1, 2]


@pytest.mark.parametrize("event", ["join", "status", "log", "ack", "txack", "location", "integration"])
def test_no_other_event_of_chirpstack_is_data(event: str) -> None:
    body = {"deviceInfo": {"devEui": "d"}, "object": {"t": 1}, "data": "AQ==", "rxInfo": []}
    assert not understood("chirpstack", (f"application/a/device/d/event/{event}", body)).items


# --- air and home


def test_particles_of_a_second_sensor_keep_its_name() -> None:
    values = [{"value_type": kind, "value": "7"} for kind in ("SDS_P1", "PMS_P1", "P2", "BMP280_pressure")]
    found = readings("sensor-community", ("esp8266-1/1", {"sensordatavalues": values}))
    assert {name: unit for name, (_, unit, _) in found.items()} == {
        "PM10": "ug/m3", "PMS_PM10": "ug/m3", "PM2.5": "ug/m3", "BMP280_pressure": "Pa",
    }  # fmt: skip


def test_what_sensor_communitys_server_answers_is_of_its_sensors_at_its_times_which_are_utc() -> None:
    found = understood("sensor-community", MESSAGES["sensor-community"][1])
    assert [
        (item.device, item.property, item.value, item.unit, times.text(item.time or 0))
        for item in found.items
        if isinstance(item, Reading)
    ] == [
        ("140", "PM10", 18.3, "ug/m3", "2026-11-22T19:58:30Z"),
        ("140", "PM2.5", 7.05, "ug/m3", "2026-11-22T19:58:30Z"),
        ("141", "temperature", 11.48, "Cel", "2026-11-22T19:58:31Z"),
    ]
    assert [(one.device, one.model, one.place) for one in found.about] == [
        ("140", "SDS011", Place(4.84, 45.76)),
        ("141", "BME280", None),
    ]


def test_of_what_sensor_communitys_server_answers_what_can_not_be_read_is_refused_alone() -> None:
    _, answer = MESSAGES["sensor-community"][1]
    first, second = json.loads(answer)
    found = understood(
        "sensor-community", ("", [{**first, "timestamp": "yesterday"}, {**first, "sensor": {}}, second])
    ).items
    assert [type(item) for item in found] == [Refusal, Refusal, Reading]


def test_a_station_is_told_by_its_headers() -> None:
    body = {"sensordatavalues": [{"value_type": "P1", "value": "7"}]}
    (item,) = understood("sensor-community", ("esp8266-1/7", body)).items
    assert isinstance(item, Reading)
    assert item.device == "esp8266-1-7"


def test_tasmotas_local_time_is_of_the_gateways_zone() -> None:
    said = {"Time": "2026-07-01T12:00:00", "DS18B20": {"Temperature": 70}, "TempUnit": "F"}
    assert readings("tasmota", ("tele/d/SENSOR", said)) == {
        "DS18B20.Temperature": (70, "[degF]", "2026-07-01T10:00:00Z")
    }
    assert (
        readings("tasmota", ("tele/d/SENSOR", {**said, "Epoch": 1_795_377_600}))["DS18B20.Temperature"][2]
        == "2026-11-22T20:00:00Z"
    )


def test_tasmotas_state_is_known_without_its_topic() -> None:
    assert not understood(
        "tasmota", ("", {"Time": "2026-11-22T20:00:00", "Uptime": "1T02:03:04", "Wifi": {"RSSI": 60}})
    ).items


@pytest.mark.parametrize("topic", ["tele/d/STATE", "tele/d/LWT", "tele/d/INFO1", "stat/d/RESULT"])
def test_what_tasmota_says_of_itself_is_no_data(topic: str) -> None:
    assert not understood("tasmota", (topic, b"Online")).items


def test_zigbee2mqtts_units_come_from_its_device_list() -> None:
    exposes = [
        {"property": "temperature", "unit": "°C"},
        {"features": [{"property": "power", "unit": "W"}]},
        {"property": "lqi", "unit": "lqi"},
    ]
    devices = [{"friendly_name": "a/b", "definition": {"vendor": "V", "model": "M", "exposes": exposes}}]
    state = ("zigbee2mqtt/a/b", {"temperature": 21, "power": 2, "lqi": 80, "humidity": 40})
    assert {unit for _, unit, _ in readings("zigbee2mqtt", state).values()} == {None}
    found = readings("zigbee2mqtt", ("zigbee2mqtt/bridge/devices", devices), state)
    assert [unit for _, unit, _ in found.values()] == ["Cel", "W", "lqi", None]
    assert understood("zigbee2mqtt", ("zigbee2mqtt/bridge/devices", devices)).about[0].model == "V M"


@pytest.mark.parametrize("topic", ["bridge/state", "bridge/logging", "a/availability", "a/set"])
def test_what_zigbee2mqtt_says_besides_is_no_data(topic: str) -> None:
    assert not understood("zigbee2mqtt", (f"zigbee2mqtt/{topic}", b'{"state": "online"}')).items


def test_a_shellys_overlay_says_only_what_it_holds() -> None:
    params = {"ts": 1_795_377_600.04, "switch:0": {"id": 0, "apower": 5, "temperature": None}, "sys": {"uptime": 7}}
    found = readings("shelly", ("s/events/rpc", {"src": "s", "method": "NotifyStatus", "params": params}))
    assert found == {"switch:0.apower": (5, "W", "2026-11-22T20:00:00.040Z")}


def test_the_first_shellys_count_relays_in_watt_minutes() -> None:
    assert readings("shelly", ("shellies/s/relay/0/energy", b"60")) == {"relay.0.energy": (60, "W.min", None)}
    assert readings("shelly", ("shellies/s/emeter/0/total", b"60")) == {"emeter.0.total": (60, "W.h", None)}


def test_home_assistants_units_are_remembered() -> None:
    unit, state = ("ha/sensor/t/unit_of_measurement", b'"\xc2\xb0C"'), ("ha/sensor/t/state", b"21.5")
    assert readings("home-assistant", unit, state) == {"state": (21.5, "Cel", None)}
    assert not understood("home-assistant", unit, ("ha/sensor/t/state", b"unavailable")).items


# --- Sparkplug

BIRTH = (
    "spBv1.0/g/NBIRTH/n",
    sparkplug(255, ("bdSeq", None, 8, {"long_value": 1}), ("Level", 1, 9, {"float_value": 12.1})),
)
DEVICE = ("spBv1.0/g/DBIRTH/n/d", sparkplug(0, ("Temp", 2, 3, {"int_value": 2**32 - 5})))


def test_an_alias_means_what_its_birth_said() -> None:
    data = ("spBv1.0/g/DDATA/n/d", sparkplug(1, (None, 2, 0, {"int_value": 2**32 - 7})))
    assert readings("sparkplug", BIRTH, DEVICE, data) == {"Temp": (-7, None, "2026-11-22T20:00:00.250Z")}
    assert not understood("sparkplug", BIRTH, DEVICE, data).answers


def test_a_missing_number_refuses_aliases_and_asks_for_one_rebirth() -> None:
    late = ("spBv1.0/g/DDATA/n/d", sparkplug(2, (None, 2, 3, {"int_value": 5}), ("Other", None, 3, {"int_value": 6})))
    found = understood("sparkplug", BIRTH, DEVICE, late)
    refused, taken = found.items
    assert isinstance(refused, Refusal)
    assert "missed" in refused.reason
    assert isinstance(taken, Reading)
    (answer,) = found.answers
    assert answer.topic == "spBv1.0/g/NCMD/n"
    asked = SCHEMA.parse("Payload", answer.payload)["metrics"]
    assert isinstance(asked, list)
    assert (asked[0]["name"], asked[0]["boolean_value"]) == (REBIRTH, True)
    assert not understood("sparkplug", BIRTH, DEVICE, late, late).answers
    assert not understood("sparkplug", BIRTH, DEVICE, late, BIRTH, DEVICE).answers


def test_a_message_that_comes_once_more_breaks_no_sequence() -> None:
    assert not understood("sparkplug", BIRTH, DEVICE, DEVICE).answers


def test_a_death_of_an_earlier_birth_is_passed_over() -> None:
    data = ("spBv1.0/g/NDATA/n", sparkplug(0, (None, 1, 9, {"float_value": 1.5})))
    for birth, alias_known in ((0, True), (1, False)):
        death = ("spBv1.0/g/NDEATH/n", sparkplug(None, ("bdSeq", None, 8, {"long_value": birth})))
        (item,) = understood("sparkplug", BIRTH, death, data).items
        assert isinstance(item, Reading) == alias_known


def test_a_float_of_32_bits_keeps_the_digits_that_it_has() -> None:
    assert readings("sparkplug", BIRTH)["Level"][0] == 12.1


# --- RFID

SGTIN = "urn:epc:id:sgtin:0614141.812345.6789"


@pytest.mark.parametrize(
    "tag", [{"epcHex": "3034257BF7194E4000001A85"}, {"epc": "MDQle/cZTkAAABqF"}, {"epc": "MDQle_cZTkAAABqF"}]
)
def test_a_tag_of_impinj_is_one_whatever_its_spelling(tag: dict[str, str]) -> None:
    event = {
        "hostname": "r",
        "timestamp": "2026-11-22T20:00:00.123456789Z",
        "tagInventoryEvent": {**tag, "peakRssiCdbm": -5125},
    }
    (read,) = understood("impinj", ("", event)).items
    assert read == TagRead("r", SGTIN, ARRIVED + 123_456_789, None, None, -51.25)


CODE = "3034257BF7194E4000001A85"


@pytest.mark.parametrize("bad", [{"epcHex": "xyz"}, {"epcHex": CODE, "peakRssiCdbm": 10**400}])
def test_a_bad_tag_of_several_is_refused_alone(bad: dict[str, object]) -> None:
    tags = [{"tagInventoryEvent": tag} for tag in ({"epcHex": CODE}, bad)]
    taken, refused = understood("impinj", ("", tags)).items
    assert isinstance(taken, TagRead)
    assert isinstance(refused, Refusal)
    assert refused.index == 1


# --- cities


def test_a_sensor_report_names_its_own_device_and_component() -> None:
    report = {"type": "https://gs1.org/voc/Speed", "component": "x", "uom": "KMH", "value": 3, "deviceID": "urn:d"}
    event = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "eventTime": "2026-11-22T20:00:00Z",
        "sensorElementList": [{"sensorReport": [report]}],
    }
    (item,) = understood("epcis", ("", event)).items
    assert item == Reading("urn:d", "Speed.x", 3, ARRIVED, "km/h")


def test_an_entity_without_zone_is_of_the_gateways() -> None:
    entity = {
        "id": "e-2026-11-22T21:00:00",
        "type": "AirQualityObserved",
        "dateObserved": "2026-11-22T21:00:00",
        "no2": 5,
    }
    (item,) = understood("ngsi", ("", entity)).items
    assert item == Reading("e", "no2", 5, ARRIVED)


def test_no_vehicle_of_a_fleet_can_be_followed() -> None:
    vehicles = [{"vehicle_id": "secret-1", "vehicle_type_id": "bike", "lat": 45.5, "lon": 4.5, "is_reserved": True}]
    feed = {"last_updated": "2026-11-22T20:00:00Z", "ttl": 0, "version": "3.0", "data": {"vehicles": vehicles}}
    found = understood("gbfs", ("", feed))
    assert not found.about
    assert "secret" not in str(found)
    assert {item.property: item.value for item in found.items if isinstance(item, Reading)} == {
        "num_vehicles": 1, "num_reserved": 1, "num_disabled": 0,
    }  # fmt: skip


def test_senml_within_an_event_is_of_the_events_time() -> None:
    event = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2026-11-22T20:00:00Z",
        "datacontenttype": "application/senml+json", "data": [{"n": "h/t", "v": 1, "t": -60}],
    }  # fmt: skip
    (item,) = understood("cloudevents", ("", event)).items
    assert item == Reading("h", "t", 1, ARRIVED - 60 * times.SECOND)
