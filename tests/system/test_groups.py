"""Windows by cell and by read point, through every door: live, retained, events, history in its formats, newest."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiomqtt
import h3
import pytest

from broker import times
from tests.owners import Reader, audit, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_S = 20.0
PLACES = {"north": [4.8357, 45.764], "south": [4.83571, 45.7641], "west": [4.791234, 45.75]}
CELLS = {name: h3.latlng_to_cell(latitude, longitude, 7) for name, (longitude, latitude) in PLACES.items()}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path_factory.mktemp("groups"), environment={"LATENESS": "PT1S"}) as running:
        yield running


async def hear(reader: Reader, topic: str, enough: int) -> dict[str, Any]:
    """What is retained or arrives, by topic, until so many topics have a value."""
    login, heard = reader.mqtt, {}
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
            heard[str(message.topic)] = json.loads(message.payload)
            if len(heard) == enough:
                break
    return heard


async def test_datastreams_of_one_cell_are_one_everywhere(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "cells"), new_reader(broker, "mapper")
    for name, place in PLACES.items():
        owner.datastream(name, unit="dB", location={"type": "Point", "coordinates": place})
    with Device(owner.mqtt) as device:
        for n, name in enumerate(PLACES):
            device.publish(name, [json.dumps({"time": "2026-03-01T00:00:10Z", "value": 50 + n})])
        device.await_answers(3)
    offer = owner.offer(
        PLACES,
        {"op": "generalise_location", "h3": 7},
        {"op": "aggregate", "window": "PT5M", "statistics": ["mean", "count"], "by": "cell"},
    )
    agreed = reader.agree(offer["id"])
    assert {one["topic"] for one in agreed["releases"]} == {f"live/cells/{offer['id']}/+"}
    release = agreed["releases"][0]["id"]
    kept = reader.history(release)
    assert {one["cell"]: one["value"] for one in kept} == {CELLS["north"]: 50.5, CELLS["west"]: 52.0}
    heard = await hear(reader, agreed["releases"][0]["topic"], 2)
    assert heard == {f"live/cells/{offer['id']}/{one['cell']}": one for one in kept}
    with broker.client(reader.key) as client:
        path = f"/api/v1/offers/{offer['id']}/observations"
        assert client.get(path).json()["observations"] == kept
        features = client.get(path, params={"format": "geojson", "bbox": "4.7,45.7,4.81,45.8"}).json()["features"]
        assert [one["properties"]["cell"] for one in features] == [CELLS["west"]]
        assert features[0]["geometry"] == features[0]["properties"]["location"]
        assert sorted(client.get(f"/api/v1/releases/{release}/latest").json(), key=str) == sorted(kept, key=str)
        lines = client.get(path, params={"format": "csv"}).text.splitlines()
        assert lines[0].startswith("cell,time,until,value")
        assert len(lines) == 3
        with client.stream("GET", f"/api/v1/releases/{release}/live") as answer:
            data = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
            assert sorted([next(data), next(data)], key=str) == sorted(kept, key=str)
    for name in PLACES.values():
        assert f"{name[0]}" not in json.dumps(broker.call(None, "GET", f"offers/{offer['id']}"))


async def test_read_points_with_too_few_tags_are_withheld_and_so_is_what_would_tell_them(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "gates"), new_reader(broker, "planner")
    owner.datastream("doors", kind="rfid", privacy_unit="tag")
    offer = owner.offer(
        ["doors"], {"op": "aggregate", "window": "PT2S", "statistics": ["count"], "by": "read_point", "k": 5}
    )
    agreed = reader.agree(offer["id"])
    begin = (time.time_ns() // (2 * times.SECOND) + 1) * 2 * times.SECOND
    people = {"main": range(12), "side": range(12, 18), "cellar": range(18, 20)}
    with Device(owner.mqtt) as device:
        for gate, tags in people.items():
            reads = [
                {"time": times.text(begin + n), "epc": f"urn:epc:id:sgtin:0614141.812345.{n}", "read_point": gate}
                for n in tags
            ]
            device.publish("doors", [json.dumps(reads)])
        device.await_answers(3)
    heard = await hear(reader, agreed["releases"][0]["topic"], 1)
    (shown,) = heard.values()
    assert (shown["read_point"], shown["value"], shown["time"]) == ("main", 12, times.text(begin))
    assert reader.history(agreed["releases"][0]["id"]) == [shown]
    audited = audit(broker, agreed["releases"][0]["id"])
    found = {one["attack"]: one for one in audited["attacks"]}
    assert (audited["offer"], audited["records"]) == (offer["id"], 20)
    assert (found["differencing"]["success"], found["differencing"]["tried"]) == (0.0, 1)
    assert found["unicity, 1 known"]["success"] == 0.0


async def test_a_private_place_is_nowhere_told_but_to_its_owner(broker: Mitoyen) -> None:
    owner = new_owner(broker, "balconies")
    place = [4.835712, 45.764043]
    owner.datastream("balcony", location={"type": "Point", "coordinates": place}, location_h3=8)
    offer = owner.offer(["balcony"])
    shown = offer["releases"][0]["location"]["coordinates"]
    assert h3.latlng_to_cell(*shown[::-1], 8) == h3.latlng_to_cell(*place[::-1], 8)
    told = [broker.text(None, path) for path in ("/api/v1/offers", "/catalog.jsonld", "/api/v1/ledger", "/")]
    assert not any("835712" in text or "764043" in text for text in told)
    assert broker.call(owner.key, "GET", "datastreams/balcony")["location"]["coordinates"] == place
