"""What a gateway asks for over HTTP: whoever it asks leads it nowhere else, learns no key of others, fills no memory, and leaves no password in the log."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateways.agent.sources.camera import Camera
from gateways.agent.sources.poll import Poll

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateways.agent.sources.source import Answer, Heard

KEY = "planted-key-of-the-page"
JPEG = b"\xff\xd8\xff\xe0 a picture"
ENDLESS = 1 << 16


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
        self._thread = threading.Thread(target=self._server.serve_forever)

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
async def test_what_is_in_an_address_after_its_path_is_not_told(server: Server, make: Any) -> None:
    taken, logs = await outcome(make(server.at("/missing?key=planted-in-the-query")))
    assert taken == []
    assert "it answers 404" in logs[0]
    assert "planted" not in "".join(logs)


async def test_a_picture_is_taken_whole(server: Server) -> None:
    assert (await outcome(camera(server.at("/picture"))))[0] == [JPEG]
