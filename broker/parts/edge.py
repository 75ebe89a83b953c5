"""The process that takes in at one Mosquitto of several: a session and an ingest for each partition, into its journal.

It serves nobody: what it took in is given out by the partition's worker. So messages are journalled while workers are away, and no
partition waits for the journal of another.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing

import structlog

from broker import control, secrets
from broker.errors import Unavailable
from broker.home import Home
from broker.opening import registry, transport
from broker.part import account, alone, until_told
from broker.parts import journals
from broker.parts.taking import Here
from broker.reading import Formats
from broker.registry.registry import Registry
from broker.registry.snapshot import Snapshot
from broker.routes import compile_routes
from broker.settings.settings import Settings
from broker.transport.protocol import Service

log = structlog.get_logger()

FOLLOW_S = 1.0  # how often it looks whether the registry changed; it is told at once, but for when that fails


def run_edge(settings: Settings, formats: Formats, number: int) -> None:
    """Take in at the Mosquitto with this number; until SIGTERM."""
    home = Home(settings.home)
    with alone(home.edge(number).lock), closing(registry(settings, home)) as known:
        asyncio.run(_run(settings, home, formats, known, number))


async def _run(settings: Settings, home: Home, formats: Formats, known: Registry, number: int) -> None:
    own, login = home.edge(number), secrets.load(home.logins)["mitoyen.ingest"]
    async with AsyncExitStack() as stack:
        takers = []
        for partition in range(settings.partitions):
            journal = await stack.enter_async_context(journals.at_edge(settings, home, number, partition))
            at = account(settings, login, f"-{partition}", edge=number)
            takers.append(
                Here(settings, formats, journal, at, own.mosquitto, partition, on_batch=_given_out, places=dict)
            )
        calls = stack.enter_context(closing(transport(settings, home)))
        edge = _Edge(formats, known, takers)
        await edge.follow()
        served = calls.serve(Service("edge", number), edge.answer)
        await until_told("edge_stopped", *(taker.run() for taker in takers), edge.look(), served)


def _given_out(_batch: object) -> None:
    """By the partition's worker, which follows the journal."""


class _Edge:
    """What all its ingests follow, and what is asked of them."""

    def __init__(self, formats: Formats, known: Registry, takers: list[Here]) -> None:
        self._formats = formats
        self._registry = known
        self._takers = takers
        self._latest = Snapshot(-1)
        self._following = asyncio.Lock()

    async def look(self) -> None:
        """Follow the registry, until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self.follow()
            except Unavailable as error:
                log.warning("registry_not_followed", reason=str(error))

    async def follow(self) -> None:
        """Understand what comes as the registry is now. Raises Unavailable."""
        async with self._following:
            if await asyncio.to_thread(self._registry.revision) == self._latest.revision:
                return
            snapshot = await asyncio.to_thread(self._registry.snapshot)
            for partition, taker in enumerate(self._takers):
                part = snapshot.part(partition)
                await taker.follow(part, compile_routes(part, self._formats.decoders))
            self._latest = snapshot

    async def answer(self, call: control.Call) -> object:
        """Raises Unavailable."""
        match call:
            case control.Changed():
                await self.follow()
                return self._latest.revision
            case control.Ready():
                return all(taker.connected for taker in self._takers)
            case control.TakenIn(partition=partition):
                return await self._takers[partition].caught_up()
            case control.Suggested(organisation=organisation):
                return await self._takers[self._latest.partitions.of(organisation)].suggested(call)
            case _:
                raise Unavailable("that is for whoever serves the partition")
