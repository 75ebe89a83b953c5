"""SensorThings over MQTT: what is published is what GET gives, and only what anyone may read, as long as anyone may."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any, Self

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import times
from tests.owners import TERMS, Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from tests.servers import Mitoyen

BEGIN = times.parse("2026-03-01T00:00:00Z")
EVERY = "v1.1/Observations"
SECOND_LOOK = itertools.count(1)


class Scene:
    """A datastream that an open offer and a closed one show, an application that agreed to the closed, and one that did not."""

    def __init__(self, broker: Mitoyen, name: str, *operators: dict[str, Any]) -> None:
        self.broker = broker
        self.owner: Owner = new_owner(broker, name)
        self.agreed: Reader = new_reader(broker, f"{name}-agreed")
        self.stranger: Reader = new_reader(broker, f"{name}-stranger")
        self.owner.datastream("air", unit="Cel")
        self.open = self.owner.offer(["air"], *operators, terms={"access": "open"})
        self.closed = self.owner.offer(["air"])
        self.agreed.agree(self.closed["id"])

    def number(self, offer: dict[str, Any]) -> int:
        found = self.get(self.agreed.key, f"/v1.1/Datastreams?$filter=properties/offer eq '{offer['id']}'")
        return int(found["value"][0]["@iot.id"])

    def get(self, key: str | None, path: str) -> Any:
        with self.broker.client(key) as client:
            return client.get(path).raise_for_status().json()

    def say(self, device: Device, value: float, at: int) -> None:
        device.publish("air", [json.dumps({"time": times.text(at), "value": value})])

    def await_heard(self, device: Device, subscriber: Subscriber) -> None:
        """Say something until it is heard: a new offer is listened to within half a second."""
        until = time.monotonic() + 30
        while not subscriber.messages:
            assert time.monotonic() < until, "nothing is published"
            self.say(device, 0, BEGIN + next(SECOND_LOOK) * times.SECOND)
            subscriber.ping()


def test_what_is_published_is_what_get_gives(mitoyen: Mitoyen) -> None:
    scene = Scene(mitoyen, "spoken")
    topic = f"v1.1/Datastreams({scene.number(scene.open)})/Observations"
    moments = [BEGIN + times.DAY, BEGIN + times.DAY + 1_000_000, BEGIN + times.DAY + 1]
    with (
        Device(scene.owner.mqtt) as device,
        Subscriber(scene.stranger.mqtt) as one,
        Subscriber(scene.stranger.mqtt, "every") as every,
    ):
        one.subscribe(topic)
        every.subscribe(EVERY)
        scene.await_heard(device, one)
        for moment in moments:
            scene.say(device, 21.5, moment)
        one.await_that(lambda last: last[topic]["phenomenonTime"] == times.text(moments[-1]))
        every.await_that(lambda last: last[EVERY]["phenomenonTime"] == times.text(moments[-1]))
    scene.stranger.history(scene.open["releases"][0]["id"])
    heard = [said for _, said in one.messages]
    assert len({said["@iot.id"] for said in heard}) == len(heard)
    assert [scene.get(None, said["@iot.selfLink"]) for said in heard] == heard
    own = [
        said
        for _, said in every.messages
        if said["Datastream@iot.navigationLink"]
        == heard[0]["Datastream@iot.navigationLink"].replace(str(heard[0]["@iot.id"]), str(said["@iot.id"]))
    ]
    assert own[-3:] == heard[-3:]


def test_nothing_of_an_agreement_is_on_topics_for_everybody(mitoyen: Mitoyen) -> None:
    scene = Scene(mitoyen, "kept", {"op": "quantise", "step": 10})
    closed = scene.number(scene.closed)
    shown = scene.get(scene.agreed.key, f"/v1.1/Datastreams({closed})")
    with (
        Device(scene.owner.mqtt) as device,
        Subscriber(scene.agreed.mqtt) as agreed,
        Subscriber(scene.agreed.mqtt, "live") as live,
    ):
        for topic in (EVERY, "v1.1/#", f"v1.1/Datastreams({closed})/Observations"):
            agreed.subscribe(topic)
        live.subscribe(shown["properties"]["topic"])
        scene.await_heard(device, agreed)
        scene.say(device, 21.5, BEGIN + times.DAY)
        live.await_that(lambda last: last.get(shown["properties"]["topic"], {}).get("value") == 21.5)
        agreed.await_that(lambda last: last[EVERY]["phenomenonTime"] == times.text(BEGIN + times.DAY))
        agreed.ping()
    assert {said["result"] for topic, said in agreed.messages if topic == EVERY} == {0.0, 20.0}
    assert f"v1.1/Datastreams({closed})/Observations" not in dict(agreed.messages)


def test_what_closes_is_silent_even_for_who_was_away(mitoyen: Mitoyen) -> None:
    scene = Scene(mitoyen, "closing")
    topic = f"v1.1/Datastreams({scene.number(scene.open)})/Observations"
    live = scene.closed["releases"][0]["topic"]
    with Device(scene.owner.mqtt) as device:
        with Away(scene.stranger.mqtt, "away") as away:
            away.subscribe(EVERY)
            away.subscribe(topic)
            scene.await_heard(device, away)
        scene.say(device, 1, BEGIN + times.DAY)  # which its session does not keep
        with Subscriber(scene.agreed.mqtt) as agreed:
            agreed.subscribe(live)
            agreed.subscribe("v1.1/#")
            mitoyen.call(scene.owner.key, "PUT", f"offers/{scene.open['id']}/terms", TERMS)
            scene.say(device, 2, BEGIN + times.DAY + times.SECOND)
            agreed.await_that(lambda last: last.get(live, {}).get("value") == 2)
            agreed.ping()
            said = [one["result"] for name, one in agreed.messages if name == topic]
            assert 2 not in said
        with away:
            away.ping()
            assert {said["result"] for _, said in away.messages} == {0}


def test_nobody_else_publishes_there(mitoyen: Mitoyen) -> None:
    scene = Scene(mitoyen, "forging")
    with Subscriber(scene.stranger.mqtt) as forger:
        forger._client.publish(EVERY, b'{"result": 1}', qos=1)
        forger.await_disconnected()


def test_the_service_says_where_it_is_heard(mitoyen: Mitoyen) -> None:
    settings = mitoyen.call(None, "GET", "../../v1.1")["serverSettings"]
    told = settings["http://www.opengis.net/spec/iot_sensing/1.1/req/receive-updates-via-mqtt/receive-updates"]
    assert told == {"endpoints": [f"mqtt://127.0.0.1:{mitoyen.mqtt_port}"]}


class Away(Subscriber):
    """Its session outlives its connection."""

    def __init__(self, login: dict[str, Any], name: str) -> None:
        super().__init__(login, name)
        self._kept = Properties(PacketTypes.CONNECT)
        self._kept.SessionExpiryInterval = 600

    def __enter__(self) -> Self:
        self._noted.pop("connected", None)
        self._client.connect(self._login["host"], self._login["port"], clean_start=False, properties=self._kept)
        self._client.loop_start()
        self._await(lambda: "connected" in self._noted, "no answer to CONNECT")
        return self
