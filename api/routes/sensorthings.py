"""OGC SensorThings API 1.1 at /v1.1, read: every release that the caller may read is a Datastream, and nothing else is there.

Which releases those are is the one decision, made before anything is looked for, so that no filter, count or link can tell of another.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from api.address import base_of
from api.counted import Reading
from api.errors import Problem
from api.login import endpoints
from api.sensorthings import address as addresses
from api.sensorthings.entities import Entity, Graph
from api.sensorthings.numbered import Numbers
from api.sensorthings.released import ReleasedObservations, graph
from api.sensorthings.seeded import Seeded
from api.sensorthings.service import Answer, Service
from api.services import Anyone, Services, With
from broker.errors import Malformed, NotFound, Refused
from broker.model import Caller, Offer, Release

router = APIRouter(prefix="/v1.1", tags=["SensorThings"])
writing = APIRouter(prefix="/v1.1", tags=["SensorThings"])
"""For suites that seed what they read: only where the operator asked for it."""

REMEMBERED = 16
"""Graphs that are kept: of anyone, and of the applications that asked last."""


@dataclass(slots=True)
class Views:
    """What callers see, remembered until the registry changes."""

    ids: Numbers
    seeded: Seeded | None = None
    """What is served in place of releases, where a suite seeds it."""
    _known: OrderedDict[tuple[int, frozenset[str]], _View] = field(default_factory=OrderedDict)

    def view(self, revision: int, offers: Mapping[str, Offer]) -> _View:
        name = (revision, frozenset(offers))
        if name not in self._known:
            self._known[name] = _View.of(list(offers.values()))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[name]


@dataclass(frozen=True, slots=True)
class _View:
    sets: dict[str, dict[int, Entity]]
    releases: dict[int, tuple[Release, Offer]]

    @classmethod
    def of(cls, offers: list[Offer]) -> _View:
        releases = {release.number: (release, offer) for offer in offers for release in offer.releases}
        return cls(graph(releases.values()), releases)


@router.get("", response_class=Response)
def root(request: Request, caller: Anyone, with_: With) -> Response:
    """The eight sets, and what of the standard is met."""
    return _answered(request, caller, with_, "")


@router.get("/{path:path}", response_class=Response)
def entities(
    request: Request,
    path: Annotated[str, Path(description="As the standard has it", examples=["Datastreams"])],
    caller: Anyone,
    with_: With,
) -> Response:
    """Sets, entities, what they are related to and what they have; $select, $expand, $orderby, $top, $skip, $count, $filter, $resultFormat."""
    return _answered(request, caller, with_, path.strip("/"))


def _answered(request: Request, caller: Caller | None, with_: Services, path: str) -> Response:
    views: Views = request.app.state.sensorthings
    if views.seeded is not None:
        return _response(_ask(views.seeded.graph(), request, path))
    revision, readable = with_.readable(caller)
    view = views.view(revision, {offer: one.offer for offer, one in readable.items()})
    reading = Reading(with_, caller, readable, with_.epoch)
    seen = ReleasedObservations(with_.released, views.ids, view.releases, view.sets["Datastreams"], reading.still)
    response = _response(_ask(Graph(view.sets, seen), request, path, endpoints(with_)))
    reading.tell(len(response.body))
    return response


def _ask(seen: Graph, request: Request, path: str, endpoints: Sequence[str] = ()) -> Answer:
    try:
        return Service(seen, _root(request), time.time_ns(), endpoints).answer(path, request.url.query)
    except Malformed as error:
        raise Problem(400, "Not what was expected", str(error), "invalid") from error
    except Refused as error:
        raise Problem(400, "Refused by the rules", str(error), error.reason) from error


def _response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=204)
    body = answer.body.encode() if isinstance(answer.body, str) else msgspec.json.encode(answer.body)
    return Response(body, media_type=answer.media_type, headers={"Cache-Control": "private, no-store"})


def _root(request: Request) -> str:
    return base_of(request) + "/v1.1"


# --- for suites that seed what they read


@writing.post("/{path:path}", response_class=Response, include_in_schema=False)
async def create(request: Request, path: str) -> Response:
    body = _body(await request.body())
    views: Views = request.app.state.sensorthings
    seeded = _seeded(views)
    if path.strip("/") == "CreateObservations":
        return _response_created(seeded, request, body)
    if not isinstance(body, dict):
        raise Problem(400, "Not what was expected", "expected one entity", "invalid")
    try:
        entity = _create(seeded, path, body)
    except Malformed as error:
        raise Problem(400, "Not what was expected", str(error), "invalid") from error
    made = Service(seeded.graph(), _root(request), time.time_ns()).answer(f"{entity.kind.set}({entity.id})", "")
    response = _response(made)
    response.status_code = 201
    response.headers["Location"] = f"{_root(request)}/{entity.kind.set}({entity.id})"
    return response


@writing.patch("/{path:path}", response_class=Response, include_in_schema=False)
async def update(request: Request, path: str) -> Response:
    body = _body(await request.body())
    views: Views = request.app.state.sensorthings
    seeded = _seeded(views)
    entity = _named(seeded, path)
    if not isinstance(body, dict):
        raise Problem(400, "Not what was expected", "expected one entity", "invalid")
    try:
        seeded.update(entity, body)
    except Malformed as error:
        raise Problem(400, "Not what was expected", str(error), "invalid") from error
    return _response(
        Service(seeded.graph(), _root(request), time.time_ns()).answer(f"{entity.kind.set}({entity.id})", "")
    )


@writing.delete("/{path:path}", response_class=Response, include_in_schema=False)
async def delete(request: Request, path: str) -> Response:
    views: Views = request.app.state.sensorthings
    seeded = _seeded(views)
    seeded.delete(_named(seeded, path))
    return Response(status_code=200)


def _seeded(views: Views) -> Seeded:
    if views.seeded is None:
        raise NotFound("nothing is written to here")
    return views.seeded


def _body(sent: bytes) -> object:
    try:
        found: object = json.loads(sent)
    except ValueError as error:
        raise Problem(400, "Not what was expected", f"expected JSON: {error}", "invalid") from error
    return found


def _create(seeded: Seeded, path: str, body: dict[str, object]) -> Entity:
    address = addresses.parse(path.strip("/"))
    if not address.many:
        raise Malformed(f"{path}: expected a set to post to")
    *before, last = address.steps
    of = (_reached(seeded, before[-1].name, before[-1].id), last.name) if before else None
    return seeded.create(address.kind, body, time.time_ns(), of)


def _named(seeded: Seeded, path: str) -> Entity:
    step = addresses.parse(path.strip("/")).steps[-1]
    return _reached(seeded, step.kind.set, step.id)


def _reached(seeded: Seeded, name: str, number: int | None) -> Entity:
    found = seeded.sets.get(name, {}).get(number or 0)
    if found is None:
        raise NotFound("there is no such entity")
    return found


def _response_created(seeded: Seeded, request: Request, body: object) -> Response:
    """A data array of observations (18-088, 12.2): for each row its address, or what was wrong with it."""
    made: list[str] = []
    for group in body if isinstance(body, list) else []:
        names = group.get("components", [])
        for row in group.get("dataArray", []):
            fields = dict(zip(names, row, strict=False))
            feature = fields.pop("FeatureOfInterest/id", None)
            more = {"FeatureOfInterest": {"@iot.id": feature}} if feature is not None else {}
            try:
                entity = _create(seeded, "Observations", {**fields, **more, "Datastream": group.get("Datastream")})
                made.append(f"{_root(request)}/Observations({entity.id})")
            except Malformed as error:
                made.append(f"error {error}")
    return Response(msgspec.json.encode(made), status_code=201, media_type="application/json")
