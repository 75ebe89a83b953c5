"""`mitoyen demo`: a city on a broker of its own, opened to two applications, and what went through at each stage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import httpx

from broker.errors import Unavailable
from broker.home import Home
from broker.settings.settings import Settings
from mitoyen.demo_city import Application, open_city
from mitoyen.supervise import up
from simulators import play

READY_S = 30.0
PROGRESS_S = 10.0  # between two lines about what went through


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


async def demo(settings: Settings, seconds: float | None, recordings: Path, say: Callable[[str], None]) -> Summary:
    """Run until `seconds` are over, or until SIGINT; `say` gets lines for people. Raises Unavailable when it does not come up."""
    stop, summary = asyncio.Event(), Summary()
    say("Starting Mosquitto, the broker, the keeper and the HTTP side.")
    running = asyncio.create_task(up(settings, stop=stop))
    async with httpx.AsyncClient(base_url=f"http://{settings.http}", timeout=30, trust_env=False) as api:
        try:
            await _ready(api, running)
            opened = await open_city(api, Home(settings.home).operator_key.read_text().strip(), recordings, say)
            summary.applications = {one.id: {"live": 0, "history": 0} for one in opened.applications}
            say(f"The city is open at http://{settings.http}/" + ("" if seconds else " (Ctrl-C ends it)"))
            say(f"Try it without a key: curl http://{settings.http}/api/v1/sandbox")
            until = None if seconds is None else time.time() + seconds
            playing = asyncio.create_task(
                play.play(opened.played, until=until, on_progress=_told(summary, say)), name="simulator"
            )
            readers = [
                asyncio.create_task(_read(one, summary.applications[one.id]), name=one.id)
                for one in opened.applications
            ]
            await asyncio.wait({playing, running}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                summary.ingested = playing.result().acknowledged_records
                await _history(api, summary, opened.applications)
            for task in (playing, *readers):
                task.cancel()
        finally:
            stop.set()
            await running
    return summary


def _told(summary: Summary, say: Callable[[str], None]) -> Callable[[play.Played], None]:
    """What the simulator calls twice a second: says now and then how much went through."""
    last = time.monotonic()

    def progress(played: play.Played) -> None:
        nonlocal last
        summary.ingested = played.acknowledged_records
        if time.monotonic() - last >= PROGRESS_S:
            last = time.monotonic()
            heard = ", ".join(f"{name} heard {counts['live']}" for name, counts in summary.applications.items())
            say(f"{played.acknowledged_records} records taken in; {heard}.")

    return progress


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


async def _read(application: Application, counts: dict[str, int]) -> None:
    login = application.mqtt
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


async def _history(api: httpx.AsyncClient, summary: Summary, applications: list[Application]) -> None:
    """Count what each application finds in history, as soon as all of it is there."""
    for application in applications:
        for path in application.histories:
            end = time.monotonic() + READY_S
            headers = {"Authorization": f"Bearer {application.key}"}
            while True:
                answer = await api.get(path, headers=headers, params={"format": "csv"})
                answer.raise_for_status()
                if answer.headers["Mitoyen-Complete"] == "true" or time.monotonic() > end:
                    break
                await asyncio.sleep(0.1)
            rows = len(answer.text.splitlines()) - 1
            summary.applications[application.id]["history"] += rows
            summary.released += rows
