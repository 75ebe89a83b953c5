"""`mitoyen demo`: a simulated city on a broker of its own, opened to two applications as anyone would open it, over HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import httpx

from broker.errors import Unavailable
from broker.home import Home
from broker.settings import Settings
from mitoyen.supervise import up
from simulators import play, simulation
from simulators.city import OWNERS, City, Sensor

READY_S = 30.0
SEED = 7  # any would do; always the same, so that two people see the same city
BACKFILL = "PT30M"  # enough for several windows of five minutes at once
TERMS = {"licence": "CC-BY-4.0", "purposes": ["any"]}
RAW: dict[str, Any] = {"name": "raw", "operators": []}
MEAN: dict[str, Any] = {
    "name": "mean-5min",
    "operators": [{"op": "aggregate", "window": "PT5M", "statistics": ["mean", "count"], "by": "datastream"}],
}
TAGS: dict[str, Any] = {"name": "pseudonymous", "operators": [{"op": "pseudonymise", "rotate": "P1D"}]}


_Granted = dict[str, tuple[str, list[str]]]
"""Application -> its key, and where the history of what it agreed to is."""


@dataclass(slots=True)
class Summary:
    """What went through. The demo holds only if no figure is zero."""

    ingested: int = 0
    released: int = 0
    applications: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        figures = [n for of in self.applications.values() for n in of.values()]
        return bool(self.ingested and self.released and figures and all(figures))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def demo(settings: Settings, seconds: float | None, say: Any) -> Summary:
    """Run until `seconds` are over, or until SIGINT. Raises Unavailable when it does not come up."""
    stop, summary = asyncio.Event(), Summary()
    running = asyncio.create_task(up(settings, stop=stop))
    async with httpx.AsyncClient(base_url=f"http://{settings.http}", timeout=30) as api:
        try:
            await _ready(api, running)
            granted: _Granted = {}
            played, readers = await _open_city(api, Home(settings.home), summary, granted)
            say(f"http://{settings.http}/")
            until = None if seconds is None else time.time() + seconds
            work = [asyncio.create_task(play.play(played, until=until)), *(asyncio.create_task(r) for r in readers)]
            await asyncio.wait({work[0], running}, return_when=asyncio.FIRST_COMPLETED)
            if work[0].done():
                summary.ingested = work[0].result().acknowledged_records
                await _history(api, summary, granted)
            for task in work:
                task.cancel()
        finally:
            stop.set()
            await running
    return summary


async def _ready(api: httpx.AsyncClient, running: asyncio.Task[None]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and not running.done():
        try:
            if (await api.get("/readyz")).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    if running.done():
        running.result()
    raise Unavailable("the broker did not become ready")


async def _open_city(
    api: httpx.AsyncClient, home: Home, summary: Summary, granted: _Granted
) -> tuple[simulation.Simulation, list[Any]]:
    """Register the city, offer all of it, and let two applications agree."""
    operator = home.operator_key.read_text().strip()
    city = City(SEED)
    gateways: list[dict[str, Any]] = []
    offers: dict[str, list[str]] = {"live-map": [], "research": []}
    for owner, name in OWNERS.items():
        key = (await _post(api, operator, "organisations", {"id": owner, "name": name}))["key"]
        own = [sensor for sensor in city.sensors if sensor.owner == owner]
        for gateway in sorted({sensor.gateway for sensor in own}):
            mqtt = (await _post(api, key, "gateways", {"id": gateway}))["mqtt"]
            login = {k: mqtt[k] for k in ("host", "port", "username", "password", "client_id_prefix")}
            gateways.append({"organisation": owner, "id": gateway, "mqtt": login})
        for sensor in own:
            await _post(api, key, "datastreams", _datastream(sensor))
        terms = {**TERMS, "attribution": name}
        for application, profile, kind in (
            ("live-map", RAW, "measurement"),
            ("research", MEAN, "measurement"),
            ("research", TAGS, "rfid"),
        ):
            names = [s.id for s in own if s.kind == kind and (profile is not MEAN or s.unit is not None)]
            if names:
                body = {"datastreams": names, "profile": profile, "terms": terms}
                offers[application].append((await _post(api, key, "offers", body))["id"])
    reading = (await _post(api, operator, "organisations", {"id": "citizens", "name": "Citizens' lab"}))["key"]
    readers = []
    for application, of in offers.items():
        made = await _post(api, reading, "applications", {"id": application})
        summary.applications[application] = {"live": 0, "history": 0}
        releases = [
            release
            for offer in of
            for release in (
                await _post(
                    api,
                    reading,
                    "agreements",
                    {"offer": offer, "application": application, "purpose": "demo", "accept": True},
                )
            )["releases"]
        ]
        granted[application] = (made["key"], [release["observations"] for release in releases])
        readers.append(_read(made["mqtt"], summary.applications[application]))
    return simulation.Simulation.model_validate({"seed": SEED, "backfill": BACKFILL, "gateways": gateways}), readers


async def _read(login: Mapping[str, Any], counts: dict[str, int]) -> None:
    client = aiomqtt.Client(
        login["host"],
        login["port"],
        username=login["username"],
        password=login["password"],
        identifier=login["client_id_prefix"] + "demo",
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with client:
        await client.subscribe("live/#", qos=1)
        async for _ in client.messages:
            counts["live"] += 1


async def _history(api: httpx.AsyncClient, summary: Summary, granted: _Granted) -> None:
    """Count what each application finds in history, as soon as all of it is there."""
    for application, (key, paths) in granted.items():
        for path in paths:
            end = time.monotonic() + READY_S
            while True:
                answer = await api.get(path, headers={"Authorization": f"Bearer {key}"}, params={"format": "csv"})
                answer.raise_for_status()
                if answer.headers["Mitoyen-Complete"] == "true" or time.monotonic() > end:
                    break
                await asyncio.sleep(0.1)
            rows = len(answer.text.splitlines()) - 1
            summary.applications[application]["history"] += rows
            summary.released += rows


async def _post(api: httpx.AsyncClient, key: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(f"/api/v1/{what}", json=body, headers={"Authorization": f"Bearer {key}"})
    if not answer.is_success:
        raise Unavailable(f"{what}: {answer.status_code} {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found


def _datastream(sensor: Sensor) -> dict[str, Any]:
    longitude, latitude = sensor.location
    body: dict[str, Any] = {
        "id": sensor.id,
        "gateway": sensor.gateway,
        "kind": sensor.kind,
        "observed_property": sensor.observed_property,
        "unit": sensor.unit,
        "theme": sensor.theme,
        "description": sensor.description,
        "location": {"type": "Point", "coordinates": [longitude, latitude]},
        "personal_data": sensor.personal_data,
        "privacy_unit": sensor.privacy_unit,
        "asset_prefixes": list(sensor.asset_prefixes),
    }
    return {name: value for name, value in body.items() if value is not None}
