"""One source's taker: what it hears is understood, and kept in the outbox before the source goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from broker.reading import About, Answer, TagRead, Understood
from broker.smoothing import Smoothing
from gateways import relayed
from gateways.agent.edge import Edge
from gateways.agent.intake import Intake
from gateways.agent.link import Link
from gateways.agent.parcel import parcels
from gateways.agent.sources.source import Heard
from gateways.agent.there import places_of
from gateways.agent.understanding import Item, Read, Understanding, own_record, relayed_records

log = structlog.get_logger()

CONCLUDE_S = 1.0  # how often it is looked which tags are gone


class Taking:
    """`datastream`: the one that all of it is of; None where the broker is to find out by device and property."""

    def __init__(
        self,
        name: str,
        understanding: Understanding,
        intake: Intake,
        link: Link,
        *,
        datastream: str | None,
        edge: Edge | None = None,
        smoothing: Smoothing | None = None,
    ) -> None:
        self._name, self._understanding, self._datastream, self._edge = name, understanding, datastream, edge
        self._smoothing = smoothing
        self._intake, self._link = intake, link

    async def messages(
        self, heard: Sequence[Heard], places: Mapping[str, str] | None = None, *, missed: int = 0
    ) -> Sequence[Answer]:
        understand = self._understanding.message
        read = [understand(one.topic, one.payload, one.arrived, retained=one.retained) for one in heard]
        for one, of in zip(read, heard, strict=True):
            for reason in one.refused:
                log.warning("record_unreadable", source=self._name, topic=of.topic, reason=reason)
        await self._keep(read, places or {}, missed)
        return [answer for one in read for answer in one.answers]

    async def reads(self, tags: Sequence[TagRead], about: Sequence[About] = ()) -> None:
        await self._keep([self._understanding.understood(Understood(tags, about), time.time_ns())], {}, 0)

    async def conclude(self) -> None:
        """Tell which tags are gone, until cancelled."""
        assert self._smoothing is not None
        while True:
            await asyncio.sleep(CONCLUDE_S)
            if gone := self._smoothing.left(time.time_ns()):
                await self._keep([Read([*gone], [])], {}, 0)

    async def frame(self, jpeg: bytes) -> None:
        assert self._datastream is not None
        if not await self._link.frame(self._datastream, jpeg):
            await self._intake.keep([], counts={"missed": 1})

    async def _keep(self, read: Sequence[Read], places: Mapping[str, str], missed: int) -> None:
        withheld = smoothed = 0
        if self._smoothing is not None:
            smoothed = sum(isinstance(item, TagRead) and item.biz_step is None for one in read for item in one.items)
            read = [one._replace(items=self._smoothed(one.items, self._smoothing)) for one in read]
            places = {**places, **places_of(self._name, self._smoothing.changes())}
        if self._edge is not None:
            now, before = time.time_ns(), sum(len(one.items) for one in read)
            read = [one._replace(items=self._edge.passed(one.items, now)) for one in read]
            withheld = before - sum(len(one.items) for one in read)
        records = [record for one in read for record in self._records(one)]
        made, too_large = parcels(self._datastream or relayed.TOPIC, records)
        counts = Counter(
            unreadable=sum(len(one.refused) for one in read) + too_large,
            undated=sum(one.undated for one in read),
            missed=missed,
            withheld=withheld,
            smoothed=smoothed,
        )
        await self._intake.keep(made, places, counts)

    @staticmethod
    def _smoothed(items: Sequence[Item], smoothing: Smoothing) -> list[Item]:
        """The events of tags in place of their reads, and all else as it is."""
        reads = [item for item in items if isinstance(item, TagRead)]
        return [item for item in items if not isinstance(item, TagRead)] + smoothing.see(reads, time.time_ns())

    def _records(self, read: Read) -> list[bytes]:
        if self._datastream is None:
            return relayed_records(read)
        return [own_record(item) for item in read.items]
