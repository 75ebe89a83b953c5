"""The gateway's process, put together: sources, intake, outbox and the link to the broker."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial

import structlog

from broker import times
from broker.privacy.keys import PseudonymKeys
from broker.privacy.profile import Aggregate, Blur, Pseudonymise
from gateways.agent import configuration as conf
from gateways.agent.covering import Covering
from gateways.agent.edge import Edge
from gateways.agent.intake import Intake
from gateways.agent.link import Link, Login
from gateways.agent.outbox import Outbox
from gateways.agent.sources.make import make
from gateways.agent.sources.source import Source
from gateways.agent.stage import Stage
from gateways.agent.taking import Cover, Taking
from gateways.agent.there import There
from gateways.agent.understanding import Understanding
from gateways.agent.windows import Windows

log = structlog.get_logger()

CONCLUDE_S = 1.0  # how often it is looked which tags are gone, and which windows are over


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
    """By privacy at the edge: too late, too few, or a picture that could not be covered."""
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
    async with asyncio.TaskGroup() as group, Covering(configuration.vision()) as covering:
        sending = group.create_task(link.run(), name="link")
        async with asyncio.TaskGroup() as sources:
            for source, adapter in made:
                places = outbox.places(source.name)
                stages = _stages(source, places, keys)
                taking = Taking(
                    source.name,
                    Understanding(source.reader() if isinstance(source, conf.InFormat) else None),
                    intake,
                    link,
                    datastream=source.datastream,
                    stages=stages,
                    cover=_cover(source, covering),
                )
                hearing = _hear(source.name, adapter, taking, places, concluding=bool(stages))
                sources.create_task(hearing, name=f"source {source.name}")
        await link.emptied()
        sending.cancel()


def _stages(source: conf.AnySource, places: Mapping[str, str], keys: PseudonymKeys) -> list[Stage]:
    """What is done to a source's records, in this order: events are made of reads under their own names."""
    stages: list[Stage] = []
    if source.smooth is not None:
        stages.append(There(source.name, times.parse_duration(source.smooth), places, time.time_ns()))
    match source.edge:
        case Pseudonymise():
            stages.append(Edge(source.name, source.edge, keys))
        case Aggregate():
            stages.append(Windows(source.name, source.edge, places))
    return stages


def _cover(source: conf.AnySource, covering: Covering) -> Cover | None:
    if not isinstance(source.edge, Blur):
        return None
    return partial(covering.covered, source.name, source.edge)


async def _hear(name: str, adapter: Source, taking: Taking, places: Mapping[str, str], *, concluding: bool) -> None:
    """Run a source until it has ended, and tell what its silence says."""
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(_conclude(taking), name="conclude")] if concluding else []
        await adapter.run(taking, places)
        for task in beside:
            task.cancel()
    await taking.conclude(ended=True)
    log.info("source_ended", source=name)


async def _conclude(taking: Taking) -> None:
    while True:
        await asyncio.sleep(CONCLUDE_S)
        await taking.conclude()
