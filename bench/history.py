"""A month of one-minute data of 100 datastreams, read over HTTP, beside the store's own client reading the same.

    .venv/bin/python -m bench.history [--store sqlite|influx] [--datastreams 100] [--days 30] [--rounds 3] [--requests 500]

Whole, as Parquet and as Arrow, each in turn with a plain reading of the same rows: by `sqlite3`, or by HTTP and JSON from InfluxDB, kept by
nobody. Then a day of one datastream, 50 requests a second, whose time counts from when each was due. And how much memory the HTTP process
took at most while it streamed. Prints one JSON object; exit code 0 only if the goal holds: 1.5 times, and p99 below 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from broker import times
from broker.points import Point
from broker.registry.registry import Registry
from broker.store.open import open_stores
from tests.owners import new_owner, new_reader
from tests.servers import TLS, Influxd, Mitoyen

TIMES, DAY_P99_MS, RATE = 1.5, 20.0, 50
BEGIN = times.parse("2026-01-01T00:00:00Z")
DAY_MINUTES = 1_440
NAME = "bench"
"""Of the databases in InfluxDB."""


def filled(broker: Mitoyen, store: str, datastreams: int, minutes: int) -> tuple[str, list[str], list[str], str]:
    """Returns an offer of that many datastreams with a month in it, its releases and their streams, and an application's key."""
    with broker:
        owner, reader = new_owner(broker, "city"), new_reader(broker, "analyst")
        names = [f"d-{number}" for number in range(datastreams)]
        for name in names:
            owner.datastream(name, observed_property="PM2.5", unit="ug/m3")
        offer = owner.offer(names)
        reader.agree(offer["id"])
    registry = Registry.in_home(broker.home)
    releases = registry.offer(offer["id"]).releases
    registry.close()
    stores = open_stores(store, broker.home, prefix=NAME)
    for first in range(0, minutes, 100):
        stores.released.write(
            [
                (release.stream, Point(BEGIN + minute * times.MINUTE, (minute * 17 + number * 31) % 1_000 / 10, "", ""))
                for number, release in enumerate(releases)
                for minute in range(first, min(first + 100, minutes))
            ]
        )
    for each in stores:
        each.close()
    return offer["id"], [one.id for one in releases], [one.stream for one in releases], reader.key


def own_sqlite(home: Path, streams: list[str]) -> int:
    rows = 0
    with sqlite3.connect(home / "released.sqlite") as db:
        for stream in streams:
            found = db.execute(
                "SELECT time, value, key, extra FROM points WHERE stream = (SELECT id FROM streams WHERE name = ?) ORDER BY time",
                (stream,),
            )
            while page := found.fetchmany(10_000):
                rows += len(page)
    return rows


def own_influx(url: str, database: str, streams: list[str]) -> int:
    rows = 0
    with httpx.Client(base_url=url, timeout=600, trust_env=False, verify=TLS) as client:
        for stream in streams:
            query = {
                "q": 'SELECT * FROM "points" WHERE "stream" = $s',
                "params": json.dumps({"s": stream}),
                "db": database,
            }
            asked = {**query, "epoch": "ns", "chunked": "true"}
            with client.stream("GET", "/query", params=asked) as answer:
                for line in answer.iter_lines():
                    for series in json.loads(line)["results"][0].get("series", ()):
                        rows += len(series["values"])
    return rows


def whole(broker: Mitoyen, key: str, offer: str, form: str) -> int:
    """Bytes of the answer."""
    with broker.client(key) as client:
        path = f"/api/v1/offers/{offer}/observations"
        with client.stream("GET", path, params={"format": form}, timeout=600) as answer:
            answer.raise_for_status()
            return sum(map(len, answer.iter_bytes(1 << 20)))


def timed(run: Callable[[], int]) -> tuple[float, int]:
    begin = time.perf_counter()
    got = run()
    return time.perf_counter() - begin, got


async def days(broker: Mitoyen, key: str, release: str, last_day: int, requests: int) -> list[float]:
    """How long each answer took, in ms, from when it was due."""
    took: list[float] = []
    answers: list[httpx.Response] = []  # read when all have come: whoever reads one is late for the next
    gc.collect()
    gc.freeze()  # nor do we look for garbage among all that is imported here, which takes 50 ms
    async with httpx.AsyncClient(
        base_url=broker.url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False, verify=TLS
    ) as client:

        async def one(due: float, day: int) -> None:
            span = {"start": times.text(BEGIN + day * times.DAY), "end": times.text(BEGIN + (day + 1) * times.DAY)}
            answer = await client.get(
                f"/api/v1/releases/{release}/observations", params={**span, "limit": str(DAY_MINUTES)}
            )
            took.append((time.perf_counter() - due) * 1_000)
            answers.append(answer)

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(requests):
                due = begin + number / RATE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(one(due, number % last_day))
    assert all(answer.json()["observations"] for answer in answers)
    return sorted(took)


def peak_mib(pid: int) -> float:
    """The most memory that a process had since it began, or since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1_024, 1)


def measured(
    broker: Mitoyen,
    own: Callable[[list[str]], int],
    given: tuple[str, list[str], list[str], str],
    a: argparse.Namespace,
) -> Iterator[tuple[str, Any]]:
    offer, releases, streams, key = given
    yield "memory_before_mib", peak_mib(broker.part("api"))
    for form in ("parquet", "arrow"):
        ratios, sizes, rows, took = [], [], 0, []
        for _ in range(a.rounds):
            floor, rows = timed(lambda: own(streams))
            ours, size = timed(lambda form=form: whole(broker, key, offer, form))  # type: ignore[misc]  # bound now
            ratios.append(ours / floor)
            took.append(ours)
            sizes.append(size)
        assert rows == a.datastreams * a.days * DAY_MINUTES, rows
        yield (
            form,
            {
                "times": round(statistics.median(ratios), 2),
                "s": round(statistics.median(took), 1),
                "rows": rows,
                "bytes": sizes[-1],
            },
        )
    yield "memory_peak_mib", peak_mib(broker.part("api"))
    took = asyncio.run(days(broker, key, releases[0], a.days, a.requests))
    at = lambda share: round(took[min(len(took) - 1, int(share * len(took)))], 1)  # noqa: E731 - of these alone
    yield "day", {"requests_per_s": RATE, "p50_ms": at(0.5), "p99_ms": at(0.99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "influx"], default="sqlite")
    parser.add_argument("--datastreams", type=int, default=100)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=500)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-bench-") as folder, ExitStack() as stack:
        home, store = Path(folder), a.store
        own: Callable[[list[str]], int] = lambda streams: own_sqlite(home / "home", streams)  # noqa: E731 - the simpler of two
        if a.store == "influx":
            (home / "influx").mkdir()
            server = stack.enter_context(Influxd(home / "influx"))
            store = f"influx:{server.url}"
            own = lambda streams: own_influx(server.url, f"{NAME}_released", streams)  # noqa: E731
        broker = Mitoyen(home, store=store, environment={"INFLUX_DATABASE": NAME})
        given = filled(broker, store, a.datastreams, a.days * DAY_MINUTES)
        with broker:
            result = dict(measured(broker, own, given, a))
    holds = (
        max(result[form]["times"] for form in ("parquet", "arrow")) <= TIMES and result["day"]["p99_ms"] < DAY_P99_MS
    )
    print(json.dumps({"store": a.store, **result, "goal": {"times": TIMES, "day_p99_ms": DAY_P99_MS, "holds": holds}}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
