"""The ways in which an application reads, each as a client that notes when it was delivered something.

Every reader proves that it is being delivered (`begin`), then its licence ends, then it does what an application would do that
does not know yet (`resume`): go on, connect back, subscribe again, ask for the next page.
"""

from __future__ import annotations

import asyncio
import re
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from broker.mqtt import codec

PROOF_S = 20.0  # how long a reader may take to be delivered something, on a busy machine
PAUSE_S = 0.05  # between two pages
PUBLISH, VERSION_5 = 3, 5
VALUE = re.compile(rb'"value":\s*([0-9]+)')


@dataclass(frozen=True, slots=True)
class Place:
    """What an application reads, and with what."""

    url: str
    key: str
    mqtt: dict[str, Any]
    topic: str
    release: str


class Connection(asyncio.Protocol):
    """A subscriber's connection, MQTT 3.1.1 or 5, which acknowledges what it hears."""

    def __init__(self, version: int, heard: Callable[[bytes], None]) -> None:
        self._version = version
        self._heard = heard
        self._rest = b""
        self.answered: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data
        packets, used = codec.scan(buffer)
        self._rest = buffer[used:]
        acknowledged = []
        for packet in packets:
            if packet.kind != PUBLISH:
                self.answered.put_nowait((packet.kind, buffer[packet.start : packet.end]))
                continue
            packet_id, payload = self._message(buffer, packet)
            acknowledged.append(packet_id)
            self._heard(payload)
        if not self.transport.is_closing():
            self.transport.write(codec.acknowledge([one for one in acknowledged if one]))

    def _message(self, buffer: bytes, packet: codec.Packet) -> tuple[int, bytes]:
        if self._version == VERSION_5:
            found = codec.message(buffer, packet)
            return found.packet_id, found.payload
        at = packet.start + 2 + int.from_bytes(buffer[packet.start : packet.start + 2], "big")
        qos = packet.first & 6
        return int.from_bytes(buffer[at : at + 2], "big") if qos else 0, buffer[at + (2 if qos else 0) : packet.end]


async def connected(
    login: dict[str, Any], version: int, heard: Callable[[bytes], None], *, keep: bool = False, name: str = "bench"
) -> Connection:
    """Log in; with `keep`, to a session that outlives the connection. Raises ConnectionError."""
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_connection(lambda: Connection(version, heard), login["host"], login["port"])
    account = (login["client_id_prefix"] + name, login["username"], login["password"])
    if version == VERSION_5:
        transport.write(codec.connect(*account, clean=not keep, session_expiry_s=600 * keep, keepalive_s=600))
    else:
        transport.write(_connect(*account, clean=not keep))
    _, answer = await asyncio.wait_for(made.answered.get(), PROOF_S)
    if answer[1]:
        raise ConnectionError(f"refused with {answer[1]:#x}")
    return made


async def subscribed(connection: Connection, version: int, topic: str) -> None:
    """Subscribe at QoS 1, to the retained message too. Raises PermissionError."""
    packet = struct.pack(">H", 1) + (b"\x00" if version == VERSION_5 else b"") + codec.heading(topic) + b"\x01"
    connection.transport.write(b"\x82" + bytes([len(packet)]) + packet)
    _, answer = await asyncio.wait_for(connection.answered.get(), PROOF_S)
    if answer[-1] > 1:
        raise PermissionError(topic)


def _connect(client_id: str, username: str, password: str, *, clean: bool) -> bytes:
    flags = 0xC0 | (0x02 if clean else 0)
    body = codec.heading("MQTT") + bytes([4, flags]) + struct.pack(">H", 600)
    body += b"".join(codec.heading(text) for text in (client_id, username, password))
    return b"\x10" + bytes([len(body) & 127 | 128, len(body) >> 7] if len(body) > 127 else [len(body)]) + body  # noqa: PLR2004 - a length takes one byte or two


class Reader(ABC):
    """One application's client. `heard`: when (seconds since 1970) it was delivered something."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.heard: list[float] = []
        self._something = asyncio.Event()

    async def begin(self) -> None:
        """Returns when it was delivered something. Raises TimeoutError."""
        await self.open()
        await self._proof()

    @abstractmethod
    async def open(self) -> None: ...

    async def resume(self) -> None:
        """What it does when its licence has ended, of which it knows nothing."""
        return

    async def close(self) -> None:
        """Hang up."""
        return

    def note(self, _: bytes) -> None:
        self.heard.append(time.time())
        self._something.set()

    async def _proof(self) -> None:
        self._something.clear()
        await asyncio.wait_for(self._something.wait(), PROOF_S)


class Mqtt(Reader):
    """Connected and subscribed."""

    version = 5
    connection: Connection

    async def open(self) -> None:
        self.connection = await connected(self.place.mqtt, self.version, self.note)
        await subscribed(self.connection, self.version, self.place.topic)

    async def close(self) -> None:
        self.connection.transport.abort()


class Mqtt311(Mqtt):
    """The same, by the older protocol."""

    version = 4


class Offline(Mqtt):
    """A session that outlives its connection, away when the licence ends, with messages queued and unacknowledged; then back."""

    async def begin(self) -> None:
        self.connection = await connected(self.place.mqtt, self.version, self.note, keep=True)
        await subscribed(self.connection, self.version, self.place.topic)
        await self._proof()
        self.connection.transport.abort()
        await asyncio.sleep(PAUSE_S)
        await self.resume()
        await self._proof()  # what was queued is delivered as long as it is licensed
        self.connection.transport.abort()
        await asyncio.sleep(PAUSE_S)

    async def resume(self) -> None:
        self.connection = await connected(self.place.mqtt, self.version, self.note, keep=True)

    async def close(self) -> None:
        await super().close()
        ended = await connected(self.place.mqtt, self.version, lambda _: None)  # a clean session in its place
        ended.transport.abort()


class Offline311(Offline):
    """The same, by the older protocol."""

    version = 4


class Retained(Mqtt):
    """Connected, and subscribes again when its licence has ended: to be told the last value."""

    async def begin(self) -> None:
        await self.open()
        await self._proof()
        self.connection.transport.abort()
        self.connection = await connected(self.place.mqtt, self.version, self.note)

    async def resume(self) -> None:
        await subscribed(self.connection, self.version, self.place.topic)


class Streaming(Reader):
    """Server-Sent Events."""

    async def open(self) -> None:
        address = httpx.URL(self.place.url)
        self._reader, self._writer = await asyncio.open_connection(address.host, address.port)
        path = f"/api/v1/releases/{self.place.release}/live"
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.place.key}\r\n\r\n".encode())
        self._reading = asyncio.create_task(self._read(), name="stream")

    async def _read(self) -> None:
        while data := await self._reader.read(1 << 16):
            if b'\ndata: {"datastream"' in data:
                self.note(data)

    async def close(self) -> None:
        self._reading.cancel()
        self._writer.close()
        with suppress(asyncio.CancelledError):
            await self._reading


class Paging(Reader):
    """History, page by page along the cursor, and again from the beginning."""

    async def open(self) -> None:
        self._reading = asyncio.create_task(self._read(), name="pages")

    async def _read(self) -> None:
        first = f"/api/v1/releases/{self.place.release}/observations?limit=50"
        headers = {"Authorization": f"Bearer {self.place.key}"}
        async with httpx.AsyncClient(base_url=self.place.url, headers=headers, timeout=30, trust_env=False) as client:
            path = first
            while True:
                with suppress(httpx.TransportError):  # an answer that is cut off
                    answer = await client.get(path)
                    if answer.status_code == httpx.codes.OK and VALUE.search(answer.content):
                        self.note(answer.content)
                    path = answer.json().get("next") or first
                await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading


class Exporting(Paging):
    """Reads the whole history in one answer, and again from the beginning."""

    async def _read(self) -> None:
        path = f"/api/v1/releases/{self.place.release}/observations"
        headers = {"Authorization": f"Bearer {self.place.key}"}
        async with httpx.AsyncClient(base_url=self.place.url, headers=headers, timeout=30, trust_env=False) as client:
            while True:
                with suppress(httpx.TransportError):  # an answer that is cut off
                    async with client.stream("GET", path, params={"format": "ndjson"}) as answer:
                        async for part in answer.aiter_bytes():
                            if answer.status_code == httpx.codes.OK and VALUE.search(part):
                                self.note(part)
                await asyncio.sleep(PAUSE_S)


WAYS: dict[str, type[Reader]] = {
    "mqtt_3_1_1": Mqtt311,
    "mqtt_5": Mqtt,
    "mqtt_3_1_1_offline_and_back": Offline311,
    "mqtt_5_offline_and_back": Offline,
    "retained": Retained,
    "sse": Streaming,
    "paging": Paging,
    "exporting": Exporting,
}
