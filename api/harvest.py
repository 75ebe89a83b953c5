"""What another broker's DCAT catalogue says, as plain values. Pure.

Read as Turtle alone: a JSON-LD document may name a context elsewhere, which a reader would fetch; Turtle names nothing that is fetched. All that comes out is
text that others wrote, of bounded length, and addresses of the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF
from rdflib.term import Node

from broker.errors import Malformed

LONGEST = 1_000  # characters of a text
LONGEST_ADDRESS = 2_000
MOST = 1_000  # datasets of a page, as DATASETS_A_PAGE of catalogue.py
_HYDRA = "http://www.w3.org/ns/hydra/core#"
_PUBLIC = "http://publications.europa.eu/resource/authority/access-right/PUBLIC"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that lives elsewhere."""

    address: str
    """Where it lives, which is also its name."""
    title: str
    description: str
    publisher: str
    licences: tuple[str, ...]
    """URIs, of its distributions."""
    open: bool
    """Whether it says that it needs no agreement."""
    keywords: tuple[str, ...]
    distributions: int


@dataclass(frozen=True, slots=True)
class Page:
    datasets: tuple[Dataset, ...]
    next: str | None
    """The query with which the catalogue's own address gives the next page."""


def read(turtle: bytes) -> Page:
    """A page of a catalogue. Raises Malformed."""
    try:
        graph = Graph().parse(data=turtle, format="turtle")
    except Exception as error:
        raise Malformed(f"no Turtle: {str(error)[:200]}") from error
    named = sorted(one for one in graph.subjects(RDF.type, DCAT.Dataset) if isinstance(one, URIRef))
    if len(named) > MOST:
        raise Malformed(f"a page has at most {MOST} datasets, this one {len(named)}")
    found = (_dataset(graph, one) for one in named)
    return Page(tuple(one for one in found if one is not None), _next(graph))


def _dataset(graph: Graph, name: URIRef) -> Dataset | None:
    address = _address(name)
    if address is None:
        return None
    publisher = graph.value(name, DCTERMS.publisher)
    distributions = list(graph.objects(name, DCAT.distribution))
    licences = {found for one in (name, *distributions) for found in _addresses(graph, one)}
    return Dataset(
        address,
        _text(graph.value(name, DCTERMS.title)),
        _text(graph.value(name, DCTERMS.description)),
        _text(graph.value(publisher, FOAF.name)) if publisher is not None else "",
        tuple(sorted(licences)),
        (name, DCTERMS.accessRights, URIRef(_PUBLIC)) in graph,
        tuple(sorted(_text(word) for word in graph.objects(name, DCAT.keyword))[:20]),
        len(distributions),
    )


def _addresses(graph: Graph, of: Node) -> Iterator[str]:
    for licence in graph.objects(of, DCTERMS.license):
        address = _address(licence)
        if address is not None:
            yield address


def _next(graph: Graph) -> str | None:
    """The query of the link to the next page: nothing else of it is believed."""
    for link in graph.objects(None, URIRef(_HYDRA + "next")):
        query = urlsplit(str(link)).query
        if query and len(query) <= LONGEST_ADDRESS:
            return query
    return None


def _address(found: Node) -> str | None:
    """An address of the web; None for whatever else could be named, scripts among it."""
    text = str(found)
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    web = isinstance(found, URIRef) and parts.scheme in ("http", "https") and bool(parts.hostname)
    return text if web and len(text) <= LONGEST_ADDRESS else None


def _text(found: Node | None) -> str:
    return "" if found is None else " ".join(str(found).split())[:LONGEST]
