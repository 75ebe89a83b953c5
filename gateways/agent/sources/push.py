"""A small HTTP listener for what pushes: TTN's and ChirpStack's webhooks, Sensor.Community's stations, openSenseMap's boxes.

Who pushes shows the token, as `Authorization: Bearer TOKEN` or as the password of Basic (RFC 7617), which is all that some stations can.
The answer comes when it is kept: 204, or 401, 413, 422 with the reason.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import time
from collections.abc import Iterator, Mapping, Sequence

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateways.agent.sources.source import Heard, Taker

log = structlog.get_logger()

MOST_BYTES = 1 << 20  # a station sends 1 KB, a webhook's batch some more
AT_ONCE = 50  # requests; more are answered 503, and come again
QUIET_S = 30  # how long a client may say nothing


class Push:
    """Listens at `host:port`. A message's topic: the path below `path`, or these `headers`' values."""

    def __init__(self, name: str, host: str, port: int, *, path: str, token: str, headers: Sequence[str]) -> None:
        self._name, self._host, self._port = name, host, port
        self._path, self._token, self._headers = path.rstrip("/"), token.encode(), headers

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # who got no 204 sends again

        async def take(request: Request) -> Response:
            return await self._take(request, taker)

        paths = [self._path or "/", self._path + "/{topic:path}"]
        app = Starlette(routes=[Route(path, take, methods=["POST", "PUT"]) for path in paths])
        settings = uvicorn.Config(
            app, self._host, self._port, log_config=None, access_log=False, server_header=False, lifespan="off",
            limit_concurrency=AT_ONCE, timeout_keep_alive=QUIET_S,
        )  # fmt: skip
        log.info("listening", source=self._name, host=self._host, port=self._port)
        await _Server(settings).serve()

    async def _take(self, request: Request, taker: Taker) -> Response:
        if not self._knows(request.headers.get("Authorization", "")):
            return PlainTextResponse(
                "expected this source's token\n", 401, {"WWW-Authenticate": 'Basic realm="gateway"'}
            )
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return PlainTextResponse(f"at most {MOST_BYTES} bytes are taken\n", 413)
        heard = Heard(self._topic(request), body, time.time_ns())
        await taker.messages([heard])
        return Response(status_code=204)

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
