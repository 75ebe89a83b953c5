"""Live releases for HTTP: one MQTT connection to each Mosquitto, shared by all streams. Subscribed to what somebody listens to, and no more.

Of several Mosquittos a release is heard at its owner's, where it is always published (`broker/audience.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiomqtt
import structlog

from api import reading
from broker import message, topics
from broker.metrics import STREAM_DROPPED
from broker.mqtt.connection import Account
from broker.partition import spread

log = structlog.get_logger()

WAITING = 1_000  # events that a slow reader may be behind; then it loses the oldest and is told how many
RETRY_S = 1.0  # how often a lost connection is tried again
PATIENCE_S = 10.0  # how long Mosquitto may take to answer


class Observed(NamedTuple):
    """One observation of a live message."""

    cursor: str
    """Its place in history."""
    size: int
    """Bytes of its message."""
    event: bytes
    """The message as a Server-Sent Event that has no name."""


def observed(message: bytes, cursor: str) -> Observed:
    return Observed(cursor, len(message), b"id: %s\ndata: %s\n\n" % (cursor.encode(), message))


@dataclass(slots=True)
class Heard:
    """One live message, the same for all who listen: what has to be read of it is read once."""

    topic: str
    payload: bytes
    retained: bool
    _observations: list[Observed] | None = None

    def observations(self) -> list[Observed]:
        """What it says; not of a picture."""
        if self._observations is None:
            several = message.split(self.payload)
            self._observations = [observed(one, reading.encode_cursor(message.point(one))) for one in several]
        return self._observations


@dataclass(slots=True)
class Listener:
    """One stream's messages. Bounded: a slow reader costs itself alone."""

    topics: frozenset[str]
    events: deque[Heard] = field(default_factory=lambda: deque(maxlen=WAITING))
    missed: int = 0
    something: asyncio.Event = field(default_factory=asyncio.Event)
    _looks: asyncio.TimerHandle | None = None

    async def wait(self, at_most_s: float) -> None:
        """Until something came, or so long. One timer for all that comes meanwhile: another for each costs as much as to send it."""
        if self._looks is None:
            self._looks = asyncio.get_running_loop().call_later(at_most_s, self._look)
        await self.something.wait()

    def _look(self) -> None:
        self._looks = None
        self.something.set()

    def close(self) -> None:
        if self._looks is not None:
            self._looks.cancel()

    def give(self, heard: Heard) -> None:
        if len(self.events) == WAITING:
            self.missed += 1
            STREAM_DROPPED.inc()
        self.events.append(heard)
        self.something.set()

    def take(self) -> tuple[list[Heard], int]:
        """What came, and how many were lost before it."""
        events, missed = list(self.events), self.missed
        self.events.clear()
        self.missed = 0
        self.something.clear()
        return events, missed


class Hub:
    """Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._by_topic: dict[str, set[int]] = {}
        self._known: dict[int, Listener] = {}
        self._wanted: Counter[str] = Counter()
        self._last: dict[str, bytes] = {}
        self._clients: list[aiomqtt.Client | None] = [None]
        self._asked: set[asyncio.Task[object]] = set()

    async def run(self, accounts: Sequence[Account]) -> None:
        """Hold the connections until cancelled."""
        self._clients = [None for _ in accounts]
        await asyncio.gather(*(self._hold(number, account) for number, account in enumerate(accounts)))

    async def _hold(self, number: int, account: Account) -> None:
        while True:
            client = aiomqtt.Client(
                account.host,
                account.port,
                username=account.username,
                password=account.password,
                identifier=account.client_id,
                protocol=aiomqtt.ProtocolVersion.V5,
                timeout=PATIENCE_S,
            )
            try:
                async with client:
                    self._clients[number] = client
                    if wanted := [topic for topic in self._wanted if self._at(topic) == number]:
                        await client.subscribe([(topic, 1) for topic in wanted])
                    async for came in client.messages:
                        assert isinstance(came.payload, bytes)
                        self._give(str(came.topic), came.payload, retained=came.retain)
            except aiomqtt.MqttError as error:
                log.warning("hub_not_connected", reason=str(error))
            finally:
                self._clients[number] = None
            await asyncio.sleep(RETRY_S)

    @asynccontextmanager
    async def listening(self, wanted: Collection[str]) -> AsyncIterator[Listener]:
        """A listener on these topics, or filters of a last level. It begins with the retained value of each."""
        listener = Listener(frozenset(wanted))
        self._known[id(listener)] = listener
        new = [topic for topic in listener.topics if not self._wanted[topic]]
        self._wanted.update(listener.topics)
        for topic in listener.topics:
            self._by_topic.setdefault(topic, set()).add(id(listener))
            for last in self._known_of(topic):
                listener.give(Heard(last, self._last[last], retained=True))
        try:
            for client, its in self._connected(new):
                await self._ask(client.subscribe([(topic, 1) for topic in its]))
            yield listener
        finally:
            listener.close()
            await self._forget(listener)

    def _known_of(self, topic: str) -> list[str]:
        """The topics under this one or this filter whose last value is known."""
        if not topic.endswith(f"/{topics.ANY}"):
            return [topic] if topic in self._last else []
        return [last for last in self._last if topics.siblings(last) == topic]

    def _give(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if not payload:  # what was retained is taken back
            self._last.pop(topic, None)
            return
        self._last[topic] = payload
        heard = Heard(topic, payload, retained)
        for known in self._by_topic.get(topic, set()) | self._by_topic.get(topics.siblings(topic), set()):
            self._known[known].give(heard)

    async def _forget(self, listener: Listener) -> None:
        del self._known[id(listener)]
        self._wanted.subtract(listener.topics)
        gone = [topic for topic in listener.topics if not self._wanted[topic]]
        for topic in listener.topics:
            self._by_topic[topic].discard(id(listener))
        for topic in gone:
            del self._wanted[topic], self._by_topic[topic]
            for last in self._known_of(topic):
                del self._last[last]
        for client, its in self._connected(gone):
            await self._ask(client.unsubscribe(its))

    def _at(self, topic: str) -> int:
        """The Mosquitto where `live/{organisation}/…` is heard."""
        return spread(topic.split("/")[1], len(self._clients))

    def _connected(self, asked: Iterable[str]) -> list[tuple[aiomqtt.Client, list[str]]]:
        """Whom to ask for each of these topics, where there is a connection."""
        by_number: dict[int, list[str]] = {}
        for topic in asked:
            by_number.setdefault(self._at(topic), []).append(topic)
        return [(client, its) for number, its in by_number.items() if (client := self._clients[number]) is not None]

    async def _ask(self, what: Coroutine[Any, Any, object]) -> None:
        """Wait for Mosquitto's answer; whoever hangs up meanwhile does not take the question back.

        What a lost connection leaves unanswered is settled by the next one, which subscribes to all that is wanted.
        """
        asked = asyncio.create_task(what)
        self._asked.add(asked)
        asked.add_done_callback(self._answered)
        with suppress(aiomqtt.MqttError):
            await asyncio.shield(asked)

    def _answered(self, asked: asyncio.Task[object]) -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()
