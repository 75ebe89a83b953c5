"""Other brokers' catalogues: what they say is read as text and addresses, and nothing that they name is fetched."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest
from rdflib import Graph

from api import harvest, harvester
from api.catalogue import catalogue
from api.harvester import Catalogue, Elsewhere
from broker.errors import Malformed
from tests.core.test_catalogue import OFFERS, PUBLISHER

OTHER = "https://other.example"
NOW = 1_795_982_400_000_000_000
PUBLIC = "93.184.215.14"


def turtle(page: int = 1, total: int | None = None, offers: list[object] | None = None) -> bytes:
    made = catalogue(OTHER, OFFERS if offers is None else offers, {"air": PUBLISHER}, page, total)  # type: ignore[arg-type]
    return Graph().parse(data=json.dumps(made), format="json-ld").serialize(format="turtle").encode()


def read(
    answers: dict[str, httpx.Response], before: Catalogue | None = None, address: str = f"{OTHER}/catalog.ttl"
) -> tuple[Catalogue, list[str]]:
    """What is known after a reading, and what was asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.headers['host']} {request.url}")
        return answers.get(request.url.query.decode(), httpx.Response(404))

    async def reading() -> Catalogue:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await harvester._read(http, Elsewhere((address,), 1), before or Catalogue(address), NOW)

    return asyncio.run(reading()), asked


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Where names lead."""
    known = {
        "other.example": [PUBLIC],
        "inside.example": [PUBLIC, "10.0.0.1"],
        "localhost": ["127.0.0.1"],
        "meta.example": ["169.254.169.254"],
    }

    async def resolve(host: str, _port: int) -> list[str]:
        return known.get(host, [host])

    monkeypatch.setattr(harvester, "resolve", resolve)
    return known


def test_our_own_catalogue_reads_as_what_it_says() -> None:
    page = harvest.read(turtle())
    assert [one.address for one in page.datasets] == sorted(f"{OTHER}/api/v1/offers/{offer.id}" for offer in OFFERS)
    hourly = next(one for one in page.datasets if one.address.endswith("/hourly"))
    assert hourly.publisher == "Air Lyon"
    assert hourly.licences == ("http://publications.europa.eu/resource/authority/licence/ODC_BL",)
    assert (hourly.open, hourly.distributions) == (False, 8)
    assert [one.open for one in page.datasets if one.address.endswith("/raw")] == [True]
    assert page.next is None


def test_pages_are_followed_by_their_query_alone_and_what_disappears_is_gone() -> None:
    first = turtle(1, 1_001).replace(b"https://other.example/catalog.jsonld?page=2", b"http://10.0.0.1/steal?page=2")
    answers = {
        "": httpx.Response(200, content=first),
        "page=2": httpx.Response(200, content=turtle(2, 1_001, OFFERS[:1])),
    }
    known, asked = read(answers)
    assert len(known.datasets) == len(OFFERS)
    assert known.read == NOW
    assert asked == [
        f"other.example https://{PUBLIC}/catalog.ttl",
        f"other.example https://{PUBLIC}/catalog.ttl?page=2",
    ]
    fewer, _ = read({"": httpx.Response(200, content=turtle(offers=OFFERS[:1]))}, known)
    assert [one.address for one in fewer.datasets] == [f"{OTHER}/api/v1/offers/hourly"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"Location": "http://127.0.0.1/"}),
        httpx.Response(500),
        httpx.Response(200, content=b"<not turtle"),
        httpx.Response(200, content=b"x" * (harvester.MOST_BYTES + 1)),
        httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, content=gzip.compress(gzip.compress(turtle()))),
    ],
)
def test_a_catalogue_that_is_not_read_keeps_what_it_said_and_says_why(answer: httpx.Response) -> None:
    before, _ = read({"": httpx.Response(200, content=turtle())})
    after, asked = read({"": answer}, before)
    assert after.datasets == before.datasets
    assert after.trouble
    assert len(asked) == 1


@pytest.mark.parametrize(
    "host", ["inside.example", "localhost", "meta.example", "127.0.0.1", "[::1]", "192.168.1.1", "[::ffff:10.0.0.1]"]
)
def test_no_address_within_is_asked(host: str) -> None:
    known, asked = read({}, address=f"https://{host}/catalog.ttl")
    assert asked == []
    assert known.trouble == "its address is not public"


def test_an_endless_catalogue_ends() -> None:
    def link(number: int) -> bytes:
        return f"<x:y> <http://www.w3.org/ns/hydra/core#next> <https://other.example/?page={number}> .".encode()

    answers = {f"page={n}" if n else "": httpx.Response(200, content=link(n + 1)) for n in range(200)}
    known, asked = read(answers)
    assert len(asked) == harvester.MOST_PAGES
    assert "more than" in known.trouble
    circle, asked = read({"": httpx.Response(200, content=link(1)), "page=1": httpx.Response(200, content=link(1))})
    assert (circle.trouble, len(asked)) == ("", 2)


def test_what_is_no_address_of_the_web_is_left_out_and_texts_are_cut() -> None:
    page = harvest.read(
        b"@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . <javascript:alert(1)> a dcat:Dataset . "
        b"<https://a.example/d> a dcat:Dataset ; dct:license <javascript:x>, <https://l.example/> ; dct:title '"
        + b"x" * 5_000
        + b"' ."
    )
    (only,) = page.datasets
    assert only.address == "https://a.example/d"
    assert only.licences == ("https://l.example/",)
    assert len(only.title) == harvest.LONGEST
    with pytest.raises(Malformed):
        harvest.read(b"\xff\xfe")
