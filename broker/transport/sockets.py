"""Calls within one home: Unix sockets, one JSON object a line, and of each keeper a small file, replaced as a whole.

They lie in folders of mode 0700: whoever can open them is this home's own user.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from broker.control import PATIENCE_S, Call, Control, Serve
from broker.errors import Unavailable
from broker.home import Home
from broker.keeper import state
from broker.keeper.state import KeeperState
from broker.transport.protocol import Service
from broker.transport.replies import answer_of, replied

LONGEST_LINE = 8 << 20  # a thousand refusals of a kilobyte, with room


class Sockets:
    """Of one home."""

    def __init__(self, home: Home, partitions: int) -> None:
        self._home = home
        self._partitions = partitions

    def to(self, service: Service) -> Control:
        return _AtSocket(self._path(service))

    async def serve(self, service: Service, answer: Serve) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError), contextlib.closing(writer):
                while line := await reader.readline():
                    reply = await replied(line, answer)
                    if reply is None:
                        return
                    writer.write(reply + b"\n")
                    await writer.drain()

        path = self._path(service)
        path.unlink(missing_ok=True)
        with _short(path) as short:
            server = await asyncio.start_unix_server(talk, short, limit=LONGEST_LINE)
        async with server:
            await server.serve_forever()

    def say(self, partition: int, said: KeeperState) -> None:
        state.write(self._home.partition(partition, self._partitions).keeper_state, said)

    def said(self, partition: int) -> KeeperState | None:
        return state.read(self._home.partition(partition, self._partitions).keeper_state)

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, service: Service) -> Path:
        match service.kind:
            case "access":
                return self._home.socket
            case "worker":
                return self._home.partition(service.number, self._partitions).socket
            case "edge":
                return self._home.edge(service.number).socket


class _AtSocket:
    """Whoever answers at a socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(self, what: Call, patience_s: float = PATIENCE_S) -> msgspec.Raw:
        try:
            with socket.socket(socket.AF_UNIX) as connection, _short(self._path) as short:
                connection.settimeout(patience_s)
                connection.connect(short)
                connection.sendall(msgspec.json.encode(what) + b"\n")
                with connection.makefile("rb") as answers:
                    reply = answers.readline()
        except OSError as error:
            raise Unavailable(f"the broker does not answer: {error}") from error
        return answer_of(reply)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the socket below the 108 bytes that Linux allows, however deep the home lies."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
