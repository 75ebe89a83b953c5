"""What `/openapi.json` says besides what each call declares: the problems that any call of its kind may answer with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from api.errors import MEDIA_TYPE

Document: TypeAlias = dict[str, Any]  # Any: JSON as FastAPI makes it

LOOKING = frozenset({"get", "head"})
PROBLEM: Document = {
    "type": "object",
    "description": "Problem details, RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was expected, for people."},
        "reason": {"type": "string", "description": "Of a refusal: its code, for programs."},
    },
}
_OWN: Mapping[str, Mapping[str, str]] = {
    "/v1.1": {"400": "What was asked is not what the standard has"},
    "/v1.1/{path}": {"204": "What was asked for is null", "400": "What was asked is not what the standard has"},
    "/api/v1/audits": {"409": "An audit runs already: one at a time"},
    "/api/v1/directory/map": {"304": "It is as the one that you have"},
    "/api/v1/releases/{release}/observations": {
        "206": "The bytes that were asked for, of Parquet",
        "406": "No format that was asked for",
        "416": "No such bytes",
    },
    "/api/v1/offers/{offer}/observations": {
        "206": "The bytes that were asked for, of Parquet",
        "406": "No format that was asked for",
        "416": "No such bytes",
    },
}
"""What single calls answer besides, and why."""


def described(document: Document) -> Document:
    """The same with a `Problem` wherever one may be answered."""
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            for status, why in _problems(path, method, call):
                call["responses"][status] = _response(status, why)
    return document


def _problems(path: str, method: str, call: Document) -> Iterator[tuple[str, str]]:
    yield "422", "Not what was expected, or refused by the rules"
    yield "429", "Too many calls: `Retry-After` says when to come back"
    yield "503", "A part of the broker does not answer"
    if "security" in call:
        yield "401", "No valid key"
        yield "403", "Another's, or no live agreement"
    if call.get("parameters") or method not in LOOKING:
        yield "404", "There is none"
    if method not in LOOKING:
        yield "409", "In conflict with what there is"
    yield from _OWN.get(path, {}).items()


def _response(status: str, why: str) -> Document:
    if int(status) < HTTPStatus.BAD_REQUEST:
        return {"description": why}
    return {"description": why, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
