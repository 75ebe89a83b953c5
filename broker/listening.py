"""The bounds of an HTTP listener, which uvicorn has none of: how many connections, how large a request's head, how soon it has to be there.

Without them whoever opens connections and says nothing, or begins a header that never ends, takes all descriptors and all memory there are, and needs no key
for it. Used by every part that listens to HTTP: the HTTP side, and a gateway that is pushed to. What a body may be is known where it is read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from broker.metrics import LIMITED


@dataclass(frozen=True, slots=True)
class Bounds:
    """`head_bytes` is looked at whenever something came and the head is not there yet, so that one that comes in one piece may have some more."""

    connections: int
    head_bytes: int
    within_s: float
    """From the connection, or a further request's first byte, to the end of the head."""


def protocol(bounds: Bounds) -> type[asyncio.Protocol]:
    """What uvicorn is given as `http`."""
    return type("Bounded", (_Bounded,), {"bounds": bounds})


class _Bounded(HttpToolsProtocol):
    bounds: Bounds
    _due: asyncio.TimerHandle | None = None
    """Set while a head is waited for."""
    _head = 0
    _piece = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "connections")
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._piece = len(data)
        super().data_received(data)
        self._head += len(data)
        if self._due is not None and self._head > self.bounds.head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = -self._piece  # of this piece some may be the request's before
        if self._due is None:
            self._expect()

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def _expect(self) -> None:
        self._due = self.loop.call_later(self.bounds.within_s, self._refuse, HTTPStatus.REQUEST_TIMEOUT, "slow")

    def _arrived(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _refuse(self, status: HTTPStatus, limit: str) -> None:
        LIMITED.labels(limit).inc()
        self._arrived()
        # with an answer under way this would be taken for a part of it
        if self.cycle is None or self.cycle.response_complete:
            said = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(said.encode())
        self.transport.close()
