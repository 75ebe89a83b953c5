"""The connection to the broker: sends what the outbox holds, in order, and forgets a message when its receipt comes.

MQTT 5 with a response topic and correlation data (4.10), QoS 1. Whatever has no receipt after a while, or when the connection ends, is sent
again. It goes through aiomqtt rather than the broker's own codec, since it must speak TLS and WebSockets and a gateway is no hot path.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from dataclasses import dataclass

import aiomqtt
import msgspec
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.errors import Unavailable
from broker.presence import Outbox as Told
from gateways.agent.intake import Intake
from gateways.agent.outbox import Outbox
from gateways.agent.parcel import Message
from gateways.agent.waits import waits

log = structlog.get_logger()

IN_FLIGHT = 16  # messages without a receipt: 16,000 records at most, and 4 MB
ANSWER_S = 10.0  # a receipt takes milliseconds, or some seconds of a broker that restarts
KEPT_REASONS = 1_000
TELL_S = 5.0  # how often it is looked whether the owner is to be told of a loss
GOODBYE_S = 2.0  # whoever stops it should not wait for a broker that is away


@dataclass(frozen=True, slots=True)
class Login:
    """How the gateway logs in to the broker."""

    host: str
    port: int
    username: str
    password: str
    client_id_prefix: str
    organisation: str
    gateway: str
    tls: ssl.SSLContext | None = None
    websockets: bool = False

    @property
    def prefix(self) -> str:
        return f"in/{self.organisation}/{self.gateway}/"

    @property
    def receipts(self) -> str:
        return f"ack/{self.organisation}/{self.gateway}"


class _Rejected(msgspec.Struct):
    index: int
    reason: str


class _Receipt(msgspec.Struct):
    stored: int = 0
    rejected: list[_Rejected] = []


class Link:
    """Sends until it is cancelled."""

    def __init__(self, login: Login, outbox: Outbox, intake: Intake) -> None:
        self._login = login
        self._outbox = outbox
        self._intake = intake
        self._life = secrets.token_hex(4)
        """Receipts of another life of this process are not taken for ours."""
        self._waiting: dict[bytes, tuple[Message, float]] = {}
        """By correlation data, when each was sent, in the order of the outbox."""
        self._settled = asyncio.Event()
        self._rejections: set[str] = set()
        """Reasons that were logged: each once, for a device that is not adopted speaks on."""
        self._client: aiomqtt.Client | None = None

    async def frame(self, datastream: str, jpeg: bytes) -> bool:
        """Send a picture now, at QoS 0; whether there was a connection to send it on."""
        if self._client is None:
            return False
        topic = f"frame/{self._login.organisation}/{self._login.gateway}/{datastream}"
        try:
            await self._client.publish(topic, jpeg, qos=0)
        except aiomqtt.MqttError:
            return False
        return True

    async def run(self) -> None:
        pauses = waits()
        while True:
            try:
                async with self._connection() as client:
                    log.info("broker_connected", host=self._login.host, pending=self._outbox.pending)
                    pauses = waits()
                    await self._serve(client)
            except* (aiomqtt.MqttError, OSError, Unavailable) as errors:
                log.warning("broker_not_connected", reason=str(_leaf(errors)), pending=self._outbox.pending)
            await asyncio.sleep(next(pauses))

    async def emptied(self) -> None:
        """Wait until everything in the outbox has its receipt."""
        while self._outbox.pending:
            self._settled.clear()
            await _either(self._settled, within_s=1.0)

    def _connection(self) -> aiomqtt.Client:
        login = self._login
        return aiomqtt.Client(
            login.host,
            login.port,
            username=login.username,
            password=login.password,
            identifier=f"{login.client_id_prefix}gateway",
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=login.tls,
            transport="websockets" if login.websockets else "tcp",
            timeout=ANSWER_S,
            keepalive=30,
            clean_start=True,
            will=aiomqtt.Will(f"{login.prefix}~", b"offline", qos=1),
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        await client.subscribe(self._login.receipts, qos=1)
        await self._say_there(client)
        try:
            self._client = client
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(client), name="receipts")
                group.create_task(self._send(client), name="outbox")
                group.create_task(self._tell(client), name="tell")
        except asyncio.CancelledError:
            with contextlib.suppress(aiomqtt.MqttError):  # then its last will says it
                await client.publish(f"{self._login.prefix}~", b"offline", qos=1, timeout=GOODBYE_S)
            raise
        finally:
            self._client = None
            self._waiting.clear()  # it is all sent again: their receipts go to a session that is no more
            self._intake.sent = 0

    async def _tell(self, client: aiomqtt.Client) -> None:
        """Say it again when something more was lost: the owner is to know it where the data is."""
        told = self._lost()
        while True:
            await asyncio.sleep(TELL_S)
            if (lost := self._lost()) != told:
                told = lost
                await self._say_there(client)

    def _lost(self) -> dict[str, int]:
        return {name: self._outbox.counts.get(name, 0) for name in Told.__struct_fields__ if name != "pending"}

    async def _say_there(self, client: aiomqtt.Client) -> None:
        said = {"state": "online", "outbox": {"pending": self._outbox.pending, **self._lost()}}
        await client.publish(f"{self._login.prefix}~", msgspec.json.encode(said), qos=1)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            answered = self._waiting.pop(getattr(message.properties, "CorrelationData", b""), None)
            if answered is not None and isinstance(message.payload, bytes):
                self._settle(answered[0], msgspec.json.decode(message.payload, type=_Receipt))
                self._settled.set()

    def _settle(self, message: Message, receipt: _Receipt) -> None:
        for reason in sorted({refused.reason for refused in receipt.rejected} - self._rejections):
            log.warning("records_rejected", topic=message.topic, reason=reason)
            if len(self._rejections) < KEPT_REASONS:
                self._rejections.add(reason)
        self._outbox.settle(message, stored=receipt.stored, rejected=len(receipt.rejected))

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            self._intake.something.clear()
            self._settled.clear()
            await self._send_again(client)
            message = self._outbox.next(self._intake.sent) if len(self._waiting) < IN_FLIGHT else None
            if message is not None:
                self._intake.sent = message.last
                await self._publish(client, message)
            else:
                await _either(self._intake.something, self._settled, within_s=1.0)

    async def _send_again(self, client: aiomqtt.Client) -> None:
        late = time.monotonic() - ANSWER_S
        for message, sent in list(self._waiting.values()):
            if sent < late:
                log.warning("receipt_missing", topic=message.topic, records=message.records)
                await self._publish(client, message)

    async def _publish(self, client: aiomqtt.Client, message: Message) -> None:
        correlation = f"{self._life}-{message.first}-{message.last}".encode()
        self._waiting[correlation] = message, time.monotonic()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types there
        properties.ResponseTopic, properties.CorrelationData = self._login.receipts, correlation
        await client.publish(f"{self._login.prefix}{message.topic}", message.payload, qos=1, properties=properties)


async def _either(*events: asyncio.Event, within_s: float) -> None:
    """Wait for one of them, and not longer than this."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
