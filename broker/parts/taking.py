"""How a partition's worker takes in: by itself at the one Mosquitto that there is, or at several by edges, whose journal it follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from broker import control, mosquitto, topics
from broker.ingest import Ingest, IngestSettings
from broker.journal.jetstream import JetStreamJournal
from broker.journal.protocol import Batch, Journal, OnSafe
from broker.mqtt.connection import Account
from broker.reading import Formats
from broker.registry.snapshot import Snapshot
from broker.routes import Routes
from broker.settings.settings import Settings
from broker.suggestions import Suggestion


class Taking(Protocol):
    """What a worker asks of whoever takes in for it."""

    @property
    def connected(self) -> bool: ...

    async def run(self) -> None:
        """Until cancelled."""

    async def follow(self, snapshot: Snapshot, routes: Routes) -> None:
        """Understand what comes by this. Raises Unavailable where Mosquitto does not know of it yet."""

    async def caught_up(self) -> int:
        """Wait until all that was acknowledged before now is journalled; the last batch of it. Raises Unavailable."""

    async def suggested(self, call: control.Suggested) -> list[Suggestion]:
        """What a gateway's devices say that no datastream takes."""


class Here:
    """In this process, at one Mosquitto."""

    def __init__(
        self,
        settings: Settings,
        formats: Formats,
        journal: Journal,
        account: Account,
        folder: Path,
        partition: int,
        *,
        on_batch: Callable[[Batch], None],
        places: Callable[[], dict[str, int]],
    ) -> None:
        """`folder` is that Mosquitto's."""
        self._whole = settings.partitions == 1
        self._account = account
        self._ingest = Ingest(
            journal,
            IngestSettings(settings.batch_records, settings.batch_delay_ms / 1000, settings.ahead_ns),
            formats=formats,
            on_batch=on_batch,
            places=places,
            on_new_session=lambda: mosquitto.keep_sessions(folder),
            mark=None if self._whole else topics.mark(partition),
        )

    @property
    def connected(self) -> bool:
        return self._ingest.connected

    async def run(self) -> None:
        await self._ingest.run(self._account)

    async def follow(self, snapshot: Snapshot, routes: Routes) -> None:
        self._ingest.understanding.routes = routes
        if not self._whole:
            await self._ingest.listen_to({topics.input_of_organisation(g.organisation) for g in snapshot.gateways})

    async def caught_up(self) -> int:
        return await self._ingest.caught_up()

    async def suggested(self, call: control.Suggested) -> list[Suggestion]:
        foreign = self._ingest.understanding.routes.foreign.get((call.organisation, call.gateway))
        return self._ingest.understanding.suggestions.of(
            (call.organisation, call.gateway), foreign.streams if foreign else {}
        )


class AtEdges:
    """In other processes, which write the journal that this one follows."""

    def __init__(
        self, journal: JetStreamJournal, edges: Sequence[control.Control], partition: int, *, on_batches: OnSafe
    ) -> None:
        self._journal = journal
        self._edges = edges
        self._partition = partition
        self._on_batches = on_batches
        self.connected = True

    async def run(self) -> None:
        await self._journal.follow(self._on_batches)

    async def follow(self, snapshot: Snapshot, routes: Routes) -> None:
        """Edges follow the registry by themselves."""

    async def caught_up(self) -> int:
        return max(msgspec.json.decode(one, type=int) for one in await self._ask(control.TakenIn(self._partition)))

    async def suggested(self, call: control.Suggested) -> list[Suggestion]:
        said = [msgspec.json.decode(one, type=list[Suggestion]) for one in await self._ask(call)]
        return [suggestion for of in said for suggestion in of]

    async def _ask(self, call: control.Call) -> list[msgspec.Raw]:
        return await asyncio.gather(*(asyncio.to_thread(edge.call, call) for edge in self._edges))
