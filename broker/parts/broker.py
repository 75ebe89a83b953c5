"""The process that takes in, gives out and says who may: all of it but the keeper, where there is one partition."""

from __future__ import annotations

import asyncio

from broker.home import Home
from broker.opening import registry, transport
from broker.part import alone, until_told
from broker.parts import journals
from broker.parts.access import Access
from broker.parts.worker import Worker
from broker.reading import Formats
from broker.settings.settings import Settings
from broker.tables.sqlite import SqliteTables


def run_broker(settings: Settings, formats: Formats) -> None:
    """Take in, publish, authorise; until SIGTERM."""
    home = Home(settings.home)
    with alone(home.run / "broker.lock"):
        asyncio.run(_run(settings, home, formats))


async def _run(settings: Settings, home: Home, formats: Formats) -> None:
    meter = SqliteTables(home.partition(0, 1).meter)
    async with journals.opened(settings, home) as journal:
        known = registry(settings, home)
        calls = transport(settings, home)
        worker = Worker(settings, home, formats, known, journal, meter)
        try:
            snapshot = await asyncio.to_thread(known.snapshot)
            await worker.remember_last(snapshot)
            await worker.follow(snapshot)
            access = Access(settings, home, formats, known, worker, snapshot, calls)
            await until_told("broker_stopped", access.run(), worker.run())
        finally:
            worker.close()
            meter.close()
            known.close()
            calls.close()
