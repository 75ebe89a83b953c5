"""What anyone may see: the catalogue and the probes; and metrics for the operator."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, TypeAlias

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from rdflib import Graph

from api import reconciliation
from api.address import base_of
from api.asyncapi import asyncapi
from api.catalogue import DATASETS_A_PAGE, Document, catalogue
from api.errors import document
from api.login import endpoints
from api.odrl import JSON_LD
from api.services import Operator, Services, With
from broker import restarts
from broker.control import Ready, Reconcile, Reconciled
from broker.errors import Unavailable
from broker.restarts import Why

router = APIRouter()

APage: TypeAlias = Annotated[int, Query(ge=1, description="Of 1,000 datasets each", examples=[1])]


@router.get("/catalog.jsonld", tags=["public"])
def catalog(request: Request, with_: With, page: APage = 1) -> JSONResponse:
    """The offers as a DCAT-AP catalogue in JSON-LD, each with its terms as an ODRL policy."""
    return JSONResponse(_catalogue(request, with_, page), media_type=JSON_LD)


@router.get("/catalog.ttl", response_class=Response, tags=["public"])
def catalog_in_turtle(request: Request, with_: With, page: APage = 1) -> Response:
    """The same in Turtle."""
    graph = Graph().parse(data=json.dumps(_catalogue(request, with_, page)), format="json-ld")
    return Response(graph.serialize(format="turtle"), media_type="text/turtle; charset=utf-8")


def _catalogue(request: Request, with_: Services, page: int) -> Document:
    organisations = {str(organisation.id): organisation for organisation in with_.registry.organisations()}
    offers = with_.registry.offers()
    first = (page - 1) * DATASETS_A_PAGE
    shown = offers[first : first + DATASETS_A_PAGE]
    return catalogue(base_of(request), shown, organisations, page, len(offers))


@router.get("/asyncapi.json", tags=["public"])
def topics(with_: With) -> JSONResponse:
    """The MQTT topics and their messages, as an AsyncAPI 3 document."""
    return JSONResponse(asyncapi(endpoints(with_), version("mitoyen")))


@router.get("/healthz", response_class=PlainTextResponse, tags=["operation"])
def healthz() -> str:
    """This process answers."""
    return "alive\n"


@router.get("/readyz", response_class=PlainTextResponse, tags=["operation"])
def readyz(with_: With) -> Response:
    """Messages are taken in, kept, released and published."""
    with_.registry.revision()
    said = with_.keeper()
    if said is None or said.trouble:
        return document(
            503, "Not ready", said.trouble if said else "The keeper has not spoken lately.", reason="keeper"
        )
    try:
        taking_in = msgspec.json.decode(with_.control.call(Ready()), type=bool)
    except Unavailable as error:
        return document(503, "Not ready", str(error), reason="broker")
    if not taking_in:
        return document(503, "Not ready", "The broker is not connected to Mosquitto (yet).", reason="mosquitto")
    return PlainTextResponse("ready\n")


@router.get("/metrics", response_class=PlainTextResponse, tags=["operation"])
def metrics(_: Operator, with_: With) -> Response:
    """Prometheus metrics of all processes, and of every record what became of it."""
    collected = CollectorRegistry()
    with suppress(Unavailable):  # the broker is down, which the rest shows
        found = msgspec.json.decode(with_.control.call(Reconcile()), type=Reconciled)
        offers, said = with_.registry.offers(), with_.keeper()
        delays = reconciliation.slowest(offers, said.slowest if said is not None else ())
        collected.register(_Known([*reconciliation.families(offers, found), delays]))
    if with_.restarts is not None:
        collected.register(_Known([_restarts(restarts.read(with_.restarts))]))
    MultiProcessCollector(collected)  # type: ignore[no-untyped-call]  # prometheus_client's own gap
    return Response(generate_latest(collected), media_type=CONTENT_TYPE_LATEST)


def _restarts(told: list[tuple[str, Why, int]]) -> Metric:
    family = CounterMetricFamily(
        "mitoyen_part_restarts",
        "Times that a part was started again, because it died or hung",
        labels=["part", "reason"],
    )
    for part, why, count in told:
        family.add_metric([part, why], count)
    return family


class _Known(Collector):
    """Metrics that are known already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
