"""The catalogue against DCAT-AP's own shapes, and policies against ODRL's own words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from pyshacl import validate
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, ODRL2, RDF

from api import odrl
from api.catalogue import DATASETS_A_PAGE, catalogue
from broker import times
from broker.licence import Quota, Terms
from broker.model import (
    Agreement,
    AgreementId,
    ApplicationId,
    Datastream,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.place import Place
from broker.privacy.profile import Aggregate, GeneraliseLocation, Profile

BASE = "http://city.example"
SHAPES = Path(__file__).parents[3] / "shared" / "reference" / "data" / "dcat-ap-3.0.1"
TERMS = Terms(
    licence="ODbL-1.0",
    attribution="Air Lyon",
    purposes=("research", "teaching"),
    expires=times.parse("2030-01-01T00:00:00Z"),
    redistribution=False,
    price="10 EUR a month",
    quota=Quota("day", records=1_000, bytes=10**6),
    justification="The sensors stand in schools",
)
PROFILE = Profile("hourly", (Aggregate("aggregate", "PT1H", ("mean",)), GeneraliseLocation("generalise_location", 8)))
PUBLISHER = Organisation(OrganisationId("air"), "Air Lyon", "data@example.org", "https://example.org")


def _offer(name: str, terms: Terms = TERMS, profile: Profile = PROFILE) -> Offer:
    owner = OrganisationId("air")
    datastreams = [
        Datastream(owner, f"pm-{n}", "g", "measurement", "PM2.5", "ug/m3", Place(4.8 + n, 45.7), "air quality")
        for n in range(2)
    ]
    releases = [Release(ReleaseId(f"{name}-{d.id}"), OfferId(name), d, f"air/{d.id}/x") for d in datastreams]
    return Offer(OfferId(name), owner, profile, terms, tuple(releases), times.parse("2026-01-01T00:00:00Z"))


def _graph(document: dict[str, Any]) -> Graph:
    return Graph().parse(data=json.dumps(document), format="json-ld")


OFFERS = [
    _offer("hourly"),
    _offer("high", Terms("CC-BY-4.0", "Air Lyon", ("any",), high_value="environment")),
    _offer("raw", Terms("CC0-1.0", "Nobody", ("any",), access="open"), Profile("raw", ())),
]


@pytest.mark.skipif(not SHAPES.exists(), reason="the shapes of DCAT-AP are not beside the project")
@pytest.mark.parametrize("shapes", ["shapes.ttl", "range.ttl"])
@pytest.mark.parametrize("publisher", [PUBLISHER, Organisation(OrganisationId("air"), "Air Lyon")])
def test_the_catalogue_holds_to_the_shapes_of_dcat_ap(shapes: str, publisher: Organisation) -> None:
    made = catalogue(BASE, OFFERS, {"air": publisher})
    rules = Graph().parse(SHAPES / shapes)
    rules.remove((None, URIRef("http://www.w3.org/2002/07/owl#imports"), None))  # nothing is fetched
    conforms, _, report = validate(_graph(made), shacl_graph=rules)
    assert conforms, report


def test_every_dataset_has_a_licence_on_each_distribution_and_places_no_finer_than_its_profile() -> None:
    graph = _graph(catalogue(BASE, OFFERS, {"air": PUBLISHER}))
    assert len(set(graph.subjects(RDF.type, DCAT.Dataset))) == len(OFFERS)
    for distribution in graph.subjects(RDF.type, DCAT.Distribution):
        assert graph.value(distribution, URIRef("http://purl.org/dc/terms/license")) is not None
    exact, coarse = (
        str(graph.value(URIRef(f"{BASE}/api/v1/offers/{name}#places"), DCAT.bbox)) for name in ("raw", "hourly")
    )
    assert "4.8 45.7" in exact
    assert "4.8 45.7" not in coarse


def test_of_a_camera_the_last_picture_is_distributed_and_no_history() -> None:
    offer = _offer("hourly")
    seen = dataclasses.replace(offer.releases[0].datastream, kind="camera")
    of_camera = dataclasses.replace(offer, releases=(dataclasses.replace(offer.releases[0], datastream=seen),))
    graph = _graph(catalogue(BASE, [of_camera], {"air": PUBLISHER}))
    (picture,) = graph.subjects(RDF.type, DCAT.Distribution)
    assert str(picture) == f"{BASE}/api/v1/releases/hourly-pm-0/latest"
    assert str(graph.value(picture, URIRef("http://purl.org/dc/terms/format"))).endswith("/JPEG")


def test_a_high_value_dataset_names_its_category_and_the_law_on_each_distribution() -> None:
    graph = _graph(catalogue(BASE, OFFERS, {"air": PUBLISHER}))
    dcatap = "http://data.europa.eu/r5r/"
    (marked,) = graph.subject_objects(URIRef(dcatap + "hvdCategory"))
    assert [str(one) for one in marked] == [f"{BASE}/api/v1/offers/high", "http://data.europa.eu/bna/c_dd313021"]
    obliged = set(graph.subjects(URIRef(dcatap + "applicableLegislation")))
    assert obliged == {marked[0], *graph.objects(marked[0], DCAT.distribution)}


def test_a_large_catalogue_comes_in_pages() -> None:
    total = 2 * DATASETS_A_PAGE + 1
    first, last = (catalogue(BASE, OFFERS, {}, page, total) for page in (1, 3))
    assert first["hydra:view"]["hydra:next"] == {"@id": f"{BASE}/catalog.jsonld?page=2"}  # type: ignore[index]  # a document
    assert "hydra:next" not in last["hydra:view"]  # type: ignore[operator]  # likewise
    assert first["hydra:totalItems"] == total


def test_a_policy_says_in_odrls_words_what_the_terms_say() -> None:
    agreement = Agreement(
        AgreementId("a"), OfferId("hourly"), ApplicationId("app"), "research", "active", 0, OrganisationId("lab"), TERMS
    )
    for document in (odrl.offer(BASE, OFFERS[0]), odrl.agreement(BASE, agreement, OFFERS[0])):
        graph = _graph(document)
        spoken = {term for triple in graph for term in triple if str(term).startswith(str(ODRL2))}
        assert all(term in ODRL2 for term in spoken), spoken
        for word in (
            "attribute",
            "shareAlike",
            "compensate",
            "distribute",
            "purpose",
            "dateTime",
            "count",
            "absoluteSize",
        ):
            assert ODRL2[word] in spoken
    assert (URIRef(f"{BASE}/api/v1/agreements/a"), RDF.type, ODRL2.Agreement) in graph
