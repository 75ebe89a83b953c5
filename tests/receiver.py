"""Somebody else's HTTP server that takes webhooks: keeps what it is sent, and answers what it is told to."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

AWAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.body)
        return made


class Receiver:
    """On a free port of this machine. `answers`: the statuses to answer with, then 204."""

    def __init__(self, *answers: int, certificate: Path | None = None, key: Path | None = None) -> None:
        self.taken: list[Taken] = []
        self._answers = deque(answers)
        self._something = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver")

    def await_taken(self, count: int) -> list[Taken]:
        with self._something:
            assert self._something.wait_for(lambda: len(self.taken) >= count, AWAIT_S), self.taken
            return list(self.taken)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._something:
                    status = receiver._answers.popleft() if receiver._answers else 204
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.taken.append(Taken(self.path, headers, body))
                    receiver._something.notify_all()
                self.send_response(status)
                self.send_header("Location", f"{receiver.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test says what it saw."""

        return Handler
