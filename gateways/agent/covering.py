"""Privacy at the edge: pictures are covered before they leave the owner's building, by the broker's own worker (`broker/vision/worker.py`).

In doubt nothing leaves: no model, no time, a picture that can't be read. One worker looks at all cameras in turn, at a low priority; it is
started with the first picture, since its networks take 250 to 900 MB, and again when it died.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Self

import structlog

from broker.errors import Unavailable
from broker.privacy.profile import Blur
from broker.vision import workers
from broker.vision.wire import Asked, Failed, Setup
from broker.vision.workers import Worker

log = structlog.get_logger()

TIMEOUT_S = 60.0  # a large picture takes 5 s on a server, and ten times as long on a Raspberry Pi
RETRY_S = 5.0  # how soon a worker that did not get ready is tried again


class Covering:
    """Ends its worker when the `with` ends."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._worker: Worker | None = None
        self._again = 0.0
        """When a worker may be started."""

    async def covered(self, source: str, blur: Blur, jpeg: bytes) -> bytes | None:
        """The picture as it may leave, or None."""
        asked = Asked(jpeg, blur.level, blur.faces, blur.plates, blur.masks, blur.soft)
        async with self._turn:
            try:
                said = await (await self._ready()).cover(asked, TIMEOUT_S)
            except (TimeoutError, Unavailable, OSError) as error:
                await self._end()
                said = Failed("not_covered", str(error) or f"it took longer than {TIMEOUT_S:g} s")
        if isinstance(said, Failed):
            log.warning("picture_withheld", source=source, reason=said.reason, detail=said.detail)
            return None
        return said.data

    async def _ready(self) -> Worker:
        if self._worker is None:
            if time.monotonic() < self._again:
                raise Unavailable("no worker is ready")
            self._again = time.monotonic() + RETRY_S
            self._worker = await self._stack.enter_async_context(workers.worker(self._setup))
        return self._worker

    async def _end(self) -> None:
        self._worker = None
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()
