"""The gateway's process, put together: sources, intake, outbox and the link to the broker."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields

import structlog

from broker import times
from broker.privacy.keys import PseudonymKeys
from broker.smoothing import Smoothing
from gateways.agent import configuration as conf
from gateways.agent.edge import Edge
from gateways.agent.intake import Intake
from gateways.agent.link import Link, Login
from gateways.agent.outbox import Outbox
from gateways.agent.sources.make import make
from gateways.agent.sources.source import Source
from gateways.agent.taking import Taking
from gateways.agent.there import there
from gateways.agent.understanding import Understanding

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of what was heard, in records, since the outbox was made."""

    kept: int = 0
    stored: int = 0
    rejected: int = 0
    """By the broker: its owner finds them in the gateway's rejections."""
    dropped: int = 0
    """For want of room in the outbox."""
    unreadable: int = 0
    """Not as their format says."""
    undated: int = 0
    """Retained before we listened, without a time."""
    missed: int = 0
    """Messages that came faster than the disk takes them, from a source that holds nothing."""
    withheld: int = 0
    """By privacy at the edge: too late to be given a name."""
    smoothed: int = 0
    """Tag reads that are told by the events of their tags."""
    pending: int = 0


async def run(configuration: conf.Configuration) -> Summary:
    """Carry what the sources hear to the broker, until SIGTERM, or until all sources have ended and all is delivered.

    Raises Malformed for a login or a password that can't be read, and Unavailable when the outbox can't be used.
    """
    login = conf.login(configuration.broker)
    kept = configuration.outbox
    with closing(Outbox(kept.path, limit_bytes=kept.limit_mb << 20, keep=kept.keep)) as outbox:
        intake = Intake(outbox)
        link = Link(login, outbox, intake)
        work = asyncio.create_task(_work(configuration, login, outbox, intake, link), name="gateway")
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            log.info("gateway_stopped", pending=outbox.pending)
        intake.write()
        told = {field.name: outbox.counts.get(field.name, 0) for field in fields(Summary)}
        return Summary(**{**told, "pending": outbox.pending})


async def _work(configuration: conf.Configuration, login: Login, outbox: Outbox, intake: Intake, link: Link) -> None:
    made = [(source, make(source, login)) for source in configuration.sources]
    beside = configuration.outbox.path.with_name
    keys = PseudonymKeys(beside("pseudonyms.sealed"), beside("pseudonyms.key"))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(link.run(), name="link")
        async with asyncio.TaskGroup() as sources:
            for source, adapter in made:
                format_ = source.reader() if isinstance(source, conf.InFormat) else None
                edge = Edge(source.name, source.edge, keys) if source.edge is not None else None
                understanding = Understanding(format_)
                places = outbox.places(source.name)
                smoothing = (
                    Smoothing(times.parse_duration(source.smooth), there(source.name, places, time.time_ns()))
                    if source.smooth
                    else None
                )
                taking = Taking(
                    source.name,
                    understanding,
                    intake,
                    link,
                    datastream=source.datastream,
                    edge=edge,
                    smoothing=smoothing,
                )
                sources.create_task(
                    _hear(adapter, taking, places, concluding=smoothing is not None), name=f"source {source.name}"
                )
        await link.emptied()
        sending.cancel()


async def _hear(adapter: Source, taking: Taking, places: Mapping[str, str], *, concluding: bool) -> None:
    """Run a source, and tell what its silence says, until it has ended."""
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(taking.conclude(), name="conclude")] if concluding else []
        await adapter.run(taking, places)
        for task in beside:
            task.cancel()
