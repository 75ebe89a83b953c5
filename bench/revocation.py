"""From the end of a licence to the last delivery under it, under load, for every way of reading; and nobody else is silenced.

    make bench-revocation            .venv/bin/python -m bench.revocation [--ends 200] [--rate 2000] [--applications 50]

A running broker takes `--rate` messages a second on the releases of a few offers, to which all applications agreed. Some of
them lose their licence again and again, by revocation (timed from the answer to DELETE) and by expiry (from the instant that
the terms state; nobody calls anything); the others only listen, and miss nothing in the order of each datastream's numbers.
Each way of reading first proves that it is delivered something. Everything runs on this machine, so what the clients take is in
the figures. Prints one JSON object; its times are in ms. Exit code 0 only if the goal holds: 99 of 100 silent within 250 ms,
all within 1 s, no delivery after it, no gap for anyone else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.readers import VALUE, WAYS, Place, connected, subscribed
from broker import times
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account
from tests.servers import TLS, Mitoyen

P99_MS, MAX_MS = 250.0, 1_000.0
WATCH_S = 1.5  # how long each is watched after its end
LEAD_S = 4.0  # from the agreement to its expiry: a reader has to begin meanwhile
STEP_S = 0.02  # the load leaves in this rhythm
DATASTREAMS = 2  # of each offer
AT_ONCE = 2  # applications that lose their licence at the same time, by each way of reading
CALLS_S = 60.0
SETTLE_S = 30.0  # how long what was acknowledged last may take to the others
TERMS = {"licence": "CC0-1.0", "attribution": "bench", "purposes": ["any"]}


@dataclass(slots=True)
class World:
    """The broker as its owner and its applications know it."""

    broker: Mitoyen
    http: httpx.AsyncClient
    owner: str
    gateway: dict[str, Any]
    offers: list[dict[str, Any]]
    applications: dict[str, tuple[str, dict[str, Any]]]
    """Name -> key and MQTT login."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: Counter[str] = field(default_factory=Counter)

    async def call(self, key: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {key}"}
        answer = await self.http.request(method, f"/api/v1/{path}", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def agree(self, application: str, offer: dict[str, Any]) -> str:
        body = {"offer": offer["id"], "application": application, "purpose": "bench", "accept": True}
        return str((await self.call(self.applications[application][0], "POST", "agreements", body))["id"])

    async def revoke(self, agreement: str) -> float:
        """When it was answered (seconds since 1970)."""
        await self.call(self.owner, "DELETE", f"agreements/{agreement}", {"reason": "bench"})
        return time.time()

    def place(self, application: str, offer: dict[str, Any]) -> Place:
        key, mqtt = self.applications[application]
        topic = offer["releases"][0]["topic"].rpartition("/")[0] + "/+"
        return Place(self.broker.url, key, mqtt, topic, offer["releases"][0]["id"])


@asynccontextmanager
async def world(broker: Mitoyen, offers: int, applications: int) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=broker.url, timeout=CALLS_S, trust_env=False, verify=TLS) as http:
        made = World(broker, http, broker.operator_key, {}, [], {})
        made.owner = (await made.call(broker.operator_key, "POST", "organisations", {"id": "owner", "name": "o"}))[
            "key"
        ]
        made.gateway = (await made.call(made.owner, "POST", "gateways", {"id": "g"}))["mqtt"]
        for number in range(offers):
            names = [f"d{number}-{one}" for one in range(DATASTREAMS)]
            for name in names:
                await made.call(made.owner, "POST", "datastreams", {"id": name, "gateway": "g", "kind": "measurement"})
            body = {"id": f"offer-{number}", "datastreams": names, "profile": {"name": "raw", "operators": []}}
            made.offers.append(await made.call(made.owner, "POST", "offers", {**body, "terms": TERMS}))
        for number in range(applications):
            shown = await made.call(made.owner, "POST", "applications", {"id": f"application-{number}"})
            made.applications[shown["id"]] = shown["key"], shown["mqtt"]
        yield made


# --- load, and those who only listen


async def load(at: World, rate: int, enough: asyncio.Event) -> None:
    """Publish this many messages a second, numbered in each datastream; returns when all were acknowledged."""
    acknowledged: list[int] = []
    login = at.gateway
    account = Account(
        login["host"], login["port"], login["client_id_prefix"] + "load", login["username"], login["password"]
    )
    names = [release["datastream"] for offer in at.offers for release in offer["releases"]]
    headings = {name: codec.heading(login["topic"].replace("{datastream}", name)) for name in names}
    began, sent = time.time(), 0
    async with connection.connect(account, lambda _: None) as gateway:
        while not enough.is_set():
            due = int((time.time() - began) * rate) - sent
            packets = []
            for number in range(sent, sent + min(due, await gateway.room())):
                name, place = names[number % len(names)], number // len(names)
                stamp = times.text(int((began + number / rate) * 1e9))
                payload = b'{"time":"%s","value":%d}' % (stamp.encode(), place)
                packets.append((headings[name], codec.NO_PROPERTIES, payload, False))
                at.sent[name] = place + 1
            gateway.publish(packets, acknowledged.append)
            sent += len(packets)
            await asyncio.sleep(STEP_S)
        while len(acknowledged) < sent:  # noqa: ASYNC110 - it is the clock that is waited for
            await asyncio.sleep(STEP_S)


@dataclass(slots=True)
class Witness:
    """An application that keeps its licence: what it was delivered, and what it missed."""

    last: dict[bytes, int] = field(default_factory=dict)
    messages: int = 0
    gaps: int = 0

    def note(self, payload: bytes) -> None:
        for one in payload.split(b'"datastream"')[1:]:
            found = VALUE.search(one)
            assert found, payload
            name, value = one[:20].split(b'"')[1], int(found[1])
            if name in self.last and value > self.last[name] + 1:
                self.gaps += 1
            self.last[name] = max(value, self.last.get(name, value))
            self.messages += 1

    def missing(self, sent: Counter[str]) -> int:
        """What was published after it began to listen and never came."""
        return sum(max(0, sent[name.decode()] - 1 - last) for name, last in self.last.items())


async def listen(at: World, application: str, offer: dict[str, Any]) -> tuple[Witness, connection.Connection | Any]:
    await at.agree(application, offer)
    place, witness = at.place(application, offer), Witness()
    made = await connected(place.mqtt, 5, witness.note)
    await subscribed(made, 5, place.topic)
    return witness, made


# --- the two ends of a licence


async def by_revocation(at: World, way: str, application: str, offer: dict[str, Any]) -> list[float] | None:
    """Seconds from the answer to each delivery after it; None if the reader was not delivered anything before."""
    agreement = await at.agree(application, offer)
    reader = WAYS[way](at.place(application, offer))
    try:
        await reader.begin()
        ended = await at.revoke(agreement)
        await reader.resume()
        await asyncio.sleep(ended + WATCH_S - time.time())
        return [moment - ended for moment in reader.heard if moment > ended]
    finally:
        await reader.close()


async def by_expiry(at: World, way: str, application: str, offer: dict[str, Any]) -> list[float] | None:
    """The same from the instant that the terms state."""
    async with at.changing:
        ends = time.time() + LEAD_S
        terms = {**TERMS, "expires": times.text(int(ends * 1e9))}
        await at.call(at.owner, "PUT", f"offers/{offer['id']}/terms", terms)
        agreement = await at.agree(application, offer)
    reader = WAYS[way](at.place(application, offer))
    try:
        await reader.begin()
        if time.time() >= ends:
            return None
        await asyncio.sleep(ends - time.time())
        await reader.resume()
        await asyncio.sleep(ends + WATCH_S - time.time())
        return [moment - ends for moment in reader.heard if moment > ends]
    finally:
        await reader.close()
        await at.revoke(agreement)  # an application has one agreement for a purpose


ENDS = {"revocation": by_revocation, "expiry": by_expiry}


async def repeated(at: World, end: str, way: str, applications: list[str], count: int) -> list[list[float]]:
    """`count` ends, by these applications at the same time."""
    found: list[list[float]] = []
    started = iter(range(3 * count))

    async def one_after_another(application: str) -> None:
        offer = at.offers[int(application.rpartition("-")[2]) % len(at.offers)]
        for _ in started:
            if len(found) >= count:
                return
            try:
                delays = await ENDS[end](at, way, application, offer)
            except TimeoutError:
                delays = None
            if delays is not None:
                found.append(delays)

    async with asyncio.TaskGroup() as tasks:
        for application in applications:
            tasks.create_task(one_after_another(application))
    return found[:count]


def summary(found: list[list[float]]) -> dict[str, Any]:
    """From the end to the last delivery: 0 where there was none after it."""
    last = sorted(max(delays, default=0.0) * 1e3 for delays in found)
    at = lambda share: round(last[min(len(last) - 1, int(share * len(last)))], 1)  # noqa: E731 - of these alone
    return {
        "ends": len(found),
        "p50": at(0.5),
        "p99": at(0.99),
        "max": round(last[-1], 1),
        "deliveries_after_the_end": sum(len(delays) for delays in found),
        "deliveries_after_1_s": sum(delay > MAX_MS / 1e3 for delays in found for delay in delays),
    }


def holds(result: dict[str, Any], ends: int) -> bool:
    """Whether the goal is reached."""
    each = [one for end in ENDS for one in result[end].values()]
    silent = all(
        one["ends"] == ends and one["p99"] <= P99_MS and one["max"] < MAX_MS and not one["deliveries_after_1_s"]
        for one in each
    )
    others = result["others"]
    return silent and others["messages"] > 0 and not others["gaps"] and not others["missing"]


async def measured(broker: Mitoyen, a: argparse.Namespace) -> dict[str, Any]:
    async with world(broker, a.offers, a.applications) as at, asyncio.TaskGroup() as tasks:
        enough = asyncio.Event()
        loading = tasks.create_task(load(at, a.rate, enough), name="load")
        names = list(at.applications)
        pools = {way: [names.pop() for _ in range(AT_ONCE)] for way in WAYS}
        listening = [await listen(at, name, at.offers[number % len(at.offers)]) for number, name in enumerate(names)]
        began, before = time.time(), sum(at.sent.values())
        result: dict[str, Any] = {}
        for end in ENDS:
            parts: dict[str, Coroutine[Any, Any, list[list[float]]]] = {
                way: repeated(at, end, way, pools[way], a.ends) for way in WAYS
            }
            found = await asyncio.gather(*parts.values())
            result[end] = {way: summary(one) for way, one in zip(parts, found, strict=True)}
        rate = (sum(at.sent.values()) - before) / (time.time() - began)
        enough.set()
        await loading
        witnesses = [witness for witness, _ in listening]
        until = time.time() + SETTLE_S
        while any(one.missing(at.sent) for one in witnesses) and time.time() < until:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(STEP_S)
        for _, made in listening:
            made.transport.abort()
        result["load"] = {"messages_per_s": round(rate), "applications": len(at.applications), "offers": len(at.offers)}
        result["others"] = {
            "applications": len(witnesses),
            "messages": sum(one.messages for one in witnesses),
            "gaps": sum(one.gaps for one in witnesses),
            "missing": sum(one.missing(at.sent) for one in witnesses),
        }
        result["median_of_p99"] = {end: statistics.median(one["p99"] for one in result[end].values()) for end in ENDS}
        return {**result, "goal": {"p99": P99_MS, "max": MAX_MS, "holds": holds(result, a.ends)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ends", type=int, default=200, help="of licences, by each way of reading, by revocation and by expiry"
    )
    parser.add_argument("--rate", type=int, default=2_000, help="messages a second on the releases")
    parser.add_argument("--applications", type=int, default=50)
    parser.add_argument("--offers", type=int, default=10)
    with tempfile.TemporaryDirectory(prefix="mitoyen-revocation-") as folder, Mitoyen(Path(folder)) as broker:
        result = asyncio.run(measured(broker, parser.parse_args()))
    print(json.dumps(result, indent=2))
    sys.exit(0 if result["goal"]["holds"] else 1)


if __name__ == "__main__":
    main()
