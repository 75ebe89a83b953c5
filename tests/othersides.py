"""What stands on the other side of `mitoyen gateway` in tests: an LLRP reader, pages, a file with a token."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from llrpkit.emulator import EmulatedTag, LLRPEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
