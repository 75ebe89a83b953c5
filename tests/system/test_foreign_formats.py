"""Devices that speak their own formats, straight to the broker: what is of a datastream is stored, all else is refused and suggested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateways.sparkplug import REBIRTH, SCHEMA
from mitoyen.ports import free_ports
from tests.owners import Owner, new_owner, new_reader
from tests.payloads import sparkplug
from tests.publisher import CertainDevice, Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from pathlib import Path


def gateway(owner: Owner, format_: str, **more: Any) -> dict[str, Any]:
    """How a gateway logs in that speaks a format."""
    made = owner.broker.call(owner.key, "POST", "gateways", {"id": format_, "format": format_, **more})
    login: dict[str, Any] = made["mqtt"]
    return login


def publish(login: dict[str, Any], *messages: tuple[str, str | bytes]) -> None:
    with Device(login) as device:
        for topic, payload in messages:
            device.publish("", [payload], topic=login["topic"].replace("{topic}", topic))  # type: ignore[list-item]  # bytes do as well
        device.await_answers(len(messages))


def test_one_message_of_several_properties_becomes_several_datastreams(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "tasmota-owner"), new_reader(mitoyen, "tasmota-reader")
    login = gateway(owner, "tasmota", zone="Europe/Paris")
    for name, member, unit in (("cellar-temperature", "Temperature", "[degF]"), ("cellar-humidity", "Humidity", "%")):
        origin = {"device": "cellar", "property": f"BME280.{member}"}
        owner.datastream(name, gateway="tasmota", unit=unit, origin=origin)
    offer = owner.offer(["cellar-temperature", "cellar-humidity"])
    reader.agree(offer["id"])
    told = {"Temperature": 20, "Humidity": 61.5, "Pressure": 1001}
    publish(
        login,
        ("tele/cellar/SENSOR", json.dumps({"Time": "2026-07-01T12:00:00", "BME280": told, "TempUnit": "C"})),
        ("tele/cellar/STATE", json.dumps({"Time": "2026-07-01T12:00:00", "Wifi": {"RSSI": 60}})),
    )
    releases = {release["datastream"]: release["id"] for release in offer["releases"]}
    for name, value in (("cellar-temperature", 68.0), ("cellar-humidity", 61.5)):
        (kept,) = reader.history(releases[name])
        assert (kept["time"], kept["value"]) == ("2026-07-01T10:00:00Z", value)
    (suggested,) = mitoyen.call(owner.key, "GET", "gateways/tasmota/suggestions")
    assert (suggested["device"], suggested["property"], suggested["value"]) == ("cellar", "BME280.Pressure", 1001)
    (refused,) = mitoyen.call(owner.key, "GET", "gateways/tasmota/rejections")
    assert "adopt it first" in refused["reason"]
    assert (refused["index"], refused["topic"]) == (2, "in/tasmota-owner/tasmota/tele/cellar/SENSOR")
    shown = mitoyen.call(owner.key, "GET", "gateways/tasmota")
    assert (shown["accepted"], shown["rejected"]) == (2, 1)


def test_a_receipt_counts_the_records_of_all_datastreams(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "senml-owner")
    login = gateway(owner, "senml")
    for name in ("a", "b"):
        owner.datastream(name, gateway="senml", origin={"device": "box", "property": name})
    pack = [{"bn": "box/", "n": "a", "v": 1}, {"n": "b", "v": 2}, {"n": "b", "v": 3, "t": -1}, {"n": "c", "v": 4}]
    with CertainDevice({**login, "topic": "in/senml-owner/senml/{datastream}"}) as device:
        device.deliver("x", [json.dumps(pack)], lambda _: None)
        (answer,) = device.receipts.values()
    assert answer["stored"] == 3
    assert [one["index"] for one in answer["rejected"]] == [3]


def test_a_change_of_units_is_converted_or_refused_and_never_stored_as_it_is(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "units-owner"), new_reader(mitoyen, "units-reader")
    login = gateway(owner, "senml")
    owner.datastream("t", gateway="senml", unit="Cel", origin={"device": "box", "property": "t"})
    offer = owner.offer(["t"])
    reader.agree(offer["id"])
    publish(login, *(("x", json.dumps([{"n": "box/t", "v": 300.15, "u": unit}])) for unit in ("K", "Cel", "W", "xyz")))
    assert [one["value"] for one in reader.history(offer["releases"][0]["id"])] == pytest.approx([27.0, 300.15])
    reasons = [one["reason"] for one in mitoyen.call(owner.key, "GET", "gateways/senml/rejections")]
    assert "'xyz' is unknown" in reasons[0]
    assert "does not follow" in reasons[1]


def test_a_payload_is_decoded_without_being_stored(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "decoding-owner")
    body = {"format": "senml", "payload": json.dumps([{"n": "box/t", "v": 21.5, "u": "Cel"}, {"n": "!", "v": 1}])}
    answer = mitoyen.call(owner.key, "POST", "decode", body)
    assert "refused" in answer["items"][0]
    body["payload"] = json.dumps([{"n": "box/t", "v": 21.5, "u": "Cel"}])
    (item,) = mitoyen.call(owner.key, "POST", "decode", body)["items"]
    assert item == {"device": "box", "property": "t", "time": None, "value": 21.5, "unit": "Cel"}


def test_a_sparkplug_node_whose_birth_was_missed_is_asked_for_it_on_its_own_topic(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "sparkplug-owner")
    login = gateway(owner, "sparkplug")
    with Node(login) as node:
        node.subscribe("in/sparkplug-owner/sparkplug/spBv1.0/works/NCMD/pump-1/#")
        publish(login, ("spBv1.0/works/NDATA/pump-1", sparkplug(7, (None, 3, 9, {"float_value": 1.5}))))
        node.await_messages(1)
        ((topic, asked),) = node.messages
    assert topic.endswith("/NCMD/pump-1")
    assert REBIRTH in str(asked)


def test_a_device_that_can_set_no_prefix_publishes_on_a_listener_of_its_gateways(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    mounted = {"MQTT_MOUNTED": f"127.0.0.1:{port}=mounted-owner/tasmota"}
    with Mitoyen(tmp_path, environment=mounted) as broker:
        owner, reader = new_owner(broker, "mounted-owner"), new_reader(broker, "mounted-reader")
        login = {**gateway(owner, "tasmota"), "port": port, "topic": "{topic}"}
        owner.datastream("t", gateway="tasmota", origin={"device": "cellar", "property": "DS18B20.Temperature"})
        offer = owner.offer(["t"])
        reader.agree(offer["id"])
        publish(
            login, ("tele/cellar/SENSOR", json.dumps({"Time": "2026-07-01T12:00:00", "DS18B20": {"Temperature": 7.5}}))
        )
        assert [kept["value"] for kept in reader.history(offer["releases"][0]["id"])] == [7.5]
        with Device({**owner.mqtt, "port": port}) as other:
            other.publish("", ["{}"], topic="tele/cellar/SENSOR")
            other.await_answers(1)
            assert other.refused, "another gateway's password opens nothing there"


class Node(Subscriber):
    """An edge node, which is spoken to in protobuf."""

    def _heard(self, _client: object, _data: object, message: Any) -> None:
        with self._something:
            self.messages.append((message.topic, SCHEMA.parse("Payload", message.payload)))
            self._something.notify_all()
