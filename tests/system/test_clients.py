"""Other people's software, unmodified and each in an environment of its own, against a running broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyshacl import validate
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, RDF

from api.asyncapi import CHANNELS
from api.sensorthings.entities import KINDS
from broker import times
from tests import environments
from tests.owners import new_owner
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = Path(__file__).parents[1] / "clients"
SHAPES = Path(__file__).parents[3] / "shared" / "reference" / "data" / "dcat-ap-3.0.1"
BEGIN = times.parse("2026-03-01T00:00:00Z")
STORED = 230


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """A broker with one open datastream, of some four hours of minutes."""
    with Mitoyen(tmp_path_factory.mktemp("clients")) as broker:
        owner = new_owner(broker, "air")
        place = {"type": "Point", "coordinates": [4.835, 45.767]}
        owner.datastream("air", unit="ug/m3", observed_property="PM2.5", location=place)
        offer = owner.offer(["air"], terms={"access": "open"})
        minutes = [{"time": times.text(BEGIN + n * times.MINUTE), "value": n / 4} for n in range(STORED)]
        with Device(owner.mqtt) as device:
            device.publish("air", [json.dumps(one) for one in minutes])
            device.await_answers(STORED)
        path = f"offers/{offer['id']}/observations"
        broker.await_that(
            lambda: len(broker.call(None, "GET", path, limit="1000")["observations"]) == STORED, "nothing was kept"
        )
        yield broker


@pytest.mark.parametrize("path", ["/catalog.jsonld", "/catalog.ttl"])
@pytest.mark.skipif(not SHAPES.exists(), reason="the shapes of DCAT-AP are not beside the project")
def test_what_is_served_reads_with_rdflib_and_holds_to_dcat_ap(city: Mitoyen, path: str) -> None:
    graph = Graph().parse(data=city.text(None, path), format="turtle" if path.endswith("ttl") else "json-ld")
    assert len(set(graph.subjects(RDF.type, DCAT.Dataset))) == 1
    rules = Graph().parse(SHAPES / "shapes.ttl")
    rules.remove((None, URIRef("http://www.w3.org/2002/07/owl#imports"), None))  # nothing is fetched
    conforms, _, report = validate(graph, shacl_graph=rules)
    assert conforms, report


@pytest.mark.long
@pytest.mark.timeout(600)
def test_frost_sta_client_walks_all_pages_expands_and_filters(city: Mitoyen) -> None:
    said = environments.run(environments.python("frost-sta-client"), CLIENTS / "frost_walk.py", f"{city.url}/v1.1")
    assert json.loads(said) == {
        "thing": "air at 4.835, 45.767", "property": "PM2.5", "sensor": "air", "counted": STORED, "walked": STORED,
        "newest first": True, "an hour": 60, "places": 1, "by id": True,
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(600)
def test_ogc_sta_schema_validator_finds_every_entity_as_it_should_be(city: Mitoyen, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    for name, kind in KINDS.items():
        required = [
            "@iot.id",
            "@iot.selfLink",
            *sorted(kind.mandatory),
            *(f"{r}@iot.navigationLink" for r in kind.relations),
        ]
        schema = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "title": name,
            "required": required,
        }
        schema["properties"] = {
            "@iot.id": {"type": "integer", "maximum": 2**53},
            "@iot.selfLink": {"type": "string", "pattern": "^http"},
        }
        (schemas / f"{kind.one.lower()}.json").write_text(json.dumps(schema))
    configuration = tmp_path / "config.yaml"
    configuration.write_text(
        f"server:\n  url: {city.url}/v1.1\nschemas:\n  default_path: {schemas}\nlogging:\n  level: ERROR\n"
    )
    program = environments.python("ogc-sta-schema-validator").with_name("ogc-sta-validate")
    for name, kind in KINDS.items():
        schema = str(schemas / f"{kind.one.lower()}.json")
        said = environments.run(
            program, "--config", configuration, "validate", "-t", name, "-s", schema, "--output-format", "json"
        )
        summary = json.JSONDecoder().raw_decode(said, said.index("{"))[0]["summary"]
        assert summary["valid_entities"] == summary["total_entities"] == (STORED if name == "Observations" else 1), said


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_asyncapi_parser_finds_nothing_wrong_with_the_topics(city: Mitoyen, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(
        environments.node("mqtt", "eventsource", "@asyncapi/parser") / "node_modules"
    )
    program = tmp_path / "asyncapi_parse.mjs"
    program.write_bytes((CLIENTS / program.name).read_bytes())
    said = json.loads(environments.run("node", program, f"{city.url}/asyncapi.json"))
    assert said == {"wrong": [], "channels": len(CHANNELS), "operations": len(CHANNELS), "a wrong action is seen": True}
