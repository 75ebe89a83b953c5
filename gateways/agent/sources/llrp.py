"""An RFID reader that speaks LLRP (GS1's Low Level Reader Protocol 1.0.1), driven by llrpkit: it is told to read, and its reads are taken.

One client a reader at a time, by LLRP. The reader's own clock dates the reads where it is near ours; else their arrival counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

import structlog
from llrpkit.exceptions import LLRPError
from llrpkit.inventory import TagReport
from llrpkit.reader import Reader

from broker.reading import About, TagRead
from gateways import epc
from gateways.agent.sources.source import Taker
from gateways.agent.waits import waits

log = structlog.get_logger()

GATHER_S = 0.25  # how long reads wait for company: a reader sees hundreds a second
CLOCK_S = 60.0  # a reader's clock that is further away than this is wrong
KEEPALIVE_MS = 10_000


class Llrp:
    """Reads with `antennas` (all if empty); of a tag that stays at an antenna one read in `every_s` is taken."""

    def __init__(
        self, name: str, host: str, port: int, *, antennas: Sequence[int], every_s: float, power_dbm: float | None
    ) -> None:
        self._name, self._host, self._port = name, host, port
        self._antennas, self._every_s, self._power_dbm = antennas, every_s, power_dbm
        self._taken: dict[tuple[bytes, int | None], float] = {}
        """When a read of this tag at this antenna was taken last."""

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # a reader that nobody drives reads nothing
        pauses = waits()
        while True:
            try:
                async with Reader(self._host, self._port) as reader:
                    log.info("reader_connected", source=self._name, model=reader.model_number)
                    await reader.set_keepalive(KEEPALIVE_MS)
                    await taker.reads([], [About(self._name, model=f"LLRP reader, model {reader.model_number}")])
                    pauses = waits()
                    await self._read(reader, taker)
            except* (LLRPError, OSError) as errors:
                log.warning("reader_not_connected", source=self._name, reason=str(errors.exceptions[0]))
            await asyncio.sleep(next(pauses))

    async def _read(self, reader: Reader, taker: Taker) -> None:
        reports: list[TagReport] = []
        inventory = reader.inventory(antennas=self._antennas, tx_power_dbm=self._power_dbm)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(inventory, reports), name=f"reads {self._name}")
            while True:
                await asyncio.sleep(GATHER_S)
                gathered, reports[:] = reports[:], []
                if tags := [self._tag(report) for report in self._due(gathered)]:
                    await taker.reads(tags)

    def _due(self, reports: Sequence[TagReport]) -> list[TagReport]:
        """Those of tags that were not taken at that antenna a moment ago."""
        now = time.monotonic()
        self._taken = {seen: when for seen, when in self._taken.items() if when > now - self._every_s}
        due = []
        for report in reports:
            seen = (report.epc, report.antenna)
            if seen not in self._taken:
                due.append(report)
                if self._every_s:
                    self._taken[seen] = now
        return due

    def _tag(self, report: TagReport) -> TagRead:
        now = time.time_ns()
        said = None if report.last_seen_us is None else report.last_seen_us * 1_000
        near = said is not None and abs(said - now) < CLOCK_S * 1e9
        tag = epc.of_bytes(report.epc)
        return TagRead(self._name, tag, said if near else None, antenna=report.antenna, rssi=report.rssi_dbm)


async def _pump(inventory: AsyncGenerator[TagReport, None], reports: list[TagReport]) -> None:
    """A few hundred a second at most: what a reader can see."""
    async with contextlib.aclosing(inventory):
        async for report in inventory:
            reports.append(report)  # noqa: PERF401 - each as it comes, for whoever empties the list
