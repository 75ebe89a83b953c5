"""One source's taker: what it hears is understood, and kept in the outbox before the source goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from broker.reading import About, Answer, TagRead, Understood
from gateways import relayed
from gateways.agent.intake import Intake
from gateways.agent.link import Link
from gateways.agent.parcel import parcels
from gateways.agent.sources.source import Heard
from gateways.agent.stage import Stage
from gateways.agent.understanding import Item, Read, Understanding, own_record, relayed_records

log = structlog.get_logger()

Cover: TypeAlias = Callable[[bytes], Awaitable[bytes | None]]


class Taking:
    """`datastream`: the one that all of it is of; None where the broker is to find out by device and property. `stages`: what is done to
    records before they leave; `cover`: to pictures, None of one that may not leave.
    """

    def __init__(
        self,
        name: str,
        understanding: Understanding,
        intake: Intake,
        link: Link,
        *,
        datastream: str | None,
        stages: Sequence[Stage] = (),
        cover: Cover | None = None,
    ) -> None:
        self._name, self._understanding, self._datastream = name, understanding, datastream
        self._stages, self._cover = stages, cover
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

    async def frame(self, jpeg: bytes) -> None:
        assert self._datastream is not None
        shown = jpeg if self._cover is None else await self._cover(jpeg)
        if shown is None:
            await self._intake.keep([], counts={"withheld": 1})
        elif not await self._link.frame(self._datastream, shown):
            await self._intake.keep([], counts={"missed": 1})

    async def conclude(self, *, ended: bool = False) -> None:
        """Keep what is told because time passed: who is gone, which window is over."""
        now = time.time_ns()
        told: list[Item] = []
        for stage in self._stages:
            told = stage.passed(told, now) + stage.due(now, ended=ended)
        await self._put([Read(told, [])], {}, Counter())

    async def _keep(self, read: Sequence[Read], places: Mapping[str, str], missed: int) -> None:
        now = time.time_ns()
        for stage in self._stages:
            read = [one._replace(items=stage.passed(one.items, now)) for one in read]
        unreadable, undated = sum(len(one.refused) for one in read), sum(one.undated for one in read)
        await self._put(read, places, Counter(unreadable=unreadable, undated=undated, missed=missed))

    async def _put(self, read: Sequence[Read], places: Mapping[str, str], counts: Counter[str]) -> None:
        """Into the outbox, with what the stages are to remember, in one commit."""
        records = [record for one in read for record in self._records(one)]
        made, too_large = parcels(self._datastream or relayed.TOPIC, records)
        counts["unreadable"] += too_large
        for stage in self._stages:
            counts += stage.counts()
            places = {**places, **stage.places()}
        if made or places or counts.total():
            await self._intake.keep(made, places, counts)

    def _records(self, read: Read) -> list[bytes]:
        if self._datastream is None:
            return relayed_records(read)
        return [own_record(item) for item in read.items]
