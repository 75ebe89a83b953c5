"""Each operator through the doors that everyone uses: live over MQTT, retained, history, catalogue of offers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest

from broker import times
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

ANSWER_S = 20.0
LYON = {"type": "Point", "coordinates": [4.8357, 45.764]}


async def hear(reader: Reader, topic: str, until: Any) -> list[dict[str, Any]]:
    """What arrives on a topic until `until` says that it is enough."""
    login, heard = reader.mqtt, []
    client = aiomqtt.Client(
        login["host"],
        login["port"],
        username=login["username"],
        password=login["password"],
        identifier=login["client_id_prefix"] + "hear",
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with asyncio.timeout(ANSWER_S), client:
        await client.subscribe(topic, qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            found = json.loads(message.payload)
            heard += found if isinstance(found, list) else [found]
            if until(heard):
                break
    return heard


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    return new_owner(mitoyen, "operators")


async def test_values_times_and_rate_leave_no_finer_than_the_profile_says(mitoyen: Mitoyen, owner: Owner) -> None:
    owner.datastream("fine", unit="Cel", location=LYON)
    reader = new_reader(mitoyen, "coarse")
    operators = [
        {"op": "round_time", "to": "PT10S"},
        {"op": "sample", "every": "PT1M"},
        {"op": "clip", "min": 0, "max": 30},
        {"op": "quantise", "step": 0.5},
        {"op": "generalise_location", "h3": 7},
    ]
    begin = times.parse("2026-03-01T00:00:00Z")
    with Device(owner.mqtt) as device:
        device.publish("fine", [record(begin - 60 * times.SECOND, 17.77)])
        device.await_answers(1)
        offer = owner.offer(["fine"], *operators)
        agreed = reader.agree(offer["id"])
        device.publish("fine", [record(begin + n * 7 * times.SECOND, 20.123 * (n + 1)) for n in range(20)])
        device.await_answers(21)
    kept = reader.history(offer["releases"][0]["id"])
    assert [(o["time"], o["value"]) for o in kept] == [
        ("2026-02-28T23:59:00Z", 18.0),
        ("2026-03-01T00:00:00Z", 20.0),
        ("2026-03-01T00:01:00Z", 30.0),
        ("2026-03-01T00:02:00Z", 30.0),
    ]
    heard = await hear(reader, agreed["releases"][0]["topic"], lambda found: found[-1]["time"] == kept[-1]["time"])
    assert all(one in kept for one in heard)
    shown = offer["releases"][0]["location"]
    assert shown["coordinates"] != LYON["coordinates"]
    assert f"{LYON['coordinates'][0]}" not in json.dumps(mitoyen.call(None, "GET", f"offers/{offer['id']}"))


async def test_the_retained_value_of_a_new_offer_is_as_coarse_as_the_rest(mitoyen: Mitoyen, owner: Owner) -> None:
    owner.datastream("last", unit="Cel")
    reader = new_reader(mitoyen, "late-comer")
    with Device(owner.mqtt) as device:
        device.publish("last", [record(times.parse("2026-03-01T00:00:00.123Z"), 21.23)])
        device.await_answers(1)
    offer = owner.offer(["last"], {"op": "quantise", "step": 1}, {"op": "round_time", "to": "PT1H"})
    topic = reader.agree(offer["id"])["releases"][0]["topic"]
    (heard,) = await hear(reader, topic, len)
    assert (heard["time"], heard["value"]) == ("2026-03-01T00:00:00Z", 21.0)


async def test_what_is_delayed_comes_when_it_is_old_enough_and_is_then_in_history(
    mitoyen: Mitoyen, owner: Owner
) -> None:
    owner.datastream("slow")
    reader = new_reader(mitoyen, "patient")
    offer = owner.offer(["slow"], {"op": "delay", "by": "PT3S"})
    topic = reader.agree(offer["id"])["releases"][0]["topic"]
    sent = time.time_ns()
    with Device(owner.mqtt) as device:
        device.publish("slow", [record(sent, "now")])
        device.await_answers(1)
    assert reader.history(offer["releases"][0]["id"]) == []
    (heard,) = await hear(reader, topic, len)
    assert time.time_ns() >= sent + 3 * times.SECOND
    assert heard["value"] == "now"
    assert reader.history(offer["releases"][0]["id"]) == [heard]


def record(moment: int, value: object) -> str:
    return json.dumps({"time": times.text(moment), "value": value})
