"""A small HTTP listener for what pushes: TTN's and ChirpStack's webhooks, Sensor.Community's stations, openSenseMap's boxes.

Who pushes shows the token, as `Authorization: Bearer TOKEN` or as the password of Basic (RFC 7617), which is all that some stations can.
The answer comes when it is kept: 204, or 401, 408, 413, 429 with the reason.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from broker import listening
from broker.listening import Bounds
from gateways.agent.sources.source import Heard, Taker

log = structlog.get_logger()

QUIET_S = 30  # how long a client may say nothing
HEAD_BYTES = 16 << 10
BURST_S = 10  # how many seconds' worth of requests may come at once


@dataclass(frozen=True, slots=True)
class Limits:
    """What the listener takes."""

    bytes: int
    """Of a body."""
    connections: int
    per_second: float


class Push:
    """Listens at `host:port`. A message's topic: the path below `path`, or these `headers`' values."""

    def __init__(
        self, name: str, host: str, port: int, *, path: str, token: str, headers: Sequence[str], limits: Limits
    ) -> None:
        self._name, self._host, self._port = name, host, port
        self._path, self._token, self._headers = path.rstrip("/"), token.encode(), headers
        self._limits = limits
        self._left, self._counted = limits.per_second * BURST_S, time.monotonic()

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # who got no 204 sends again

        async def take(request: Request) -> Response:
            return await self._take(request, taker)

        paths = [self._path or "/", self._path + "/{topic:path}"]
        app = Starlette(routes=[Route(path, take, methods=["POST", "PUT"]) for path in paths])
        settings = uvicorn.Config(
            app, self._host, self._port, log_config=None, access_log=False, server_header=False, lifespan="off",
            http=listening.protocol(Bounds(self._limits.connections, HEAD_BYTES, QUIET_S)), timeout_keep_alive=QUIET_S,
        )  # fmt: skip
        log.info("listening", source=self._name, host=self._host, port=self._port)
        server = _Server(settings)
        try:
            await server.serve()
        finally:
            if server.started:
                server.force_exit = True  # nobody is waited for: who got no answer sends again
                await server.shutdown()

    async def _take(self, request: Request, taker: Taker) -> Response:
        if not self._in_time():
            return PlainTextResponse("too many requests\n", 429, {"Retry-After": "1"})
        if not self._knows(request.headers.get("Authorization", "")):
            return PlainTextResponse(
                "expected this source's token\n", 401, {"WWW-Authenticate": 'Basic realm="gateway"'}
            )
        try:
            async with asyncio.timeout(QUIET_S):
                body = await self._body(request)
        except TimeoutError:
            return PlainTextResponse(f"a body arrives within {QUIET_S} s\n", 408, {"Connection": "close"})
        if body is None:
            return PlainTextResponse(f"at most {self._limits.bytes} bytes are taken\n", 413, {"Connection": "close"})
        await taker.messages([Heard(self._topic(request), body, time.time_ns())])
        return Response(status_code=204)

    def _in_time(self) -> bool:
        """Whether it is not one too many: a token bucket for all who push together, since a wrong token says nothing of who it is."""
        now = time.monotonic()
        rate = self._limits.per_second
        self._left = min(self._left + (now - self._counted) * rate, rate * BURST_S)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def _body(self, request: Request) -> bytes | None:
        """None: it is too large."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limits.bytes:
                return None
        return bytes(body)

    def _topic(self, request: Request) -> str:
        named = [request.headers[name] for name in self._headers if name in request.headers]
        return "/".join(named) if named else str(request.path_params.get("topic", ""))

    def _knows(self, authorisation: str) -> bool:
        scheme, _, given = authorisation.partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode(errors="replace").partition(":")[2]
            except binascii.Error:
                return False
        return hmac.compare_digest(given.strip().encode(), self._token)


class _Server(uvicorn.Server):
    """One of several things that this process does, so that signals are not for it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
