"""What stands between two programs on loopback, and is told how to behave: of TCP, and of InfluxDB's HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

from tests.servers import TLS

CHUNK = 65_536
ANSWER_S = 60.0


class Wire:
    """A TCP port that leads to another, while the `with` lasts."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self.delay_s = 0.0
        """How long each piece takes, in either direction."""
        self._cut = False
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire")
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every connection, and let none be made."""
        self._cut = True
        self._do(self._break())

    def mend(self) -> None:
        self._cut = False

    def _do(self, what: Any) -> Any:  # noqa: ANN401 - a coroutine and its result
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            there_reader, there = await asyncio.open_connection(*self._to)
            self._writers |= {writer, there}
            await asyncio.gather(self._carry(reader, there), self._carry(there_reader, writer))
        self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(piece)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._break()


Behaviour = Callable[["Gate", str, bytes], "tuple[int, dict[str, Any]] | None"]
"""(gate, path, body) -> a status and what is answered in the server's place; None: what the server answered."""


class Gate:
    """An InfluxDB's address in another's place, while the `with` lasts. What it does to a request can be changed at any time."""

    def __init__(self, url: str) -> None:
        self._there = url
        self._http = httpx.Client(base_url=url, trust_env=False, verify=TLS, timeout=ANSWER_S)
        self.behave: Behaviour = forward
        self.met = 0
        """Requests that were answered otherwise than the server would."""
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gate.answer(self, b"")

            def do_POST(self) -> None:
                gate.answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *_: Any) -> None:  # noqa: ANN401 - its signature
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="gate")

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request in the server's place."""
        instead = self.behave(self, request.path, body)
        if instead is None:
            try:
                found = self.forward(request, body)
            except httpx.TransportError:
                request.close_connection = True  # as the server itself, when it is away
                return
            status, kind, content = found.status_code, found.headers.get("Content-Type", ""), found.content
        else:
            self.met += 1
            status, kind, content = instead[0], "application/json", json.dumps(instead[1]).encode()
        with suppress(OSError):  # whoever asked may have gone
            request.send_response(status)
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)

    def forward(self, request: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        """What the server answers."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        headers["Content-Length"] = str(len(body))
        return self._http.request(request.command, request.path, content=body, headers=headers)

    def write(self, path: str, body: bytes) -> None:
        """Write something else than was asked for."""
        self._http.post(path, content=body).raise_for_status()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()


def forward(_gate: Gate, _path: str, _body: bytes) -> None:
    """As if it were not there."""


def slowly(delay_s: float) -> Behaviour:
    """Each answer takes so long."""

    def behave(_gate: Gate, _path: str, _body: bytes) -> None:
        time.sleep(delay_s)

    return behave


def failing(statuses: list[int], one_in: int) -> Behaviour:
    """One request in so many is answered with these statuses in turn; half of them only after the server did what was asked."""
    count = iter(range(1 << 62))

    def behave(gate: Gate, path: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        number = next(count)
        if number % one_in:
            return None
        if number // one_in % 2 and path.startswith("/write"):
            gate.write(path, body)
        return statuses[number // one_in % len(statuses)], {"error": "told to fail"}

    return behave


def refusing(poison: Callable[[bytes], bool]) -> Behaviour:
    """Never takes certain lines, and says so as InfluxDB does: partial write, the rest of the lines is kept."""

    def behave(gate: Gate, path: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        if not path.startswith("/write"):
            return None
        lines = body.split(b"\n")
        good = [line for line in lines if not poison(line)]
        if len(good) == len(lines):
            return None
        if good:
            gate.write(path, b"\n".join(good))
        return 400, {"error": f"partial write: points beyond retention policy dropped={len(lines) - len(good)}"}

    return behave
