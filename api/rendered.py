"""OpenAPI and AsyncAPI documents as Markdown, to be read without a broker. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]  # Any: JSON


def openapi(document: Document) -> str:
    """Every call: who it is for, its parameters, an example of its body, its answers."""
    calls = [(path, method, call) for path, of in document["paths"].items() for method, call in of.items()]
    tags = list(dict.fromkeys(call["tags"][0] for _, _, call in calls if call.get("tags")))
    lines = ["# Calls", "", "Written by `make reference` from `/openapi.json`, which has the schemas as well.", ""]
    for tag in tags:
        lines += [f"## {tag}", ""]
        for path, method, call in calls:
            if call.get("tags", [None])[0] == tag:
                lines += _call(document, path, method, call)
    return "\n".join(lines).rstrip() + "\n"


def asyncapi(document: Document) -> str:
    """Every topic: what is said there, how, and an example of each message."""
    lines = ["# Topics", "", "Written by `make reference` from `/asyncapi.json`, which has the schemas as well.", ""]
    for operation in document["operations"].values():
        channel = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        mqtt = operation["bindings"]["mqtt"]
        retained = ", retained" if mqtt["retain"] else ""
        lines += [
            f"## `{channel['address']}`",
            "",
            f"{channel['description']} {operation['summary']}, QoS {mqtt['qos']}{retained}.",
            "",
        ]
        for name in channel["messages"]:
            lines += _message(name, document["components"]["messages"][name])
    return "\n".join(lines).rstrip() + "\n"


def _call(document: Document, path: str, method: str, call: Document) -> Iterator[str]:
    yield from (f"### `{method.upper()} {path}`", "", " ".join(call.get("description", call["summary"]).split()), "")
    if "security" not in call:
        yield from ("Needs no key.", "")
    if call.get("parameters"):
        yield from ("| parameter | | |", "| --- | --- | --- |")
        for one in call["parameters"]:
            yield f"| `{one['name']}` | {one['in']} | {_cell(one.get('description') or one['schema'].get('description', ''))} |"
        yield ""
    if "requestBody" in call:
        schema = call["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        yield from _json(document["components"]["schemas"][schema]["examples"][0])
    answers = (f"{status} {_cell(answer['description'])}" for status, answer in sorted(call["responses"].items()))
    yield from ("Answers: " + "; ".join(answers) + ".", "")


def _message(name: str, message: Document) -> Iterator[str]:
    yield from (f"`{name}`, {message['contentType']}:", "")
    for example in message.get("examples", ()):
        yield from _json(example["payload"])


def _json(example: object) -> Iterator[str]:
    yield from ("```json", json.dumps(example, ensure_ascii=False), "```", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
