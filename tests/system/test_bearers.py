"""From a code on paper to a withdrawal: who bears a tag decides, live and in history, and whoever reads the EPC decides nothing."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiomqtt
import httpx
import pytest

from broker import times
from tests.owners import new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

TAG = "urn:epc:id:sgtin:0614141.812345.77{}"
ANSWER_S = 20.0


def said(broker: Mitoyen, path: str, **body: Any) -> dict[str, Any]:
    """A bearer's call, without any key."""
    answer: dict[str, Any] = broker.call(None, "POST", path, body)
    return answer


def read(number: int, moment: int | None = None) -> str:
    return json.dumps({"time": times.text(moment or time.time_ns()), "epc": TAG.format(number), "read_point": "door"})


async def test_a_tag_is_shown_from_its_consent_until_its_withdrawal_and_then_nowhere(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "museum"), new_reader(mitoyen, "footfall")
    mitoyen.call(
        mitoyen.operator_key, "PUT", "organisations/museum/tags", {"prefixes": ["urn:epc:id:sgtin:0614141.812345.77"]}
    )
    owner.datastream("door", kind="rfid")
    offer = owner.offer(["door"], {"op": "pseudonymise", "rotate": "P1D"}, terms={"purposes": ["research"]})
    body = {"offer": offer["id"], "application": reader.id, "purpose": "research", "accept": True}
    agreed = mitoyen.call(reader.key, "POST", "agreements", body)
    release, topic = agreed["releases"][0]["id"], agreed["releases"][0]["topic"]
    code = mitoyen.call(owner.key, "POST", "consent-codes", {"tag": TAG.format(1)})["code"]
    login, heard = reader.mqtt, asyncio.Queue[str]()
    client = aiomqtt.Client(
        login["host"], login["port"], username=login["username"], password=login["password"],
        identifier=login["client_id_prefix"] + "door", protocol=aiomqtt.ProtocolVersion.V5,
    )  # fmt: skip
    with Device(owner.mqtt) as device:
        async with asyncio.timeout(4 * ANSWER_S), client:
            await client.subscribe(topic, qos=1)
            listening = asyncio.create_task(_listen(client, heard))
            device.publish("door", [read(1)])
            await asyncio.to_thread(device.await_answers, 1)
            given = await asyncio.to_thread(
                said, mitoyen, "consents", tag=TAG.format(1), code=code, purposes=["research"]
            )
            device.publish("door", [read(1, times.parse(given["since"]) - times.HOUR), read(2), read(1)])
            await asyncio.to_thread(device.await_answers, 4)
            first = json.loads(await heard.get())
            assert await asyncio.to_thread(reader.history, release) == [
                first
            ]  # what is withdrawn before it is kept is not kept
            begin = time.monotonic()
            held = await asyncio.to_thread(
                said, mitoyen, "consents/withdrawal", tag=TAG.format(1), code=given["code"], erase=False
            )
            assert time.monotonic() - begin < 1
            device.publish("door", [read(1)])
            await asyncio.to_thread(device.await_answers, 5)
            assert await asyncio.to_thread(reader.history, release) == [first]
            assert heard.empty()
            told = await asyncio.to_thread(said, mitoyen, "consents/export", tag=TAG.format(1), code=held["code"])
            assert len(told["reads"]) == 4
            assert told["consents"][0]["withdrawn"]
            await asyncio.to_thread(
                said, mitoyen, "consents/withdrawal", tag=TAG.format(1), code=told["code"], erase=True
            )
            await asyncio.to_thread(mitoyen.await_that, lambda: reader.history(release) == [], "erased")
            listening.cancel()
    assert "tag" in first
    ledger = mitoyen.text(None, "/api/v1/ledger?limit=10000")
    assert "812345.771" not in ledger
    assert "consent_" not in ledger


async def _listen(client: aiomqtt.Client, heard: asyncio.Queue[str]) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        if message.payload:
            heard.put_nowait(message.payload.decode())


def test_reading_the_epc_or_guessing_the_code_moves_nothing(mitoyen: Mitoyen) -> None:
    owner, other = new_owner(mitoyen, "tramway"), new_owner(mitoyen, "shop")
    prefixes = {"prefixes": ["urn:epc:id:sgtin:0614141.812346."]}
    mitoyen.call(mitoyen.operator_key, "PUT", "organisations/tramway/tags", prefixes)
    tag = "urn:epc:id:sgtin:0614141.812346.5"
    refusals = []
    with pytest.raises(httpx.HTTPStatusError) as refused:
        mitoyen.call(other.key, "POST", "consent-codes", {"tag": tag})
    refusals.append(refused.value.response.json()["reason"])
    code = mitoyen.call(owner.key, "POST", "consent-codes", {"tag": tag})["code"]
    for guess in ("AAAA-AAAA-AAAA", "", "x" * 41, *("BBBB-BBBB-BBBB",) * 4, code):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            said(mitoyen, "consents", tag=tag, code=guess, purposes=["any"])
        refusals.append(refused.value.response.json()["reason"])
    assert refusals == ["not_the_issuer", "code_wrong", "invalid", "invalid", *["code_wrong"] * 5]
    with pytest.raises(httpx.HTTPStatusError) as unknown:
        said(mitoyen, "consents/export", tag="urn:epc:id:sgtin:0614141.812346.99", code=code)
    assert unknown.value.response.json() == refused.value.response.json()
