"""Plays a simulation: one MQTT connection a gateway, QoS 1, for as long as it is wanted.

The only simulator with sockets, a clock and tasks. A gateway that loses its connection comes back and sends
what has become due since, as hardware with a memory does; what was not acknowledged is sent again, which the
broker takes as the same. Work is by gateway and tick, never by sensor, so that thousands of sensors cost few
tasks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from broker.errors import MitoyenError, Refused
from broker.times import SECOND
from simulators.feed import Clock, Feed, Message
from simulators.feeds import Tell, feeds
from simulators.servers import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aiomqtt.types import PahoSocket
    from paho.mqtt.client import Client as PahoClient
    from paho.mqtt.properties import Properties

    from simulators.simulation import Gateway, Simulation

_LOG = logging.getLogger(__name__)

_TICK_S = 0.25  # a reading leaves at most this late; shorter ticks only make packs smaller
_WINDOW = 16  # messages in flight: Mosquitto takes 20 from one client before it makes it wait
_ANSWER_S = 10.0  # a broker that takes longer for one message is taken to be gone
_PROGRESS_S = 0.5  # an eye reads no faster
_BACKOFF_S = (0.1, 5.0)  # first and longest wait; a broker restarts within seconds
_WRONG_CREDENTIALS = (0x84, 0x85, 0x86, 0x87, 0x8A)
"""MQTT 5, 3.2.2.2: version, client id, password, rights, banned."""
_LAST_WORDS_S = 10.0  # after the end, for what was due before it, unless the caller has more patience


@dataclass(frozen=True, slots=True)
class Tally:
    """What one gateway has sent so far."""

    connected: bool = False
    reconnections: int = 0
    sent_messages: int = 0
    """Repetitions count."""
    sent_records: int = 0
    acknowledged_messages: int = 0
    acknowledged_records: int = 0
    refused_messages: int = 0
    """Of those acknowledged: the broker's answer was that this gateway may not publish there."""
    pending_messages: int = 0
    """Due but not acknowledged yet."""
    simulated_ns: int = 0
    """The city's time up to which everything was handed to the connection."""
    begun_ns: int = 0
    """The city's time from which on it was."""
    lag_s: float = 0.0
    """How long ago, in real time, everything that was due by then had been acknowledged."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """What the broker has to do with the records handed to the connection; empty if no faults are wanted."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """The records that each fault was done to."""


@dataclass(frozen=True, slots=True)
class Played:
    """How far a simulation has come. Keys are `organisation/gateway`."""

    gateways: Mapping[str, Tally]

    @property
    def sent_messages(self) -> int:
        return sum(tally.sent_messages for tally in self.gateways.values())

    @property
    def sent_records(self) -> int:
        return sum(tally.sent_records for tally in self.gateways.values())

    @property
    def acknowledged_messages(self) -> int:
        return sum(tally.acknowledged_messages for tally in self.gateways.values())

    @property
    def acknowledged_records(self) -> int:
        return sum(tally.acknowledged_records for tally in self.gateways.values())

    @property
    def refused_messages(self) -> int:
        return sum(tally.refused_messages for tally in self.gateways.values())

    @property
    def lag_s(self) -> float:
        return max((tally.lag_s for tally in self.gateways.values()), default=0.0)

    @property
    def simulated_ns(self) -> int:
        """The city's time, of the gateway that is furthest behind."""
        return min((tally.simulated_ns for tally in self.gateways.values()), default=0)

    @property
    def verdicts(self) -> dict[str, int]:
        return _added(tally.verdicts for tally in self.gateways.values())

    @property
    def faults(self) -> dict[str, int]:
        return _added(tally.faults for tally in self.gateways.values())

    @property
    def summary(self) -> dict[str, object]:
        """What it came to, in records; what should have become of them is told if faults were wanted."""
        told: dict[str, object] = {"sent": self.sent_records, "acknowledged": self.acknowledged_records}
        return {**told, "verdicts": self.verdicts, "faults": self.faults} if self.verdicts else told


Progress: TypeAlias = "Callable[[Played], None]"
_E = TypeVar("_E", bound=BaseException)


async def play(
    simulation: Simulation,
    *,
    until: float | None = None,
    last_words_s: float = _LAST_WORDS_S,
    on_progress: Progress | None = None,
    tell: Tell | None = None,
) -> Played:
    """Plays until the real time `until` (seconds since 1970, as `time.time()`) or until all is sent.

    `on_progress` is called twice a second and at the end; `tell` hears what was really the case. What was due at the end is still sent, for
    `last_words_s` at most; what then lacks an acknowledgement is in `pending_messages`. Raises Refused when the
    broker does not accept a gateway's credentials at its first connection, and Malformed when a recording
    turns out to be broken or the simulation cannot be played. Cancelling it disconnects every gateway.
    """
    clock = _clock(simulation)
    playing = feeds(simulation, clock, tell)
    last_words_ns = int(last_words_s * SECOND)
    lines = {name: _Line(gateway, feed, clock, last_words_ns) for name, (gateway, feed) in playing.items()}
    listening = servers(simulation, clock, tell)
    until_ns = None if until is None else int(until * SECOND)
    broken: MitoyenError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(_report(lines, on_progress), name="simulation progress")]
            beside += [group.create_task(server.run(), name=type(server).__name__) for server in listening]
            async with asyncio.TaskGroup() as gateways:
                for name, line in lines.items():
                    gateways.create_task(line.run(until_ns), name=f"simulated gateway {name}")
            if listening:
                await _until(until_ns)
            for task in beside:
                task.cancel()
    except* MitoyenError as errors:
        broken = _leaf(errors)
    if broken is not None:
        raise broken
    if on_progress:
        on_progress(_played(lines))
    return _played(lines)


class _Line:
    """One gateway's connection, kept up."""

    def __init__(self, gateway: Gateway, feed: Feed, clock: Clock, last_words_ns: int) -> None:
        self._gateway = gateway
        self._password = gateway.mqtt.secret()
        self._feed = feed
        self._clock = clock
        self._last_words_ns = last_words_ns
        self._todo: deque[Message] = deque()
        self._flying: dict[int, Message] = {}
        """Sent and not acknowledged, in the order of sending."""
        self._connected = False
        self._connections = 0
        self._sent_messages = self._sent_records = 0
        self._acknowledged_messages = self._acknowledged_records = 0
        self._refused_messages = 0
        self._until_ns: int | None = None
        self._kept_ns = clock.origin_ns
        """The city's time up to which everything was acknowledged."""

    @property
    def tally(self) -> Tally:
        return Tally(
            connected=self._connected,
            reconnections=max(self._connections - 1, 0),
            sent_messages=self._sent_messages,
            sent_records=self._sent_records,
            acknowledged_messages=self._acknowledged_messages,
            acknowledged_records=self._acknowledged_records,
            refused_messages=self._refused_messages,
            pending_messages=len(self._todo) + len(self._flying),
            simulated_ns=self._feed.position_ns,
            begun_ns=self._feed.begun_ns,
            lag_s=self._lag_s,
            verdicts=dict(self._feed.verdicts),
            faults=dict(self._feed.faults),
        )

    @property
    def _lag_s(self) -> float:
        now_ns = time.time_ns() if self._until_ns is None else min(time.time_ns(), self._until_ns)
        return max(self._clock.simulated(now_ns) - self._kept_ns, 0) / SECOND / self._clock.speed

    async def run(self, until_ns: int | None) -> None:
        """Connects, sends, and connects again, until all is sent. Raises Refused and Malformed, grouped."""
        self._until_ns = until_ns
        waits, reached = _waits(), 0
        while True:
            lost: aiomqtt.MqttError | None = None
            try:
                await self._session(until_ns)
            except* aiomqtt.MqttError as errors:
                lost = _leaf(errors)
            if lost is None or self._over(until_ns):
                return
            self._explain(lost)
            if self._acknowledged_messages > reached:  # it worked: short waits again
                waits, reached = _waits(), self._acknowledged_messages
            await asyncio.sleep(next(waits))

    async def _session(self, until_ns: int | None) -> None:
        async with self._connection() as connection:
            self._connected = True
            self._connections += 1
            self._feed.greet()
            if self._feed.commands:
                await connection.subscribe(self._feed.commands, qos=1)
            try:
                async with asyncio.TaskGroup() as group:
                    watcher = group.create_task(self._watch(connection), name=f"watch {self._gateway.prefix}")
                    await self._send_until(connection, until_ns)
                    watcher.cancel()
            finally:
                self._connected = False
                self._todo.extendleft(reversed(self._flying.values()))
                self._flying.clear()

    def _connection(self) -> _Connection:
        mqtt = self._gateway.mqtt
        connection = _Connection(
            mqtt.host,
            mqtt.port,
            username=mqtt.username,
            password=self._password,
            identifier=f"{mqtt.client_id_prefix}-{self._gateway.organisation}-{self._gateway.id}",
            protocol=aiomqtt.ProtocolVersion.V5,  # only its acknowledgements tell of a refusal
            timeout=_ANSWER_S,
        )
        connection.pending_calls_threshold = _WINDOW
        return connection

    async def _send_until(self, connection: _Connection, until_ns: int | None) -> None:
        while True:
            now_ns = time.time_ns() if until_ns is None else min(time.time_ns(), until_ns)
            simulated_ns = self._clock.simulated(now_ns)
            if not self._todo:
                self._todo.extend(self._feed.due(simulated_ns, now_ns))
            await self._send(connection)
            self._kept_ns = self._feed.position_ns
            if self._feed.behind(simulated_ns, now_ns) and not self._over(until_ns):
                continue
            if self._feed.ended or now_ns == until_ns:
                return
            await asyncio.sleep(_TICK_S if until_ns is None else min(_TICK_S, (until_ns - now_ns) / SECOND))

    async def _send(self, connection: _Connection) -> None:
        """Sends all that is due, in order, a window at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_WINDOW, len(self._todo))):
                group.create_task(self._publish(connection), name=f"publish {self._gateway.prefix}")
        await asyncio.sleep(0)  # lets the other gateways in when nothing was due

    async def _publish(self, connection: _Connection) -> None:
        while self._todo:
            message = self._todo.popleft()
            self._sent_messages += 1
            self._sent_records += message.records
            turn = self._sent_messages
            self._flying[turn] = message
            await connection.publish(message.topic, message.payload, qos=message.qos)
            del self._flying[turn]
            self._acknowledged_messages += 1
            self._acknowledged_records += message.records
            self._note_refusals(connection)

    async def _watch(self, connection: _Connection) -> None:
        """Raises MqttError as soon as the connection is lost; a publisher alone would wait for its time-out.

        Whatever its devices are told asks for a greeting: a rebirth.
        """
        async for _ in connection.messages:
            self._feed.greet()

    def _over(self, until_ns: int | None) -> bool:
        return until_ns is not None and time.time_ns() >= until_ns + self._last_words_ns

    def _note_refusals(self, connection: _Connection) -> None:
        if not connection.refusals:
            return
        if not self._refused_messages:
            _LOG.warning("publishing_refused topic=%s/+ reason=not_authorised", self._gateway.prefix)
        self._refused_messages += connection.refusals
        connection.refusals = 0

    def _explain(self, lost: aiomqtt.MqttError) -> None:
        """Raises Refused if the credentials never worked: the file is wrong, and trying will not help."""
        code = lost.rc if isinstance(lost, aiomqtt.MqttCodeError) else None
        if not self._connections and isinstance(code, ReasonCode) and code.value in _WRONG_CREDENTIALS:
            where = f"{self._gateway.mqtt.host}:{self._gateway.mqtt.port}"
            who = f"gateway {self._gateway.organisation}/{self._gateway.id}"
            raise Refused("credentials", f"{who}: the broker at {where} does not accept its credentials ({code})")
        _LOG.warning("gateway_connection_lost gateway=%s reason=%s", self._gateway.prefix, lost)


class _Connection(aiomqtt.Client):
    """Counts the messages that the broker acknowledged with a refusal, which aiomqtt takes for success."""

    refusals = 0

    def _on_publish(
        self, client: PahoClient, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.is_failure:
            self.refusals += 1
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_socket_register_write(self, client: PahoClient, userdata: object, sock: PahoSocket) -> None:  # noqa: ARG002 - paho's signature
        """At a connection's end its descriptor may be closed, or another's, in the loop's next turn, when aiomqtt would wait for room there."""
        self._loop.call_soon_threadsafe(self._await_room, client, sock)

    def _await_room(self, client: PahoClient, sock: PahoSocket) -> None:
        if sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._write, client)

    def _write(self, client: PahoClient) -> None:
        try:
            client.loop_write()
        except OSError as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)


async def _report(lines: Mapping[str, _Line], on_progress: Progress | None) -> None:
    while on_progress:
        await asyncio.sleep(_PROGRESS_S)
        on_progress(_played(lines))


def _played(lines: Mapping[str, _Line]) -> Played:
    return Played({name: line.tally for name, line in lines.items()})


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _clock(simulation: Simulation) -> Clock:
    started_ns = time.time_ns()
    origin_ns = started_ns - simulation.start_ago if simulation.start is None else simulation.start
    return Clock(started_ns, origin_ns, simulation.speed)


async def _until(moment_ns: int | None) -> None:
    """As long as somebody may ask; without a moment until it is cancelled."""
    await (asyncio.Event().wait() if moment_ns is None else asyncio.sleep((moment_ns - time.time_ns()) / SECOND))


def _waits() -> Iterator[float]:
    """Seconds before each attempt to connect: doubling, and spread so that gateways do not come at once."""
    wait, longest = _BACKOFF_S
    while True:
        yield wait * random.uniform(0.5, 1.0)  # nosec B311  # noqa: S311 - nobody gains by guessing it
        wait = min(wait * 2, longest)


def _leaf(group: BaseExceptionGroup[_E]) -> _E:
    """The first single error of a group of groups."""
    first = group.exceptions[0]
    return _leaf(first) if isinstance(first, BaseExceptionGroup) else first
