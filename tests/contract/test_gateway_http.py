"""A gateway over HTTP. Whoever it asks leads it nowhere else, learns no key of others, fills no memory, and leaves no password in the log; whoever pushes is
bounded in size, time, rate and connections.
"""

from __future__ import annotations

import asyncio
import gzip
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateways.agent.sources.camera import Camera
from gateways.agent.sources.poll import Poll
from gateways.agent.sources.push import Limits, Push
from mitoyen.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from gateways.agent.sources.source import Answer, Heard

KEY = "planted-key-of-the-page"
JPEG = b"\xff\xd8\xff\xe0 a picture"
ENDLESS = 1 << 16
CLOSED = -1


class Server:
    """Answers by path, on all of 127.0.0.0/8; remembers who asked for what, and which key it showed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((f"{self.headers['Host'].partition(':')[0]}{self.path}", self.headers.get("X-Key")))
                server.answer(self)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)  # noqa: S104 - two names of this machine are needed
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        leads = {
            "/elsewhere": f"http://127.0.0.2:{self.port}/page",
            "/file": "file:///etc/passwd",
            "/other-port": "http://127.0.0.1:9/page",
            "/with-password": f"http://me:pw@127.0.0.1:{self.port}/page",
            "/moved": "/page",
            "/circle": "/circle",
        }
        if path in leads:
            request.send_response(302)
            request.send_header("Location", leads[path])
            request.end_headers()
        elif path == "/endless":
            request.send_response(200)
            request.end_headers()
            self.sent = 0
            try:
                while True:
                    self.sent += request.wfile.write(JPEG.ljust(ENDLESS))
            except OSError:
                return
        elif path == "/bomb":
            content = gzip.compress(gzip.compress(bytes(1 << 20)))
            request.send_response(200)
            request.send_header("Content-Encoding", "gzip, gzip")
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        else:
            content = b'{"value": 1}' if path == "/page" else JPEG
            request.send_response(404 if path == "/missing" else 200)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    with _running(Server()) as one:
        yield one


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    server._thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        server._thread.join()
        server._server.server_close()


class Taken:
    """Takes what a source hears, and says when something came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.came = asyncio.Event()

    async def messages(
        self, heard: Sequence[Heard], places: Mapping[str, str] | None = None, *, missed: int = 0
    ) -> Sequence[Answer]:
        del places, missed
        self.bodies += [one.payload for one in heard]
        self.came.set()
        return []

    async def reads(self, *_: Any) -> None:
        raise AssertionError("no reader is asked")

    async def frame(self, jpeg: bytes) -> None:
        self.bodies.append(jpeg)
        self.came.set()


async def outcome(source: Poll | Camera) -> tuple[list[bytes], list[str]]:
    """What a source took first, or why it took nothing."""
    taken = Taken()
    with capture_logs() as logs:
        running = asyncio.create_task(source.run(taken, {}))
        async with asyncio.timeout(20):
            while not (logs or taken.came.is_set()):  # noqa: ASYNC110 - structlog tells nobody
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return taken.bodies, [str(one) for one in logs]


def poll(url: str) -> Poll:
    return Poll("p", [url], every_s=60, headers={"X-Key": KEY})


def camera(url: str) -> Camera:
    return Camera("c", url, every_s=60, username="me", password=KEY)


@pytest.mark.parametrize("make", [poll, camera])
@pytest.mark.parametrize("path", ["/elsewhere", "/other-port", "/file", "/with-password", "/circle"])
async def test_no_source_is_led_elsewhere_and_its_key_is_shown_to_nobody_else(
    server: Server, make: Any, path: str
) -> None:
    taken, logs = await outcome(make(server.at(path)))
    assert taken == []
    assert {where for where, _ in server.asked} == {f"127.0.0.1{path}"}
    assert "it leads" in logs[0] or "it answers 302" in logs[0] or "Unsupported" in logs[0]
    assert KEY not in "".join(logs)
    assert "me:pw" not in "".join(logs)


async def test_a_page_that_moved_within_its_server_is_found(server: Server) -> None:
    taken, _ = await outcome(poll(server.at("/moved")))
    assert taken == [b'{"value": 1}']
    assert [key for _, key in server.asked] == [KEY, KEY]


@pytest.mark.parametrize("make", [poll, camera])
async def test_what_never_ends_is_given_up_and_fills_no_memory(server: Server, make: Any) -> None:
    taken, logs = await outcome(make(server.at("/endless")))
    assert taken == []
    assert "longer than" in logs[0]


@pytest.mark.parametrize("make", [poll, camera])
async def test_what_is_packed_more_than_once_is_not_unpacked(server: Server, make: Any) -> None:
    taken, logs = await outcome(make(server.at("/bomb")))
    assert taken == []
    assert "packed more than once" in logs[0]


@pytest.mark.parametrize("make", [poll, camera])
async def test_what_is_in_an_address_after_its_path_is_not_told(server: Server, make: Any) -> None:
    taken, logs = await outcome(make(server.at("/missing?key=planted-in-the-query")))
    assert taken == []
    assert "it answers 404" in logs[0]
    assert "planted" not in "".join(logs)


async def test_a_picture_is_taken_whole(server: Server) -> None:
    assert (await outcome(camera(server.at("/picture"))))[0] == [JPEG]


@asynccontextmanager
async def pushed_to(limits: Limits) -> AsyncIterator[tuple[int, Taken]]:
    """A listener, and what it took."""
    (port,), taken = free_ports(1), Taken()
    listener = Push("p", "127.0.0.1", port, path="/", token=KEY, headers=(), limits=limits)
    running = asyncio.create_task(listener.run(taken, {}))
    async with asyncio.timeout(20):
        while await status(port) == 0:  # noqa: ASYNC110 - it tells nobody that it listens
            await asyncio.sleep(0.01)
    try:
        yield port, taken
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def status(port: int, *pieces: bytes) -> int:
    """What is answered; 0: nobody listens; CLOSED: it hung up before what it said was read."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0
    try:
        for piece in pieces or (b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",):
            writer.write(piece)
        said = await reader.readline()
    except ConnectionError:
        return CLOSED
    else:
        return int(said.split()[1]) if said else CLOSED
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def push(length: int, token: str = KEY) -> bytes:
    head = f"POST / HTTP/1.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % length


async def test_what_is_pushed_is_bounded_in_size() -> None:
    async with pushed_to(Limits(1_000, 10, 100)) as (port, taken):
        assert await status(port, push(1_000), b"x" * 1_000) == 204
        assert await status(port, push(1_001), b"x" * 1_001) == 413
        assert await status(port, b"POST / HTTP/1.1\r\n", *[b"x-another: %d\r\n" % n for n in range(9_000)]) in (
            431,
            CLOSED,
        )
    assert taken.bodies == [b"x" * 1_000]


async def test_who_pushes_too_often_is_told_so_with_any_token() -> None:
    async with pushed_to(Limits(1_000, 10, 0.5)) as (port, _):
        answers = [await status(port, push(1), b"x") for _ in range(3)]
        answers += [await status(port, push(1, "guessed"), b"x") for _ in range(5)]
    assert answers[:4] == [204, 204, 204, 401]
    assert answers[-1] == 429


async def test_so_many_connections_and_no_more() -> None:
    async with pushed_to(Limits(1_000, 3, 100)) as (port, _):
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await status(port, push(1), b"x") in (503, CLOSED)
        for _, writer in waiting:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(10):
            while await status(port, push(1), b"x") != 204:  # noqa: ASYNC110 - nor that one is gone
                await asyncio.sleep(0.01)
