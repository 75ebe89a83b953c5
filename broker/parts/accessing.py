"""The process that says who may, where several serve the partitions."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

from broker.home import Home
from broker.opening import registry, transport
from broker.part import alone, until_told
from broker.parts import remembered
from broker.parts.access import Access
from broker.parts.partitioned import Partitioned
from broker.reading import Formats
from broker.settings.settings import Settings


def run_access(settings: Settings, formats: Formats) -> None:
    """Authorise, and answer for the partitions; until SIGTERM."""
    home = Home(settings.home)
    with alone(home.run / "access.lock"):
        asyncio.run(_run(settings, home, formats))


async def _run(settings: Settings, home: Home, formats: Formats) -> None:
    with closing(registry(settings, home)) as known, closing(transport(settings, home)) as calls:
        snapshot = await asyncio.to_thread(known.snapshot)
        edges = len(settings.mqtt_addresses) if settings.edges else 0
        used = await asyncio.to_thread(remembered.used, settings, home, snapshot, time.time_ns())
        workers = Partitioned(calls, used, snapshot, edges)
        access = Access(settings, home, formats, known, workers, snapshot, calls)
        await until_told("access_stopped", access.run(), workers.run(), access.look())
