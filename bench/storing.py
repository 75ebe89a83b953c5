"""Points a second into each store, beside the same points written straight into it by its own client.

    .venv/bin/python -m bench.storing [--points 200000] [--batch 5000] [--rounds 3]

In turn, so that a busy machine slows both. SQLite's own client is `sqlite3` (executemany, one transaction a batch, synchronous=FULL, the same
table); InfluxDB's is `influxdb-client`, which makes the lines, and one request a batch. Prints one JSON object; exit code 0 only if each
store takes at least 0.7 of what its own client does.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from influxdb_client import Point as Line

from broker import times
from broker.points import Point, Rows
from broker.store.influx import InfluxStore
from broker.store.sqlite import SqliteStore
from tests.servers import TLS, Influxd

ASKED = 0.7
STREAMS = 100
BEGIN = times.parse("2026-01-01T00:00:00Z")


def batches(points: int, size: int, since: int) -> list[list[tuple[str, Point]]]:
    """One observation a second of each of 100 datastreams, as they come."""
    rows = [
        (f"city/d-{n % STREAMS}", Point(since + n // STREAMS * times.SECOND, n % 500 / 10, "", ""))
        for n in range(points)
    ]
    return [rows[first : first + size] for first in range(0, points, size)]


def rate(write: Callable[[Rows], None], parts: Sequence[Rows]) -> float:
    begin = time.perf_counter()
    for part in parts:
        write(part)
    return sum(map(len, parts)) / (time.perf_counter() - begin)


def by_sqlite(path: Path) -> Callable[[Rows], None]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE points (stream, time, key, value, extra, PRIMARY KEY (stream, time, key)) WITHOUT ROWID")

    def write(rows: Rows) -> None:
        db.execute("BEGIN")
        db.executemany(
            "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)",
            [(stream, one.time, one.key, one.value, one.extra) for stream, one in rows],
        )
        db.execute("COMMIT")

    return write


def by_influxdb_client(url: str) -> Callable[[Rows], None]:
    client = httpx.Client(base_url=url, timeout=60, trust_env=False, verify=TLS)
    client.post("/query", params={"q": "CREATE DATABASE own"}).raise_for_status()

    def write(rows: Rows) -> None:
        lines = [
            Line("observations").tag("stream", stream).field("value", one.value).time(one.time).to_line_protocol()
            for stream, one in rows
        ]
        client.post("/write", params={"db": "own"}, content="\n".join(lines).encode()).raise_for_status()

    return write


def ratio(
    ours: Callable[[Rows], None], own: Callable[[Rows], None], points: int, size: int, rounds: int
) -> dict[str, float]:
    found: dict[str, list[float]] = {"ours": [], "own": []}
    for number in range(rounds):
        parts = batches(points, size, BEGIN + number * times.DAY)
        found["own"].append(rate(own, parts))
        found["ours"].append(rate(ours, parts))
    ratios = [a / b for a, b in zip(found["ours"], found["own"], strict=True)]
    medians = {f"{name}_points_per_s": round(statistics.median(rates)) for name, rates in found.items()}
    return {**medians, "ratio": round(statistics.median(ratios), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-bench-") as folder:
        home = Path(folder)
        sqlite = SqliteStore(home / "ours.sqlite")
        found = {"sqlite": ratio(sqlite.write, by_sqlite(home / "own.sqlite"), a.points, a.batch, a.rounds)}
        sqlite.close()
        (home / "influx").mkdir()
        with Influxd(home / "influx") as server:
            httpx.post(f"{server.url}/query", params={"q": "CREATE DATABASE ours"}, trust_env=False, verify=TLS)
            influx = InfluxStore(server.url, "ours")
            found["influx"] = ratio(influx.write, by_influxdb_client(server.url), a.points, a.batch, a.rounds)
            influx.close()
    holds = all(one["ratio"] >= ASKED for one in found.values())
    print(json.dumps({**found, "goal": {"ratio": ASKED, "holds": holds}}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
