"""A thousand readers of live streams over HTTP, and one who is slow: how long from publishing to reading, and who pays for the slow one.

    .venv/bin/python -m bench.live [--clients 1000] [--releases 10] [--rate 10] [--seconds 20]

Each client opens Server-Sent Events on one release; a gateway publishes `--rate` observations a second on each. The time is from when
an observation was due to be published to when the client read it; everything runs on this machine, so what the clients take is in the
figures. One more client of each release never reads. Prints one JSON object; exit code 0 only if the goal holds: p99 below 250 ms,
and nothing lost by anyone who reads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker import times
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account
from tests.owners import new_owner
from tests.servers import Mitoyen

P99_MS = 250.0
SETTLE_S = 10.0
TOLD = re.compile(rb'^data: \{"datastream":"d-(\d+)","time":"([^"]+)","value":(\d+)', re.MULTILINE)
SLOW = 1_024  # bytes that a slow reader lets come
FIRST = 1
"""Numbers begin here; a retained value of before is 0."""


@dataclass(slots=True)
class Client:
    """One reader: how long each observation took to it (ms), and the numbers that it missed."""

    last: int = 0
    missed: int = 0
    took: list[float] = field(default_factory=list)

    async def read(self, reader: asyncio.StreamReader, sent: dict[int, float]) -> None:
        rest = b""
        while data := await reader.read(1 << 16):
            lines, newline, rest = (rest + data).rpartition(b"\n")
            now = time.time()
            for _, _, value in TOLD.findall(lines + newline):
                number = int(value)
                if number >= FIRST:
                    self.missed += number - self.last - 1
                    self.last = number
                    self.took.append((now - sent[number]) * 1_000)


def cpu_s(pid: int) -> float:
    """The processor's time that the threads of a process have used, to the nanosecond where its ticks are 10 ms (Linux, sched-stats.rst)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


async def opened(
    broker: Mitoyen, release: str, limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = broker.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=limit)
    writer.write(f"GET /api/v1/releases/{release}/live HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.readuntil(b": listening\n")
    assert b" 200 " in answer[:16], answer
    return reader, writer


async def publish(gateway: dict[str, Any], names: list[str], rate: int, seconds: float, sent: dict[int, float]) -> None:
    account = Account(
        gateway["host"], gateway["port"], gateway["client_id_prefix"] + "load", gateway["username"], gateway["password"]
    )
    headings = [codec.heading(gateway["topic"].replace("{datastream}", name)) for name in names]
    done: list[int] = []
    async with connection.connect(account, lambda _: None) as at:
        begin = time.time()
        for number in range(FIRST, int(rate * seconds) + FIRST):
            due = begin + (number - FIRST) / rate
            await asyncio.sleep(max(0.0, due - time.time()))
            sent[number] = due
            payload = b'{"time":"%s","value":%d}' % (times.text(int(due * 1e9)).encode(), number)
            await at.room()
            at.publish([(one, codec.NO_PROPERTIES, payload, False) for one in headings], done.append)
        while len(done) < len(sent) * len(headings):  # noqa: ASYNC110 - each is acknowledged by itself
            await asyncio.sleep(0.01)


async def measured(broker: Mitoyen, a: argparse.Namespace) -> dict[str, Any]:
    owner = new_owner(broker, "city")
    names = [f"d-{number}" for number in range(a.releases)]
    for name in names:
        owner.datastream(name)
    releases = [one["id"] for one in owner.offer(names, terms={"access": "open"})["releases"]]
    sent: dict[int, float] = {}
    clients = [Client() for _ in range(a.clients)]
    idle = [await opened(broker, release, limit=SLOW) for release in releases]
    streams = [await opened(broker, releases[number % len(releases)]) for number in range(a.clients)]
    reading = [asyncio.create_task(one.read(reader, sent)) for one, (reader, _) in zip(clients, streams, strict=True)]
    before = cpu_s(broker.part("api"))
    await publish(owner.mqtt, names, a.rate, a.seconds, sent)
    last, until = max(sent), time.monotonic() + SETTLE_S
    while any(one.last < last for one in clients) and time.monotonic() < until:  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0.05)
    used = cpu_s(broker.part("api")) - before
    for task in reading:
        task.cancel()
    for _, writer in (*streams, *idle):
        writer.close()
    took = sorted(delay for one in clients for delay in one.took)
    at = lambda share: round(took[min(len(took) - 1, int(share * len(took)))], 1)  # noqa: E731 - of these alone
    missed = sum(one.missed + last - one.last for one in clients)
    holds = at(0.99) < P99_MS and not missed
    return {
        "clients": len(clients),
        "events": len(took),
        "events_per_s": round(len(took) / a.seconds),
        "api_cpu_us_per_event": round(used / len(took) * 1e6, 1),
        "missed": missed,
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "max_ms": round(took[-1], 1),
        "slow_readers": len(idle),
        "goal": {"p99_ms": P99_MS, "holds": holds},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--releases", type=int, default=10)
    parser.add_argument("--rate", type=int, default=10, help="observations a second on each release")
    parser.add_argument("--seconds", type=float, default=20)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-bench-") as folder, Mitoyen(Path(folder)) as broker:
        result = asyncio.run(measured(broker, a))
    print(json.dumps(result))
    sys.exit(0 if result["goal"]["holds"] else 1)


if __name__ == "__main__":
    main()
