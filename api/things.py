"""SensorThings over MQTT (18-088, 14.2): what is released of open offers, published as GET gives it.

Only what anyone may read: one topic for everybody can't keep agreements apart. The decision is made right before a message leaves, at QoS 0 and with a
second to live, so that nothing of an offer that closed waits in a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from api.hub import Hub
from api.sensorthings import options, released, render
from api.sensorthings.entities import Entity
from api.sensorthings.numbered import Numbers
from api.sensorthings.question import Page
from api.services import Services
from broker import message, topics
from broker.errors import StoreUnavailable, Unavailable
from broker.metrics import PUBLISHED
from broker.model import Offer
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account, Connection

log = structlog.get_logger()

RETRY_S = 1.0  # how often a lost connection is tried again
LOOK_S = 0.5  # how often it is looked up which offers are open
LIVES_S = 1  # how long a message may wait for a reader that is slow
_EVERY = codec.heading(topics.OBSERVATIONS)
_JPEG = b"\xff\xd8"  # how every JPEG begins, and no JSON


@dataclass(frozen=True, slots=True)
class Things:
    """What is published, and from where. `root`: the service's address without a slash at its end."""

    services: Services
    hub: Hub
    ids: Numbers
    root: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """An open offer as entities."""

    offer: Offer
    properties: bytes
    by_topic: dict[str, list[Entity]]
    """The Datastreams whose observations come on a topic; by cell all of the offer."""
    headings: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, offer: Offer) -> _Shown:
        terms = ("licence", offer.terms.licence), ("attribution", offer.terms.attribution)
        properties = codec.user_properties((*terms, ("profile", offer.profile.name)), expires_s=LIVES_S)
        made = cls(offer, properties, {})
        datastreams = released.graph((release, offer) for release in offer.releases)["Datastreams"]
        for release in offer.releases:
            if release.datastream.kind != "camera":
                made.by_topic.setdefault(offer.topic(release), []).append(datastreams[release.number])
                made.headings[release.number] = codec.heading(topics.observations(release.number))
        return made


async def run(things: Things, accounts: Sequence[Account]) -> None:
    """Publish at each Mosquitto, since any application may read it, until cancelled."""
    await asyncio.gather(*(_run(things, account) for account in accounts))


async def _run(things: Things, account: Account) -> None:
    """At one, connecting again whenever the connection is lost."""
    while True:
        try:
            async with connection.connect(account, lambda _: None) as out:
                await _follow(things, out)
        except* (Unavailable, StoreUnavailable, TimeoutError) as errors:
            log.warning("things_not_connected", reason=str(errors.exceptions[0]))
        await asyncio.sleep(RETRY_S)


async def _follow(things: Things, out: Connection) -> None:
    """Keep one listener for each offer that is open."""
    listening: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        while not out.lost.done():
            for name, offer in (await asyncio.to_thread(things.services.open_to_anyone)).items():
                if name not in listening or listening[name].done():
                    listening[name] = tasks.create_task(_publish(things, out, offer), name=f"things of {name}")
            await asyncio.wait([out.lost], timeout=LOOK_S)
        for task in listening.values():
            task.cancel()


async def _publish(things: Things, out: Connection, offer: Offer) -> None:
    """Publish what is heard of an offer, as long as it is open."""
    shown: _Shown | None = _Shown.of(offer)
    async with things.hub.listening(_Shown.of(offer).by_topic) as listener:
        while shown is not None:
            await listener.something.wait()
            events, _ = listener.take()
            shown = await asyncio.to_thread(_still, things, shown)
            if shown is not None:
                new = [(one.topic, one.payload) for one in events if not one.retained]
                packets = await asyncio.to_thread(_packets, things, shown, new)
                await out.tell(packets)
                PUBLISHED.inc(len(packets))


def _still(things: Things, shown: _Shown) -> _Shown | None:
    """The offer as it is now; None if it is no longer open."""
    now = things.services.still_open(shown.offer.id)
    if now is None:
        return None
    return shown if now == shown.offer else _Shown.of(now)


def _packets(things: Things, shown: _Shown, heard: list[tuple[str, bytes]]) -> list[tuple[bytes, bytes, bytes]]:
    with things.ids.together():
        return [
            (heading, shown.properties, payload)
            for topic, text in heard
            if not text.startswith(_JPEG)
            for number, payload in _written(things, shown, topic, text)
            for heading in (shown.headings[number], _EVERY)
        ]


def _written(things: Things, shown: _Shown, topic: str, text: bytes) -> Iterator[tuple[int, bytes]]:
    """The observations of a live message, each with its Datastream's id and as GET gives it."""
    writer = render.Writer(things.root, lambda *_: Page([]))
    points = [message.point(one) for one in message.split(text)]
    for datastream in shown.by_topic.get(topic) or shown.by_topic.get(topics.siblings(topic)) or ():
        for one in released.observations(things.ids, datastream, points):
            yield datastream.id, msgspec.json.encode(writer.entity(one, options.NONE))
