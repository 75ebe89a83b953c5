"""One MQTT 5 connection on asyncio: batches in, batches out, acknowledged by hand.

It works in batches because that is where the time goes: one call for all messages of a read, one write for all
acknowledgements, one write for all publishes. It never reconnects by itself: whoever owns it knows what must be done again.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, cast

from broker.errors import Unavailable
from broker.mqtt import codec
from broker.mqtt.codec import Connected, Message

KEEPALIVE_S = 20  # a dead peer is noticed within 1.5 times this; a ping is 2 bytes
PATIENCE_S = 10  # how long Mosquitto may take to answer CONNECT or SUBSCRIBE on a busy machine
IN_FLIGHT = (
    4_000  # publishes not yet acknowledged; bounds what is resent and what Mosquitto holds for us, at 1 MB or so
)

OnMessages: TypeAlias = Callable[[list[Message]], None]


@dataclass(frozen=True, slots=True)
class Account:
    """How to log in to Mosquitto. The client id is part of the secret: who knows it could take the session over."""

    host: str
    port: int
    client_id: str
    username: str
    password: str


class Connection(asyncio.Protocol):
    """Made by `connect`. All its methods belong to the event loop's thread."""

    def __init__(self, on_messages: OnMessages) -> None:
        self._on_messages = on_messages
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[Connected] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._subscribed: deque[asyncio.Future[list[int]]] = deque()
        self._in_flight: dict[int, Callable[[int], None]] = {}
        self._next_id = 0
        self._limit = 1
        self._writable = True
        self._changed = asyncio.Event()
        """Something happened that whoever waits for room may have waited for, the end included."""
        self._heard = True
        self._paused = False

    # --- out

    async def subscribe(self, filters: Sequence[str], options: int = codec.FROM_NOW_ON) -> None:
        """Subscribe. Raises Unavailable when it is refused or not answered."""
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._subscribed.append(answer)
        self._write(codec.subscribe(65_535, filters, options))  # publishing takes ids from 1 upwards and skips this one
        codes = await asyncio.wait_for(answer, PATIENCE_S)
        if any(code >= 128 for code in codes):  # noqa: PLR2004 - refusals [3.9.3]
            raise Unavailable(f"Mosquitto refused the subscription to {', '.join(filters)}")

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Tell Mosquitto that these messages are ours now; on a connection that is gone nothing, and it delivers them again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(codec.acknowledge(packet_ids))

    async def room(self) -> int:
        """Wait until at least one publish may be sent; returns how many may. Raises Unavailable when the connection is lost."""
        while len(self._in_flight) >= self._limit or not self._writable:
            if self.lost.done():
                raise Unavailable("the connection to Mosquitto is gone")
            self._changed.clear()
            await self._changed.wait()
        return self._limit - len(self._in_flight)

    def publish(
        self, packets: Sequence[tuple[bytes, bytes, bytes, bool]], on_acknowledged: Callable[[int], None]
    ) -> None:
        """Send (heading, properties, payload, retain) each at QoS 1, all in one write; no more than `room` gave.

        `on_acknowledged` is called with the reason code of each as it comes.
        """
        out = []
        for heading, properties, payload, retain in packets:
            packet_id = self._free_id()
            self._in_flight[packet_id] = on_acknowledged
            out.append(codec.publish(heading, packet_id, properties, payload, retain=retain))
        self._write(b"".join(out))

    async def tell(self, packets: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Send (heading, properties, payload) each at QoS 0, as soon as what was written before has left. Raises Unavailable."""
        await self.room()
        self._write(b"".join([codec.publish_once(*packet) for packet in packets]))

    def close(self) -> None:
        """Say goodbye and hang up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(codec.GOODBYE)
            self._transport.close()

    def ping(self) -> None:
        """Ask whether the peer lives; it is taken for dead if nothing came since the last time."""
        if not (self._heard or self._paused):
            self._fail(Unavailable("Mosquitto is silent"))
            return
        self._heard = False
        self._write(codec.PINGREQ)

    def pause(self) -> None:
        """Read no more for now: nothing is acknowledged, so Mosquitto keeps what comes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._paused, self._heard = False, True

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % 65_534 + 1
            if self._next_id not in self._in_flight:
                return self._next_id

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise Unavailable("the connection to Mosquitto is gone")
        self._transport.write(data)

    # --- in: what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._changed.set()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        buffer = self._rest + data if self._rest else data
        try:
            packets, used = codec.scan(buffer)
            self._rest = buffer[used:] if used < len(buffer) else b""
            messages = [m for p in packets if (m := self._take(buffer, p)) is not None]
        except (codec.ProtocolError, IndexError) as error:
            self._fail(error)
            return
        self._changed.set()
        if messages:
            self._on_messages(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc)

    def _take(self, buffer: bytes, packet: codec.Packet) -> Message | None:
        kind = packet.first >> 4
        if kind == codec.PUBLISH:
            return codec.message(buffer, packet)
        if kind == codec.PUBACK:
            packet_id, reason = codec.acknowledgement(buffer, packet)
            on_acknowledged = self._in_flight.pop(packet_id, None)
            if on_acknowledged is not None:
                on_acknowledged(reason)
        elif kind == codec.CONNACK:
            answer = codec.connected(buffer, packet)
            self._limit = min(answer.receive_maximum, IN_FLIGHT)
            if not self.connected.done():
                self.connected.set_result(answer)
        elif kind == codec.SUBACK and self._subscribed:
            self._subscribed.popleft().set_result(codec.granted(buffer, packet)[1])
        elif kind == codec.DISCONNECT:
            self._fail(Unavailable("Mosquitto closed the connection"))
        return None

    def _fail(self, error: Exception | None) -> None:
        reason = Unavailable(f"the connection to Mosquitto is gone: {error or 'closed'}")
        unanswered: tuple[asyncio.Future[Connected] | asyncio.Future[list[int]], ...] = (
            self.connected,
            *self._subscribed,
        )
        for waiting in unanswered:
            if not waiting.done():
                waiting.set_exception(reason)
                waiting.exception()  # whoever waits gets it; whoever does not need not be warned of it
        if not self.lost.done():
            self.lost.set_result(None)
        self._changed.set()
        if self._transport is not None:
            self._transport.abort()


@asynccontextmanager
async def connect(account: Account, on_messages: OnMessages, *, session_expiry_s: int = 0) -> AsyncIterator[Connection]:
    """A connection that is logged in, kept alive, and hung up at the end.

    `session_expiry_s` above 0 takes up the session that this client id has, or begins one that outlives the connection.
    Raises Unavailable when nobody listens or the login is refused.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, connection = await asyncio.wait_for(
            loop.create_connection(lambda: Connection(on_messages), account.host, account.port), PATIENCE_S
        )
        # it may have been cut already, and then is no socket any more
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise Unavailable(f"Mosquitto does not answer at {account.host}:{account.port}: {error}") from error
    try:
        transport.write(
            codec.connect(
                account.client_id,
                account.username,
                account.password,
                clean=not session_expiry_s,
                session_expiry_s=session_expiry_s,
                keepalive_s=KEEPALIVE_S,
            )
        )
        answer = await asyncio.wait_for(connection.connected, PATIENCE_S)
        if answer.reason:
            raise Unavailable(f"Mosquitto refused {account.username}: reason {answer.reason:#x}")
        pinging = asyncio.create_task(_ping(connection), name="mqtt ping")
        try:
            yield connection
        finally:
            pinging.cancel()
    finally:
        connection.close()


async def _ping(connection: Connection) -> None:
    while not connection.lost.done():
        await asyncio.sleep(KEEPALIVE_S / 2)
        if not connection.lost.done():
            connection.ping()
