"""Times SensorThings on a city's size: 10,000 datastreams with 10 million observations, over HTTP, from a broker that runs.

    .venv/bin/python -m bench.sensorthings [--datastreams N] [--observations N] [--requests N]

The registry is filled before the broker starts, and the rows go straight into the store's own tables: a thousand observations a datastream,
one a minute. Asked are the newest observation of each datastream of a page, and every page of one walk from the first to the last; each as often as
`--requests` says, one after the other. Prints one line a question, in ms.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from broker import keys, times
from broker.home import Home
from broker.licence import Terms
from broker.model import (
    Datastream,
    Gateway,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.place import Place
from broker.privacy.profile import Profile
from broker.registry.registry import Registry
from broker.store.sqlite import SqliteStore
from tests.servers import Mitoyen

BEGIN = times.parse("2026-01-01T00:00:00Z")
OF_AN_OFFER = 100  # datastreams: an offer is what one owner gives of one kind
OWNER = OrganisationId("city")
TERMS = Terms("CC-BY-4.0", "The city", ("any",), access="open")
NEWEST = "$expand=Observations($top=1;$orderby=phenomenonTime desc)"


def register(home: Path, datastreams: int) -> None:
    """Datastreams and open offers of them, as the registry makes them."""
    Home(home).make()
    registry = Registry.in_home(home, None, None)
    registry.migrate()
    registry.add_organisation(Organisation(OWNER, "The city"), "key", BEGIN)
    registry.add_gateway(Gateway(OWNER, "g", "g", "json", (keys.account("gateway.city.g", "password"),)), BEGIN)
    made = [
        Datastream(OWNER, f"d-{n}", "g", "measurement", "temperature", "Cel", Place(4.8 + n / 1e5, 45.7))
        for n in range(datastreams)
    ]
    registry.add_datastreams(made, BEGIN)
    for first in range(0, datastreams, OF_AN_OFFER):
        name = OfferId(f"offer-{first}")
        releases = tuple(
            Release(ReleaseId(f"release-{d.id}"), name, d, d.stream) for d in made[first : first + OF_AN_OFFER]
        )
        registry.add_offer(Offer(name, OWNER, Profile("raw", ()), TERMS, releases, BEGIN))
    registry.close()


def fill(home: Path, datastreams: int, each: int) -> None:
    """`each` observations a datastream, written by SQLite alone."""
    SqliteStore(home / "released.sqlite").close()
    with sqlite3.connect(home / "released.sqlite") as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -262144")
        db.executemany("INSERT INTO streams (name) VALUES (?)", [(f"{OWNER}/d-{n}",) for n in range(datastreams)])
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
            "INSERT INTO points SELECT streams.id, ? + n.i * ?, '', (streams.id * 31 + n.i * 17) % 1000 / 10.0, '' FROM streams, n",
            (each, BEGIN, times.MINUTE),
        )
    db.close()


def timed(client: httpx.Client, address: str, requests: int) -> list[float]:
    """How long each took, in ms, in order of length."""
    took = []
    for _ in range(requests):
        begin = time.perf_counter()
        answer = client.get(address).raise_for_status()
        took.append((time.perf_counter() - begin) * 1000)
        assert answer.json()["value"], address
    return sorted(took)


def report(what: str, took: list[float]) -> None:
    p99 = took[min(len(took) - 1, round(len(took) * 0.99))]
    print(f"{what:58} median {statistics.median(took):8.1f}  p99 {p99:8.1f}  worst {took[-1]:8.1f}", flush=True)


def walk(client: httpx.Client, link: str, pages: int) -> dict[int, float]:
    """Follow nextLinks; how long each of these pages took, in ms, as the median of the ten around it."""
    took: list[float] = []
    while link and len(took) < pages:
        begin = time.perf_counter()
        page = client.get(link).raise_for_status().json()
        took.append((time.perf_counter() - begin) * 1000)
        link = page.get("@iot.nextLink", "")
    marks = [1, 10, 100, 1_000, 10_000]
    return {n: statistics.median(took[max(0, n - 10) : n + 10]) for n in marks if n <= len(took)}


def main() -> None:
    """What is printed is in ms."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--datastreams", type=int, default=10_000)
    parser.add_argument("--observations", type=int, default=10_000_000)
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-bench-") as folder:
        home = Path(folder) / "home"
        begin = time.perf_counter()
        register(home, given.datastreams)
        print(f"registered in {time.perf_counter() - begin:.0f} s", flush=True)
        fill(home, given.datastreams, given.observations // given.datastreams)
        print(f"filled in {time.perf_counter() - begin:.0f} s", flush=True)
        with Mitoyen(Path(folder)) as broker:
            measure(broker, given.requests, given.datastreams)


def measure(broker: Mitoyen, requests: int, datastreams: int) -> None:
    with broker.client() as client:
        begin = time.perf_counter()
        client.get("/v1.1/Datastreams?$top=1", timeout=300).raise_for_status()
        print(f"first question, which makes the graph: {(time.perf_counter() - begin) * 1000:.0f} ms")
        report("newest of each of a page of 100 datastreams", timed(client, f"/v1.1/Datastreams?{NEWEST}", requests))
        middle = f"/v1.1/Datastreams?{NEWEST}&$skip={datastreams // 2}"
        report("the same of the page in the middle", timed(client, middle, requests))
        every = f"/v1.1/Datastreams?$top={datastreams}&{NEWEST}"
        report("the same of all datastreams in one answer", timed(client, every, max(5, requests // 20)))
        report(
            "newest 100 of one datastream",
            timed(client, "/v1.1/Datastreams(1)/Observations?$orderby=phenomenonTime desc", requests),
        )
        report(
            "one hour of one, filtered",
            timed(
                client,
                "/v1.1/Datastreams(1)/Observations?$filter=phenomenonTime ge 2026-01-01T05:00:00Z and phenomenonTime lt 2026-01-01T06:00:00Z",
                requests,
            ),
        )
        for page, took in walk(client, "/v1.1/Observations?$top=100", 10_050).items():
            print(f"page {page:6} of all observations, 100 each: {took:8.1f}", flush=True)


if __name__ == "__main__":
    main()
