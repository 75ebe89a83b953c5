"""SensorThings over what was released: what each caller sees, that it is what history says, and that nothing else can be told from it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from broker import times
from mitoyen.ports import free_ports
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = times.parse("2026-01-01T00:00:00Z")
PLACE = {"type": "Point", "coordinates": [4.835, 45.767]}
OPEN = {"access": "open"}
PROBES = [
    "", "/Things", "/Datastreams?$count=true", "/Datastreams?$expand=Thing($expand=Locations),Sensor,ObservedProperty,Observations($count=true)",
    "/Observations?$count=true&$top=1000", "/Observations?$count=true&$filter=result gt 1000", "/Locations?$resultFormat=GeoJSON",
    "/ObservedProperties?$filter=Datastreams/name eq 'hidden'", "/Datastreams?$filter=Observations/result eq 4242", "/FeaturesOfInterest",
    "/Things?$filter=Datastreams/Sensor/name eq 'hidden'&$count=true", "/Observations?$orderby=phenomenonTime desc&$top=3", "/HistoricalLocations",
    "/Observations?$resultFormat=dataArray&$count=true", "/Datastreams?$orderby=Thing/name,name&$top=1", "/Sensors?$resultFormat=csv",
    "/Datastreams?$filter=st_within(Thing/Locations/location,geography'POLYGON((4 45,5 45,5 46,4 46,4 45))')", "/Observations(1)",
    "/Observations?$filter=Datastream/name eq 'hidden'&$count=true", "/Datastreams?$filter=properties/access eq 'click'&$count=true",
    "/Datastreams/$ref", "/Observations/$ref", "/Datastreams?$select=name,properties&$orderby=name desc", "/Datastreams?$skip=1&$count=true",
    "/Datastreams?$resultFormat=GeoJSON", "/Observations?$resultFormat=csv", "/Observations?$resultFormat=GeoJSON&$top=3", "/Sensors?$count=true&$top=0",
    "/Things?$expand=Datastreams($filter=name eq 'hidden';$count=true)", "/Locations?$expand=Things/Datastreams($count=true),HistoricalLocations",
    "/ObservedProperties?$expand=Datastreams($expand=Observations($count=true;$top=0))", "/FeaturesOfInterest?$expand=Observations($count=true;$top=1)",
    "/Observations?$filter=phenomenonTime ge 2026-01-01T00:00:00Z and result lt 5000&$count=true&$top=1", "/Observations?$orderby=result desc&$top=2",
    "/Observations?$filter=FeatureOfInterest/name eq 'hidden'&$count=true", "/Observations?$orderby=Datastream/name desc,phenomenonTime&$top=2",
    "/Things(1)/Datastreams", "/Datastreams(1)/name", "/Datastreams(1)/name/$value", "/Datastreams(1)/properties/licence", "/Things(1)/Locations",
    "/Datastreams(1)/Observations?$top=2&$count=true", "/Datastreams(1)/Thing/Locations/$ref", "/ObservedProperties(1)/Datastreams?$count=true",
    "/Datastreams(4)", "/Datastreams(4)/Observations", "/Things(4)", "/Sensors(4)/Datastreams", "/Locations(4)", "/FeaturesOfInterest(4)/Observations",
]  # fmt: skip


@pytest.fixture(scope="module")
def mitoyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """A broker of its own: what other tests release would change what is compared to the byte."""
    with Mitoyen(tmp_path_factory.mktemp("things")) as broker:
        yield broker


@pytest.fixture(scope="module")
def city(mitoyen: Mitoyen) -> tuple[Owner, Reader, dict[str, Any]]:
    """An owner whose `open` and `closed` datastreams are offered by three offers, and an application that agreed to one of them."""
    owner, reader = new_owner(mitoyen, "things"), new_reader(mitoyen, "walker")
    for name in ("open", "closed"):
        owner.datastream(name, unit="Cel", observed_property="air temperature", location=PLACE)
    offers = {
        "open": owner.offer(["open"], terms=OPEN),
        "closed": owner.offer(["closed"], {"op": "generalise_location", "h3": 7}),
        "windows": owner.offer(["closed"], {"op": "aggregate", "window": "PT1H", "statistics": ["mean", "count"]}),
    }
    reader.agree(offers["closed"]["id"])
    with Device(owner.mqtt) as device:
        for name in ("open", "closed"):
            device.publish(name, [_message(n) for n in range(250)])
        device.await_answers(500)
    release = offers["closed"]["releases"][0]["id"]
    assert len(reader.history(release)) == 250
    return owner, reader, offers


def _message(number: int, value: float | None = None) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.MINUTE), "value": number if value is None else value})


def _get(broker: Mitoyen, key: str | None, address: str) -> Any:
    path, _, query = address.partition("?")
    with broker.client(key) as client:
        answer = client.get(f"/v1.1{path}?{query}" if query else f"/v1.1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def _named(broker: Mitoyen, key: str | None, owner: Owner) -> list[str]:
    found = _get(broker, key, f"/Datastreams?$filter=Thing/properties/organisation eq '{owner.id}'")
    return sorted(one["name"] for one in found["value"])


def test_each_sees_what_it_may_read(mitoyen: Mitoyen, city: tuple[Owner, Reader, dict[str, Any]]) -> None:
    owner, reader, _ = city
    assert _named(mitoyen, None, owner) == ["open"]
    assert _named(mitoyen, reader.key, owner) == ["closed", "open"]
    assert _named(mitoyen, owner.key, owner) == ["open"]


def test_a_datastream_walked_to_its_end_is_what_history_says(
    mitoyen: Mitoyen, city: tuple[Owner, Reader, dict[str, Any]]
) -> None:
    _, reader, offers = city
    (found,) = _get(
        mitoyen,
        reader.key,
        f"/Datastreams?$filter=properties/offer eq '{offers['closed']['id']}'&$expand=Thing/Locations",
    )["value"]
    (location,) = found["Thing"]["Locations"]
    assert location["location"]["coordinates"] != PLACE["coordinates"]
    link, walked = f"{found['Observations@iot.navigationLink']}?$top=100&$orderby=phenomenonTime desc&$count=true", []
    with mitoyen.client(reader.key) as client:
        while link:
            page = client.get(link).json()
            assert page["@iot.count"] == 250
            walked += page["value"]
            link = page.get("@iot.nextLink")
        again = client.get(walked[7]["@iot.selfLink"]).json()
    assert again == walked[7]
    assert len({one["@iot.id"] for one in walked}) == 250
    kept = reader.history(offers["closed"]["releases"][0]["id"])
    assert [(one["phenomenonTime"], one["result"]) for one in reversed(walked)] == [
        (k["time"], k["value"]) for k in kept
    ]


def test_nothing_that_is_hidden_changes_a_byte_of_what_others_see(
    mitoyen: Mitoyen, city: tuple[Owner, Reader, dict[str, Any]]
) -> None:
    owner, reader, _ = city

    def seen() -> list[tuple[int, str]]:
        answers = []
        for key in (None, reader.key):
            with mitoyen.client(key) as client:
                answers += [(one.status_code, one.text) for one in (client.get(f"/v1.1{probe}") for probe in PROBES)]
        return answers

    before = seen()
    stranger = new_reader(mitoyen, "onlooker")
    owner.datastream("hidden", unit="Cel", observed_property="air temperature", location=PLACE)
    offer = owner.offer(["hidden"])
    stranger.agree(offer["id"])
    with Device(owner.mqtt) as device:
        device.publish("hidden", [_message(n, 4242.0) for n in range(5)])
        device.await_answers(5)
    assert len(stranger.history(offer["releases"][0]["id"])) == 5
    assert "hidden" in _named(mitoyen, stranger.key, owner)
    assert seen() == before


def test_what_was_revoked_is_gone_at_once(mitoyen: Mitoyen, city: tuple[Owner, Reader, dict[str, Any]]) -> None:
    owner, _, offers = city
    leaving = new_reader(mitoyen, "leaving")
    agreement = leaving.agree(offers["windows"]["id"])
    assert "closed" in _named(mitoyen, leaving.key, owner)
    mitoyen.call(leaving.key, "DELETE", f"agreements/{agreement['id']}", {"reason": "enough"})
    assert _named(mitoyen, leaving.key, owner) == ["open"]


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path, "--sensorthings-write") as broker:
        yield broker


def test_a_suite_may_seed_a_throw_away_graph(seeded: Mitoyen) -> None:
    thing = {
        "name": "T", "description": "a thing",
        "Locations": [{"name": "L", "description": "l", "encodingType": "application/geo+json", "location": PLACE}],
        "Datastreams": [
            {
                "name": "D", "description": "d", "observationType": "x", "unitOfMeasurement": {"name": "c", "symbol": "c", "definition": "c"},
                "Sensor": {"name": "S", "description": "s", "encodingType": "x", "metadata": "m"},
                "ObservedProperty": {"name": "O", "definition": "d", "description": "o"},
                "Observations": [{"result": 1}],
            }
        ],
    }  # fmt: skip
    with seeded.client() as client:
        made = client.post("/v1.1/Things", json=thing)
        assert made.status_code == 201
        assert made.headers["Location"] == f"{seeded.url}/v1.1/Things(1)"
        assert client.post("/v1.1/Datastreams", json={"name": "alone"}).status_code == 400
        assert client.post("/v1.1/Datastreams(1)/Observations", json={"result": 2}).status_code == 201
        found = client.get("/v1.1/Observations?$expand=FeatureOfInterest").json()["value"]
        assert [one["result"] for one in found] == [1, 2]
        assert {one["FeatureOfInterest"]["name"] for one in found} == {"Generated using location details: L"}
        assert client.patch("/v1.1/Things(1)", json={"name": "U"}).json()["name"] == "U"
        assert client.patch("/v1.1/Things(1)", json={"Datastreams": [{"name": "x"}]}).status_code == 400
        array = [{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": [[3], [4]]}]
        assert len(client.post("/v1.1/CreateObservations", json=array).json()) == 2
        assert client.delete("/v1.1/Things(1)").status_code == 200
        assert client.delete("/v1.1/Things(1)").status_code == 404
        assert client.get("/v1.1/Observations?$count=true").json() == {"@iot.count": 0, "value": []}


def test_nobody_writes_where_it_was_not_asked_for_and_none_but_on_loopback(mitoyen: Mitoyen, tmp_path: Path) -> None:
    with mitoyen.client() as client:
        assert client.post("/v1.1/Things", json={}).status_code == 405
    (port,) = free_ports(1)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        Mitoyen.run_command("up", "--home", str(tmp_path), "--http", f"0.0.0.0:{port}", "--sensorthings-write")
    assert "loopback" in refused.value.stderr
