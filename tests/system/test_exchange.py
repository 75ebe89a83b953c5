"""What was released, in the formats of supply chains and of bike share: EPCIS 2.0 events and GBFS 3.0 feeds, by the same decision as everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from tests.owners import new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

SCHEMAS = Path(__file__).parents[3] / "shared" / "reference" / "data" / "schemas"
there = pytest.mark.skipif(not SCHEMAS.exists(), reason="the schemas are not beside the project")
THING = "urn:epc:id:sgtin:0614141.107346."


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text())


def _get(broker: Mitoyen, key: str | None, path: str, **query: str) -> Any:
    with broker.client(key) as client:
        return client.get(path, params=query or None).raise_for_status()


def _events(broker: Mitoyen, key: str | None, **query: str) -> list[dict[str, Any]]:
    """All events of a query, page by page."""
    found, answer = [], _get(broker, key, "/epcis/events", **query)
    while True:
        found += answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        if "next" not in answer.links:
            return found
        answer = _get(broker, key, answer.links["next"]["url"])


@there
def test_tag_reads_are_epcis_events_with_pseudonyms_for_whoever_agreed_alone(mitoyen: Mitoyen) -> None:
    owner, agreed, stranger = (
        new_owner(mitoyen, "depot"),
        new_reader(mitoyen, "depot-agreed"),
        new_reader(mitoyen, "depot-stranger"),
    )
    owner.datastream("gate", kind="rfid", asset_prefixes=[THING])
    before = _get(mitoyen, stranger.key, "/epcis/events").json()["epcisBody"]
    offer = owner.offer(["gate"], {"op": "pseudonymise", "rotate": "P1D"})
    release = offer["releases"][0]["id"]
    agreed.agree(offer["id"])
    with Device(owner.mqtt) as device:
        device.publish(
            "gate",
            [json.dumps({"epc": f"{THING}{n % 3}", "read_point": "north" if n % 2 else "south"}) for n in range(12)],
        )
        device.await_answers(12)
    reads = agreed.history(release)
    assert len(reads) == 12
    answer = _get(mitoyen, agreed.key, "/epcis/events")
    jsonschema_rs.validate(_schema("epcis.json"), answer.json())
    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
    events = _events(mitoyen, agreed.key, perPage="5")
    assert [one["eventTime"] for one in events] == [one["time"] for one in reads]
    assert [one["epcList"] for one in events] == [[f"urn:x-mitoyen:tag:{one['tag']}"] for one in reads]
    assert THING not in answer.text
    (tag,) = events[0]["epcList"]
    assert len(_events(mitoyen, agreed.key, MATCH_epc=tag, perPage="1")) == 4
    assert len(_events(mitoyen, agreed.key, EQ_readPoint="urn:x-mitoyen:read-point:north")) == 6
    assert len(_events(mitoyen, agreed.key, GE_eventTime=reads[4]["time"], LT_eventTime=reads[8]["time"])) == 4
    assert _get(mitoyen, stranger.key, "/epcis/events").json()["epcisBody"] == before


@there
def test_bike_share_streams_are_gbfs_again(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "bikes")
    gateway = mitoyen.call(owner.key, "POST", "gateways", {"id": "feed", "format": "gbfs"})
    place = {"type": "Point", "coordinates": [4.835, 45.767]}
    for name in ("num_vehicles_available", "num_docks_available", "is_renting", "capacity"):
        body = {
            "id": f"bellecour-{name}",
            "gateway": "feed",
            "kind": "measurement",
            "location": place,
            "origin": {"device": "st-1", "property": name},
        }
        mitoyen.call(owner.key, "POST", "datastreams", {**body, "description": "Place Bellecour"})
    offer = owner.offer(
        [f"bellecour-{name}" for name in ("num_vehicles_available", "num_docks_available", "is_renting", "capacity")],
        terms={"access": "open"},
    )
    station = {
        "station_id": "st-1",
        "num_vehicles_available": 7,
        "num_docks_available": 13,
        "is_renting": False,
        "capacity": 20,
    }
    feed = {"last_updated": "2026-03-01T00:00:00Z", "ttl": 60, "version": "3.0", "data": {"stations": [station]}}
    with Device(gateway["mqtt"]) as device:
        device.publish("", [json.dumps(feed)], topic=gateway["mqtt"]["topic"].replace("{topic}", "station_status"))
        device.await_answers(1)
    at = f"/gbfs/{offer['id']}"
    mitoyen.await_that(
        lambda: bool(_get(mitoyen, None, f"{at}/station_status.json").json()["data"]["stations"]), "nothing is shown"
    )
    feeds = {one["name"]: one["url"] for one in _get(mitoyen, None, f"{at}/gbfs.json").json()["data"]["feeds"]}
    assert feeds["station_status"] == f"{mitoyen.url}{at}/station_status.json"
    found = {name: _get(mitoyen, None, url).json() for name, url in feeds.items()}
    for name in ("station_information", "station_status"):
        jsonschema_rs.validate(_schema(f"gbfs_3.0_{name}.json"), found[name])
    (shown,) = found["station_status"]["data"]["stations"]
    assert shown == {
        "station_id": "bellecour-capacity", "num_vehicles_available": 7, "num_docks_available": 13, "is_installed": True,
        "is_renting": False, "is_returning": True, "last_reported": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    (about,) = found["station_information"]["data"]["stations"]
    assert (about["lat"], about["lon"], about["capacity"]) == (45.767, 4.835, 20)
    assert found["system_information"]["data"]["license_id"] == "CC-BY-4.0"
