"""The gateway's process, put together: sources, intake, outbox and the link to the broker."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import structlog

from gateways.agent.configuration import Configuration, FileSource, login
from gateways.agent.intake import Intake
from gateways.agent.link import Link
from gateways.agent.outbox import Outbox
from gateways.agent.parcel import Parcel, parcels
from gateways.agent.sources.file import File
from gateways.agent.sources.source import Heard, Source
from gateways.agent.wire import stamped

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of what was heard, in records, since the outbox was made."""

    kept: int = 0
    stored: int = 0
    rejected: int = 0
    """By the broker: its owner finds them in the gateway's rejections."""
    dropped: int = 0
    """For want of room."""
    unreadable: int = 0
    """Messages."""
    pending: int = 0


async def run(configuration: Configuration) -> Summary:
    """Carry what the sources hear to the broker, until SIGTERM, or until all sources have ended and all is delivered.

    Raises Malformed for a login that can't be read, and Unavailable when the outbox can't be used.
    """
    login_ = login(configuration.broker)
    kept = configuration.outbox
    with closing(Outbox(kept.path, limit_bytes=kept.limit_mb << 20, keep=kept.keep)) as outbox:
        intake = Intake(outbox)
        work = asyncio.create_task(_work(configuration, outbox, intake, Link(login_, outbox, intake)))
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            log.info("gateway_stopped", pending=outbox.pending)
        intake.write()
        return Summary(**outbox.counts, pending=outbox.pending)


async def _work(configuration: Configuration, outbox: Outbox, intake: Intake, link: Link) -> None:
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(link.run(), name="link")
        async with asyncio.TaskGroup() as sources:
            for source in configuration.sources:
                places = {source.name: place} if (place := outbox.place(source.name)) else {}
                keeping = Keeping(intake, source.name, source.datastream)
                sources.create_task(_source(source).run(keeping, places), name=f"source {source.name}")
        await link.emptied()
        sending.cancel()


def _source(source: FileSource) -> Source:
    return File(source.name, source.path, follow=source.follow)


class Keeping:
    """One source's messages, understood and kept."""

    def __init__(self, intake: Intake, name: str, datastream: str) -> None:
        self._intake, self._name, self._datastream = intake, name, datastream

    async def __call__(self, heard: Sequence[Heard], places: Mapping[str, str] | None = None) -> None:
        records: list[bytes] = []
        counts: Counter[str] = Counter()
        for one in heard:
            read = stamped(one.payload, one.arrived)
            records += read.records
            if read.unreadable is not None:
                counts["unreadable"] += 1
                log.warning("message_unreadable", source=self._name, topic=one.topic, reason=read.unreadable)
        made: list[Parcel]
        made, too_large = parcels(self._datastream, records)
        counts["unreadable"] += too_large
        await self._intake.keep(made, places, counts)
