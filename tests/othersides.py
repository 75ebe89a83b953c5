"""What stands on the other side of `mitoyen gateway` in tests: an LLRP reader, pages, a file with a token."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import av
import numpy as np
from llrpkit.emulator import EmulatedTag, LLRPEmulator

from mitoyen.ports import free_ports
from tests.mqtt import Client
from tests.servers import Mosquitto, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from PIL import Image


def secret(folder: Path, said: str) -> str:
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(said)
    return "token"


@contextmanager
def emulated(tags: list[bytes]) -> Iterator[int]:
    """An LLRP reader that sees these tags, by TCP; its port."""
    started: list[int] = []
    ready, end = threading.Event(), threading.Event()

    async def stand() -> None:
        seen = [EmulatedTag(tag, antennas=(1 + place % 2,)) for place, tag in enumerate(tags)]
        async with LLRPEmulator(tags=seen, reads_per_sec=200) as reader:
            started.append(reader.port)
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(stand()))
    thread.start()
    try:
        assert ready.wait(10)
        yield started[0]
    finally:
        end.set()
        thread.join()


def _mjpeg(body: bytes) -> type[BaseHTTPRequestHandler]:
    class Stream(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=between")
            self.end_headers()
            part = b"--between\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(body), body)
            with suppress(OSError):  # whoever looked has gone
                while True:
                    self.wfile.write(part)
                    time.sleep(0.1)  # the camera's own pace

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Stream


@contextmanager
def mjpeg(body: bytes) -> Iterator[str]:
    """A camera that shows this picture ten times a second without end; where it is."""
    with _listening(_mjpeg(body)) as url:
        yield f"{url}/stream"


class RtspServer(Server):
    """aio-rtsp-toolkit's server, which plays an H.264 video of this picture again and again."""

    def __init__(self, directory: Path, drawn: Image.Image) -> None:
        super().__init__(directory)
        self._port, self._control = free_ports(2)
        self._films = directory / "films"
        self._films.mkdir()
        _film(self._films / "street.mp4", drawn)
        self.url = f"rtsp://127.0.0.1:{self._port}/street.mp4"

    def command(self) -> list[str]:
        own = ["-d", str(self._films), "-H", "127.0.0.1", "-p", str(self._port), "-cp", str(self._control)]
        return [str(Path(sys.executable).with_name("rtsp-server")), *own]

    def ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


def _film(path: Path, drawn: Image.Image) -> None:
    """Ten seconds, a key frame every half a second."""
    with av.open(path, "w") as film:
        stream = film.add_stream("libx264", rate=10, options={"g": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *drawn.size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.asarray(drawn), format="rgb24")
        for number in range(100):
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


@contextmanager
def served(pages: Mapping[str, bytes]) -> Iterator[str]:
    """A web server with these pages, by path; where it is."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with _listening(Page) as url:
        yield url


@contextmanager
def _listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Tap(Client):
    """Hears every byte that a gateway sends, on a Mosquitto in the broker's place."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker.login, "tap")
        self.heard: list[tuple[str, bytes]] = []
        self._client.on_message = self._hear
        self._client.on_subscribe = lambda *_: self._note("subscribed", True)

    def _hear(self, _client: object, _data: object, message: Any) -> None:
        with self._something:
            self.heard.append((message.topic, message.payload))
            self._something.notify_all()

    def await_that(self, holds: Callable[[], bool]) -> None:
        self._await(holds, f"it does not hold of {[(topic, said[:200]) for topic, said in self.heard]}")

    def __enter__(self) -> Self:
        super().__enter__()
        self._client.subscribe("#")
        self._await(lambda: "subscribed" in self._noted, "no answer to SUBSCRIBE")
        return self
