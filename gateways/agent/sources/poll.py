"""A page that is asked for again and again, such as a bike share's GBFS or a public API.

An answer that did not change is passed over, but for one now and then: what it says may be of a datastream that was made since.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import structlog

from gateways.agent.sources import web
from gateways.agent.sources.source import Heard, Taker

log = structlog.get_logger()

AGAIN_S = 900.0  # how long at most an answer is passed over
PATIENCE_S = 30.0
MOST_BYTES = 32 << 20  # a large city's feed has 5 MB


class _Seen(NamedTuple):
    """A page's answer that was taken last."""

    tag: str | None
    """Its entity tag (RFC 9110, 8.8.3)."""
    digest: bytes
    taken: float


class Poll:
    """Asks for each of `urls` every `every_s` seconds."""

    def __init__(self, name: str, urls: Sequence[str], *, every_s: float, headers: Mapping[str, str]) -> None:
        self._name, self._urls, self._every_s, self._headers = name, urls, every_s, headers
        self._seen: dict[str, _Seen] = {}

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # nothing is behind: a page shows what is now
        async with httpx.AsyncClient(timeout=PATIENCE_S, headers=dict(self._headers)) as client:
            while True:
                begun = time.monotonic()
                for url in self._urls:
                    if (heard := await self._ask(client, url)) is not None:
                        await taker.messages([heard])
                await asyncio.sleep(max(self._every_s - (time.monotonic() - begun), 0))

    async def _ask(self, client: httpx.AsyncClient, url: str) -> Heard | None:
        seen = self._seen.get(url)
        if seen is not None and seen.taken < time.monotonic() - AGAIN_S:
            seen = None
        try:
            async with web.answered(client, url, {"If-None-Match": seen.tag} if seen and seen.tag else {}) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                answer.raise_for_status()
                body = await web.body(answer, MOST_BYTES)
        except (httpx.HTTPError, ValueError) as error:
            log.warning("page_not_read", source=self._name, url=_shown(url), reason=web.reason(error))
            return None
        digest = hashlib.sha256(body).digest()
        if seen is not None and seen.digest == digest:
            return None
        self._seen[url] = _Seen(answer.headers.get("ETag"), digest, time.monotonic())
        return Heard(urlsplit(url).path.strip("/"), body, time.time_ns())


def _shown(url: str) -> str:
    """Without what may be a key."""
    return url.partition("?")[0]
