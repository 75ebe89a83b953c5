"""Another MQTT broker, such as a network server's or the one beside Zigbee2MQTT, in MQTT 3.1.1 or 5.

At QoS 1 a message is acknowledged when it is kept, and the other broker holds our session while we are away, so nothing is lost
between the two. What was kept when the power went, and is delivered once more, is known by its packet id and a digest.
At QoS 0 nobody holds anything: what comes faster than the disk takes it is dropped, and counted.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateways.agent.sources.source import Heard, Taker
from gateways.agent.waits import waits

if TYPE_CHECKING:
    import ssl

    from paho.mqtt.client import Client as PahoClient
    from paho.mqtt.client import MQTTMessage

log = structlog.get_logger()

MOST_HELD = 5_000  # messages in memory while the disk is busy: some MB
SESSION_S = 7 * 86_400  # how long the other broker is asked to hold the session
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """How to log in to it."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    websockets: bool = False
    version: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V311


class Mqtt:
    """Subscribes to `topics`, and connects again when the connection is lost."""

    def __init__(self, name: str, account: Account, topics: Sequence[str]) -> None:
        self._name, self._account, self._topics = name, account, topics

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        known = {place.rpartition("/")[2]: digest for place, digest in places.items()}
        pauses = waits()
        while True:
            try:
                async with _Client(self._account) as client:
                    await client.subscribe([(topic, 1) for topic in self._topics])
                    log.info("source_connected", source=self._name, host=self._account.host)
                    pauses = waits()
                    await self._listen(client, taker, known)
            except (aiomqtt.MqttError, OSError) as error:
                log.warning("source_not_connected", source=self._name, reason=str(error))
            await asyncio.sleep(next(pauses))

    async def _listen(self, client: _Client, taker: Taker, known: dict[str, str]) -> None:
        while True:
            messages = await client.waiting()
            fresh = [one for one in messages if not (one.dup and known.get(str(one.mid)) == _digest(one))]
            digests = {str(one.mid): _digest(one) for one in fresh if one.qos}
            places = {f"{self._name}/{mid}": digest for mid, digest in digests.items()}
            answers = await taker.messages([_heard(one) for one in fresh], places, missed=client.take_dropped())
            known |= digests
            client.acknowledge(messages)
            for answer in answers:
                await client.publish(answer.topic, answer.payload)


class _Client(aiomqtt.Client):
    """Keeps what comes until it is asked for, and acknowledges when told to, which aiomqtt alone does not."""

    def __init__(self, account: Account) -> None:
        five = account.version is aiomqtt.ProtocolVersion.V5
        properties = Properties(PacketTypes.CONNECT) if five else None  # type: ignore[no-untyped-call]  # paho's own gap
        if properties is not None:
            properties.SessionExpiryInterval = SESSION_S
        super().__init__(
            account.host,
            account.port,
            username=account.username,
            password=account.password,
            identifier=account.client_id,
            protocol=account.version,
            clean_session=None if five else False,
            clean_start=False if five else 3,
            properties=properties,
            tls_context=account.tls,
            transport="websockets" if account.websockets else "tcp",
            timeout=PATIENCE_S,
            keepalive=30,
        )
        self._client.manual_ack_set(on=True)
        self._held: list[MQTTMessage] = []
        self._something = asyncio.Event()
        self._dropped = 0

    async def waiting(self) -> list[MQTTMessage]:
        """What has come, as soon as something has. Raises MqttError when the connection is lost."""
        if not self._held:
            self._something.clear()
            waiting = asyncio.ensure_future(self._something.wait())
            try:
                await asyncio.wait((waiting, self._disconnected), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        if not self._held:
            raise aiomqtt.MqttError("the connection was lost")
        held, self._held = self._held, []
        return held

    def take_dropped(self) -> int:
        """How many were dropped since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def acknowledge(self, messages: Sequence[MQTTMessage]) -> None:
        for message in messages:
            self._client.ack(message.mid, message.qos)

    def _on_message(self, client: PahoClient, userdata: object, message: MQTTMessage) -> None:  # noqa: ARG002 - paho's
        if message.qos == 0 and len(self._held) >= MOST_HELD:
            self._dropped += 1
        else:  # of QoS 1 the other broker sends no more than may be in flight
            self._held.append(message)
            self._something.set()


def _heard(message: MQTTMessage) -> Heard:
    return Heard(message.topic, bytes(message.payload), time.time_ns(), message.retain)


def _digest(message: MQTTMessage) -> str:
    return f"{zlib.crc32(message.payload, zlib.crc32(message.topic.encode())):08x}"
