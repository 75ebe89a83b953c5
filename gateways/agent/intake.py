"""From the sources to the outbox: what is heard within a moment is written in one commit, and each source waits for it.

A source that waits reads no further, so a slow disk slows the sources and nothing piles up in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from broker.errors import Unavailable
from gateways.agent.outbox import Outbox
from gateways.agent.parcel import Parcel

log = structlog.get_logger()

GATHER_S = 0.01  # how long a parcel waits for company: a commit on a memory card takes twice this
RETRY_S = 1.0  # how often a disk that is full is tried again


class Intake:
    """The one writer of new parcels. `something` is set whenever there are some."""

    def __init__(self, outbox: Outbox) -> None:
        self.something = asyncio.Event()
        self.sent = 0
        """Parcels up to this id are on their way to the broker."""
        self._outbox = outbox
        self._parcels: list[Parcel] = []
        self._places: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._written: asyncio.Future[None] | None = None

    async def keep(
        self,
        parcels: Sequence[Parcel],
        places: Mapping[str, str] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Returns when they are on disk, together with how far their source was read and what of it was not kept."""
        self._parcels += parcels
        self._places.update(places or {})
        self._counts.update(counts or {})
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            loop.call_later(GATHER_S, self.write)
        await asyncio.shield(self._written)

    def write(self) -> None:
        """Write now what was gathered; what the disk can't take is tried again."""
        if self._written is None:
            return
        try:
            dropped = self._outbox.put(self._parcels, self._places, self._counts, sent=self.sent)
        except Unavailable as error:
            log.error("outbox_not_written", reason=str(error))
            asyncio.get_running_loop().call_later(RETRY_S, self.write)
            return
        if dropped:
            log.warning("outbox_full", dropped=dropped, dropped_ever=self._outbox.counts["dropped"])
        self._parcels, self._places, self._counts = [], {}, Counter()
        written, self._written = self._written, None
        written.set_result(None)
        self.something.set()
