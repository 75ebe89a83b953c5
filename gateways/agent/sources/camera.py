"""A camera that shows its picture over HTTP: one JPEG a request, or MJPEG, whose pictures follow one another without end.

MJPEG is `multipart/x-mixed-replace` (RFC 2046, 5.1, as browsers and cameras use it). Pictures are handed over as they come, at most one in
`every_s`, and none is kept: what is older than the newest is of no use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import httpx
import structlog

from gateways.agent.sources import web
from gateways.agent.sources.mjpeg import Parts, boundary
from gateways.agent.sources.source import Taker
from gateways.agent.waits import waits

log = structlog.get_logger()

PATIENCE_S = 10.0
MOST_BYTES = 2 << 20  # what Mosquitto takes
JPEG = b"\xff\xd8\xff"


class Camera:
    """Looks at `url`."""

    def __init__(self, name: str, url: str, *, every_s: float, username: str | None, password: str) -> None:
        self._name, self._url, self._every_s = name, url, every_s
        self._auth = httpx.DigestAuth(username, password) if username is not None else None

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # what is past is not asked for
        pauses = waits()
        async with httpx.AsyncClient(timeout=PATIENCE_S, auth=self._auth) as client:
            while True:
                pause = self._every_s
                try:
                    async for picture in self._pictures(client):
                        await taker.frame(picture)
                    pauses = waits()
                except (httpx.HTTPError, ValueError) as error:
                    log.warning("picture_not_read", source=self._name, reason=web.reason(error))
                    pause = next(pauses)
                await asyncio.sleep(pause)

    async def _pictures(self, client: httpx.AsyncClient) -> AsyncIterator[bytes]:
        """The one picture of an answer, or those of one that does not end, not more often than wanted."""
        async with web.answered(client, self._url) as answer:
            answer.raise_for_status()
            between = boundary(answer.headers.get("Content-Type", ""))
            if between is None:
                yield _jpeg(await web.body(answer, MOST_BYTES))
                return
            parts, due = Parts(between, MOST_BYTES), 0.0
            async for chunk in answer.aiter_bytes():
                pictures = parts.feed(chunk)
                if pictures and time.monotonic() >= due:
                    due = time.monotonic() + self._every_s
                    yield _jpeg(pictures[-1])


def _jpeg(picture: bytes) -> bytes:
    if not picture.startswith(JPEG):
        raise ValueError("expected a JPEG")
    return picture
