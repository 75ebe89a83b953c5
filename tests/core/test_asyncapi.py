"""The description of the topics: complete, every example as its schema says, and what is really said as well."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from api.asyncapi import CHANNELS, EXAMPLES, SCHEMAS, asyncapi
from broker import message, topics
from broker.entry import Refusal
from broker.message import Form
from broker.points import Point
from gateways import canonical
from tests.access_rows import TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT: Mapping[str, Any] = json.loads(json.dumps(asyncapi(["mqtt://127.0.0.1:1883", "wss://city:8084"], "0.1")))
OWN = {"$CONTROL", "$SYS", ""}


def test_every_family_of_topics_is_described() -> None:
    assert {channel.address.partition("/")[0] for channel in CHANNELS} == TOPICS.keys() - OWN


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_example_is_as_its_schema_says(name: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[name])
    assert name in EXAMPLES or name == "picture"
    for example in EXAMPLES.get(name, ()):
        jsonschema_rs.validate(SCHEMAS[name], example)


@pytest.mark.parametrize(("name", "kind"), [("measurement", "measurement"), ("read", "rfid")])
def test_what_a_gateway_is_told_to_say_is_understood(name: str, kind: Any) -> None:
    for example in EXAMPLES[name]:
        found = canonical.decode(json.dumps(example).encode(), kind, time.time_ns())
        assert found.items
        assert not any(isinstance(item, Refusal) for item in found.items)


def test_what_is_released_is_as_described() -> None:
    form = Form(b'{"datastream":"d","time":"', b'","value":', b',"unit":"Cel"')
    window = '{"until":"2026-11-22T20:05:00Z","statistics":{"mean":1.5,"p95":2}}'
    for points in ([Point(1, 1.5)], [Point(1, True), Point(2, "open")], [Point(1, 1.5, "", window)]):
        jsonschema_rs.validate(SCHEMAS["observation"], json.loads(form.messages(points)))
    told = json.loads(message.status("gateway", "roof-1", "silent", 1, "timeout"))
    jsonschema_rs.validate(SCHEMAS["status"], told)


def test_every_reference_leads_somewhere() -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [one for value in part.values() for one in references(value)]
        return [one for value in part for one in references(value)] if isinstance(part, list) else []

    for reference in references(DOCUMENT):
        at: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    assert DOCUMENT["channels"]["live"]["address"] == topics.live("{organisation}", "{offer}", "{datastream}")
    assert [(one["host"], one["protocol"]) for one in DOCUMENT["servers"].values()] == [
        ("127.0.0.1:1883", "mqtt"),
        ("city:8084", "wss"),
    ]
