"""A process that serves partitions: those that it is to serve now, each from the moment that nobody else does.

It follows the registry by itself, so that what it serves, and by which rules, is never older than FOLLOW_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from contextlib import closing

import structlog

from broker import control
from broker.errors import LeaseLost, Unavailable
from broker.home import Home
from broker.metrics import LEASES_LOST
from broker.opening import registry, transport
from broker.part import alone, until_told
from broker.parts import journals, remembered
from broker.parts.remembered import OfWorker
from broker.parts.worker import Worker
from broker.reading import Formats
from broker.registry.registry import Registry
from broker.registry.snapshot import Snapshot
from broker.settings.settings import Settings
from broker.tables.protocol import Tables
from broker.together import together
from broker.transport.protocol import Service, Transport

log = structlog.get_logger()

FOLLOW_S = 1.0  # how often it looks whether the registry changed; it is told at once, but for when that fails


def run_worker(settings: Settings, formats: Formats, number: int) -> None:
    """Serve the partitions of the worker with this number; until SIGTERM."""
    home = Home(settings.home)
    with (
        alone(home.run / f"worker-{number}.lock"),
        closing(registry(settings, home)) as known,
        closing(transport(settings, home)) as calls,
    ):
        asyncio.run(until_told("worker_stopped", _Serving(settings, home, formats, known, calls, number).run()))


class _Serving:
    """The partitions that this process serves, or waits for."""

    def __init__(
        self, settings: Settings, home: Home, formats: Formats, known: Registry, calls: Transport, number: int
    ) -> None:
        self._settings = settings
        self._home = home
        self._formats = formats
        self._registry = known
        self._calls = calls
        self._edges = [calls.to(Service("edge", edge)) for edge in range(len(settings.mqtt_addresses))]
        self._number = number
        self._latest = Snapshot(-1)
        self._following = asyncio.Lock()
        self._served: dict[int, Worker] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled, or one of them fails."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._follow()
                except (Unavailable, LeaseLost, TimeoutError) as error:  # whoever lost its lease ends by itself
                    log.warning("registry_not_followed", reason=str(error))
                await self._take(group, self._latest.partitions.served_by(self._number, self._settings.worker_count))
                await asyncio.sleep(FOLLOW_S)

    async def _follow(self) -> None:
        """Have all that are served follow the registry as it is now. Raises Unavailable."""
        async with self._following:
            if await asyncio.to_thread(self._registry.revision) != self._latest.revision:
                snapshot = await asyncio.to_thread(self._registry.snapshot)
                done = [worker.follow(snapshot.part(partition)) for partition, worker in self._served.items()]
                for failed in await asyncio.gather(*done, return_exceptions=True):
                    if failed is not None:
                        raise failed  # the others follow; it is tried again
                self._latest = snapshot

    async def _newest(self) -> Snapshot:
        """The registry as it is now: of what changed since it was last looked at, whoever served before may have been told alone."""
        while True:
            try:
                return await asyncio.to_thread(self._registry.snapshot)
            except Unavailable as error:
                log.warning("registry_not_followed", reason=str(error))
                await asyncio.sleep(FOLLOW_S)

    async def _take(self, group: asyncio.TaskGroup, wanted: AbstractSet[int]) -> None:
        if self._latest.revision < 0:  # nothing is known yet
            return
        for partition in self._tasks.keys() - wanted:
            task = self._tasks.pop(partition)
            task.cancel()
            await asyncio.wait([task])
        for partition in wanted - self._tasks.keys():
            self._tasks[partition] = group.create_task(self._serve(partition), name=f"partition {partition}")

    async def _serve(self, partition: int) -> None:
        """Whenever nobody else does."""
        while True:
            try:
                async with remembered.of_worker(self._settings, self._home, partition) as own:
                    await self._serve_with(own, partition)
            except LeaseLost as error:
                LEASES_LOST.labels("worker").inc()
                log.error("lease_lost", role="worker", partition=partition, reason=str(error))

    async def _serve_with(self, own: OfWorker, partition: int) -> None:
        async with journals.opened(self._settings, self._home, partition, own.beside) as journal:
            worker = Worker(
                self._settings, self._home, self._formats, self._registry, journal, own.meter, partition, self._edges
            )
            with closing(worker):
                newest = await self._newest()
                async with self._following:
                    snapshot = max(newest, self._latest, key=lambda one: one.revision).part(partition)
                    await worker.remember_last(snapshot)
                    await worker.follow(snapshot)
                    self._served[partition] = worker
                log.info("partition_served", partition=partition, worker=self._number)
                try:
                    answer = self._answer_of(worker, own.meter)
                    await together(worker.run(), self._calls.serve(Service("worker", partition), answer))
                finally:
                    del self._served[partition]
        log.info("partition_left", partition=partition, worker=self._number)

    def _answer_of(self, worker: Worker, lease: Tables) -> control.Serve:
        async def answer(call: control.Call) -> object:
            lease.check()
            match call:
                case control.Changed():
                    await self._follow()
                    return self._latest.revision
                case (
                    control.Sign()
                    | control.TakenIn()
                    | control.IssueCode()
                    | control.GiveConsent()
                    | control.WithdrawConsent()
                    | control.TellHeld()
                ):
                    raise Unavailable("that is for another process: the one that says who may, or an edge")
                case _:
                    return await worker.answer(call)

        return answer
