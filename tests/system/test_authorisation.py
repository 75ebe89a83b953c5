"""What MQTT clients may not do, tried on the real broker: each test is an attempt to get round a rule."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiomqtt
import msgspec
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import secrets
from broker.authorisation import OWN_ROLES
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers import Mitoyen

ANSWER_S = 10.0
REFUSED = range(128, 256)
"""Reason codes of MQTT 5 that say no."""


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "guarded")
    made.datastream("d")
    return made


@pytest.fixture(scope="module")
def reader(mitoyen: Mitoyen) -> Reader:
    return new_reader(mitoyen, "curious")


def _client(login: Mapping[str, Any], client_id: str | None = None, **more: Any) -> aiomqtt.Client:
    account = {"username": login["username"], "password": login["password"], **more}
    return aiomqtt.Client(
        login["host"],
        login["port"],
        identifier=client_id or login["client_id_prefix"] + "t",
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=ANSWER_S,
        **account,
    )


async def _refused(login: Mapping[str, Any], topic_filter: str) -> bool:
    """Whether this subscription is refused."""
    async with _client(login) as client:
        granted = await client.subscribe(topic_filter, qos=1)
        return all(code.value in REFUSED for code in granted)


@pytest.mark.parametrize("account", [{"username": None, "password": None}, {"password": "guessed"}])
async def test_nobody_connects_without_the_right_password(owner: Owner, account: dict[str, str | None]) -> None:
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authorized"):
        async with _client(owner.mqtt, **account):
            pass


@pytest.mark.parametrize(
    "topic_filter",
    ["$SYS/#", "$SYS/broker/version", "$CONTROL/#", "$CONTROL/dynamic-security/v1/response", "in/#", "ack/#", "#", "+/#", "frame/#"],
)  # fmt: skip
async def test_an_application_subscribes_to_nothing_but_live(reader: Reader, topic_filter: str) -> None:
    assert await _refused(reader.mqtt, topic_filter)


async def test_a_gateway_subscribes_to_its_own_receipts_alone(owner: Owner) -> None:
    assert not await _refused(owner.mqtt, f"ack/{owner.id}/g")
    for other in ("ack/#", "ack/+/+", f"ack/{owner.id}/h", "in/#", f"in/{owner.id}/g/#", "live/#", "$SYS/#", "#"):
        assert await _refused(owner.mqtt, other), other


@pytest.mark.parametrize(
    "topic", ["in/guarded/other/d", "in/other/g/d", "in/~", "live/guarded/offer/d", "ack/guarded/g", "$CONTROL/dynamic-security/v1"]
)  # fmt: skip
def test_a_gateway_publishes_below_its_own_topic_alone(owner: Owner, topic: str) -> None:
    with Device(owner.mqtt) as device:
        device.publish("", ["{}"], topic=topic)
        device.await_answers(1)
        assert [reason for _, reason in device.refused] == ["Not authorized"]


def test_an_application_publishes_nowhere(owner: Owner, reader: Reader) -> None:
    topics = [f"in/{owner.id}/g/d", "live/guarded/x/d", f"ack/{owner.id}/g", "$CONTROL/dynamic-security/v1", "anything"]
    with Device(reader.mqtt) as device:
        for topic in topics:
            device.publish("", ["{}"], topic=topic)
        device.await_answers(len(topics))
        assert not device.acknowledged


async def test_what_reaches_a_wildcard_is_what_was_agreed_to(mitoyen: Mitoyen, owner: Owner) -> None:
    agreed, other = owner.offer(["d"]), owner.offer(["d"])
    subscriber = new_reader(mitoyen, "wildcard")
    subscriber.agree(agreed["id"])
    heard: list[str] = []
    async with _client(subscriber.mqtt) as client:
        await client.subscribe("live/#", qos=1)
        with Device(owner.mqtt) as device:
            device.publish("d", [json.dumps({"value": n}) for n in range(3)])
            device.await_answers(3)
        subscriber.agree(other["id"])
        with Device(owner.mqtt) as device:
            device.publish("d", ['{"value": "end"}'])
        async with asyncio.timeout(ANSWER_S):
            async for message in client.messages:
                heard.append(str(message.topic).split("/")[2])
                if heard[-1] == other["id"]:
                    break
    assert heard.count(agreed["id"]) >= 3
    assert heard.index(other["id"]) >= 3, "delivered before the agreement"


async def test_nobody_takes_over_a_session_by_guessing_its_client_id(
    mitoyen: Mitoyen, owner: Owner, reader: Reader
) -> None:
    """A client that connects under another's id would push it out and get its queue. So the ids are secrets."""
    victim_id = owner.mqtt["client_id_prefix"] + "t"
    guesses = [
        "mitoyen", "mitoyen.ingest", "mitoyen.live", "mitoyen.control", "mitoyen.read", "ingest", "broker", "keeper",
        "mitoyen.live-keeper", owner.mqtt["username"], f"{owner.mqtt['username']}-t", f"{owner.id}-t", "g", "t", "device",
        reader.mqtt["client_id_prefix"] + "t",
    ]  # fmt: skip
    async with _client(owner.mqtt, victim_id) as victim:
        await victim.subscribe(f"ack/{owner.id}/g", qos=1)
        for guess in guesses:
            async with _client(reader.mqtt, guess):
                pass
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = f"ack/{owner.id}/g", b"7"
        await victim.publish(f"in/{owner.id}/g/d", '{"value": 1}', qos=1, properties=properties)
        async with asyncio.timeout(ANSWER_S):
            receipt = await anext(aiter(victim.messages))
    assert json.loads(receipt.payload) == {"stored": 1}
    log = mitoyen.log()
    assert "connection_lost" not in log
    assert "not_connected" not in log


def test_client_ids_and_passwords_of_the_broker_are_random_and_private(mitoyen: Mitoyen) -> None:
    logins = mitoyen.home / "logins.json"
    assert logins.stat().st_mode & 0o077 == 0
    kept = json.loads(logins.read_text())
    hidden = [kept[name][what] for name in kept for what in ("client_id", "password")]
    assert len(set(hidden)) == len(hidden) >= 8
    assert all(len(secret) >= 20 for secret in hidden)


def test_a_home_gets_the_logins_that_it_was_made_without_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    before = secrets.load(path)
    del before["mitoyen.cameras"]
    path.write_bytes(msgspec.json.encode(before))
    after = secrets.load(path)
    assert set(after) == set(OWN_ROLES)
    assert {name: after[name] for name in before} == before
    assert secrets.load(path) == after
    assert path.stat().st_mode & 0o077 == 0


def test_the_prefix_of_a_client_id_is_other_for_every_client(owner: Owner, reader: Reader, mitoyen: Mitoyen) -> None:
    another = new_reader(mitoyen, "curious-too")
    prefixes = {login["client_id_prefix"] for login in (owner.mqtt, reader.mqtt, another.mqtt)}
    assert len(prefixes) == 3
    assert all(len(prefix) >= 16 for prefix in prefixes)
