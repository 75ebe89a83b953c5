"""The broker's own MQTT connection, when its other side stops reading, or goes: whoever waits is told."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from broker.errors import Unavailable
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from broker.mqtt.connection import Connection

ONE_AT_A_TIME = b"\x20\x06\x00\x00\x03\x21\x00\x01"
"""A CONNACK: accepted, and at most one publish without its acknowledgement."""
MORE_THAN_FITS = b"x" * (64 << 20)  # in any socket's buffers
WAIT_S = 10.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close that breaks the connection


@dataclass(frozen=True)
class OtherSide:
    """Accepts whoever connects, and reads no more from it."""

    account: Account
    accepted: asyncio.Future[asyncio.WriteTransport]


@pytest.fixture
async def other_side() -> AsyncIterator[OtherSide]:
    accepted: asyncio.Future[asyncio.WriteTransport] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(ONE_AT_A_TIME)
        accepted.set_result(writer.transport)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield OtherSide(Account("127.0.0.1", port, "id", "name", "password"), accepted)


async def waiting_for_room(out: Connection) -> asyncio.Task[int]:
    waiting = asyncio.create_task(out.room())
    await asyncio.sleep(0)  # it begins
    assert not waiting.done()
    return waiting


@pytest.mark.parametrize("payload", [MORE_THAN_FITS, b"small"], ids=["nothing can be written", "all is in flight"])
async def test_whoever_waits_to_publish_is_told_that_the_connection_is_lost(
    other_side: OtherSide, payload: bytes
) -> None:
    async with connection.connect(other_side.account, lambda _: None) as out:
        assert await out.room() == 1
        out.publish([(codec.heading("t"), codec.NO_PROPERTIES, payload, False)], lambda _: None)
        waiting = [await waiting_for_room(out), await waiting_for_room(out)]
        (await other_side.accepted).abort()
        for one in waiting:
            with pytest.raises(Unavailable):
                await asyncio.wait_for(one, WAIT_S)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(out.room(), WAIT_S)


async def test_a_connection_that_is_cut_as_soon_as_it_is_made_is_told_as_one_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = connection.Connection.connection_made

    def made_too_late(one: Connection, transport: asyncio.BaseTransport) -> None:
        time.sleep(0.01)  # it is cut meanwhile
        made(one, transport)

    monkeypatch.setattr(connection.Connection, "connection_made", made_too_late)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        account = Account("127.0.0.1", listening.getsockname()[1], "id", "name", "password")

        def cut() -> None:
            with suppress(OSError):  # it is closed in the end
                while True:
                    accepted, _ = listening.accept()
                    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    accepted.close()

        cutting = threading.Thread(target=cut)
        cutting.start()
        for _ in range(20):
            with pytest.raises(Unavailable):
                async with connection.connect(account, lambda _: None):
                    """It is not let in."""
        listening.shutdown(socket.SHUT_RDWR)
        cutting.join()
