"""What is not released is behind no door: not live, retained, in events, history of any format, catalogue, ledger, page, metrics, nor logs."""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import TYPE_CHECKING, Any

import aiomqtt
import httpx
import pytest
from pyarrow import ipc, parquet

from broker import times
from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.owners import Owner, Reader

FORMATS = ("json", "ndjson", "csv", "geojson", "parquet", "arrow")
BALCONY = {"type": "Point", "coordinates": [4.8357131, 45.7640137]}
PERSON, THING = "urn:epc:id:sgtin:0614141.812345.660{}", "urn:epc:id:giai:0614141.77{}"
SECRETS = ("812345", "0614141.77", "4.8357131", "45.7640137", "21.2371", "household-17", "gate-exact")
"""Of each what would give it away, in whatever form it leaves."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path_factory.mktemp("doors"), environment={"LATENESS": "PT1S"}) as running:
        yield running


def offers(owner: Owner) -> list[dict[str, Any]]:
    """One of each kind."""
    place = {"op": "generalise_location", "h3": 7}
    owner.datastream("warmth", unit="Cel", location=BALCONY, location_h3=8)
    owner.datastream(
        "meter",
        unit="kWh",
        location=BALCONY,
        personal_data=True,
        privacy_unit="household",
        privacy_unit_id="household-17",
    )
    owner.datastream("doors", kind="rfid", location=BALCONY, asset_prefixes=["urn:epc:id:giai:0614141.77"])
    count = {"op": "aggregate", "window": "PT2S", "statistics": ["count"], "k": 5}
    return [
        owner.offer(["warmth"], {"op": "round_time", "to": "PT1M"}, {"op": "quantise", "step": 0.5}),
        owner.offer(["meter"], place, {**count, "by": "cell", "statistics": ["mean", "count"]}),
        owner.offer(["doors"], place, count),
        owner.offer(
            ["doors"], place, {"op": "pseudonymise", "rotate": "P1D"}, {"op": "suppress", "fields": ["read_point"]}
        ),
    ]


def publish(owner: Owner, begin: int) -> None:
    moment = times.text(begin)
    people = [{"time": moment, "epc": PERSON.format(n), "read_point": "gate-exact"} for n in range(9)]
    things = [{"time": times.text(begin + n), "epc": THING.format(n), "read_point": "gate-exact"} for n in range(3)]
    with Device(owner.mqtt) as device:
        device.publish("warmth", [json.dumps({"time": moment, "value": 21.2371})])
        device.publish("meter", [json.dumps({"time": moment, "value": 21.2371})])
        device.publish("doors", [json.dumps(people + things)])
        device.publish("nowhere", [json.dumps({"time": moment, "epc": PERSON.format(1)})])
        device.await_answers(4)


async def everything_live(reader: Reader, enough: int) -> bytes:
    """What an application gets that asks for all there is."""
    login, heard = reader.mqtt, []
    client = aiomqtt.Client(
        login["host"], login["port"], username=login["username"], password=login["password"],
        identifier=login["client_id_prefix"] + "all", protocol=aiomqtt.ProtocolVersion.V5,
    )  # fmt: skip
    async with asyncio.timeout(30), client:
        await client.subscribe([("live/#", 1), ("status/#", 1)])
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            heard.append(str(message.topic).encode() + message.payload)
            if sum(one.startswith(b"live") for one in heard) >= enough:
                return b"\n".join(heard)
    raise AssertionError("the connection ended")


async def test_what_is_not_released_is_behind_no_door(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "house"), new_reader(broker, "curious")
    made = offers(owner)
    releases = [release["id"] for offer in made for release in reader.agree(offer["id"])["releases"]]
    publish(owner, (time.time_ns() // (2 * times.SECOND) + 1) * 2 * times.SECOND)
    doors = {"live": await everything_live(reader, 3)}
    kept = [await asyncio.to_thread(reader.history, release) for release in releases]
    assert [len(one) for one in kept] == [1, 0, 1, 3], "what is released is there"
    with broker.client(reader.key) as client:
        for release in releases:
            for name in FORMATS:
                path = f"/api/v1/releases/{release}/observations"
                doors[f"{name} of {release}"] = _readable(name, client.get(path, params={"format": name}).content)
            doors[f"latest of {release}"] = client.get(f"/api/v1/releases/{release}/latest").content
            doors[f"downsampled {release}"] = client.get(
                f"/api/v1/releases/{release}/observations", params={"interval": "PT1H", "statistic": "max"}
            ).content
            with client.stream("GET", f"/api/v1/releases/{release}/live", headers={"Last-Event-ID": "MHw"}) as events:
                doors[f"events of {release}"] = next(events.iter_bytes())
        for entities in ("Things", "Locations", "Datastreams", "Sensors", "Observations", "FeaturesOfInterest"):
            doors[f"SensorThings {entities}"] = client.get(f"/v1.1/{entities}").content
    with broker.client() as client:
        described = client.get("/openapi.json").json()["paths"]
        for path in (
            "/",
            "/catalog.jsonld",
            "/api/v1/ledger",
            "/api/v1/offers",
            "/api/v1/organisations",
            "/assets/app.js",
        ):
            doors[path] = client.get(path).content
        for path in (path for path, of in described.items() if "get" in of and "{" not in path):
            doors[f"GET {path}"] = _beginning(client, path)
    doors["metrics"] = broker.text(broker.operator_key, "/metrics").encode()
    doors["log"] = broker.log().encode()
    told = [(door, secret) for door, said in doors.items() for secret in SECRETS if secret.encode() in said]
    assert not told


def _readable(name: str, body: bytes) -> bytes:
    """As text, also where it is compressed."""
    if name == "parquet":
        table = parquet.read_table(io.BytesIO(body))
        return f"{table.schema} {table.to_string(preview_cols=99)} {[column.cast('string').to_pylist() for column in table.columns]}".encode()
    if name == "arrow":
        table = ipc.open_stream(body).read_all()
        return f"{table.schema} {table.to_string(preview_cols=99)} {[column.cast('string').to_pylist() for column in table.columns]}".encode()
    return body


def _beginning(client: httpx.Client, path: str) -> bytes:
    """The first of what is answered; a stream would go on."""
    with client.stream("GET", path) as answer:
        return next(answer.iter_bytes(), b"")
