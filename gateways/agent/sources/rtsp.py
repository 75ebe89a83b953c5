"""A camera that speaks RTSP (RFC 7826), read through FFmpeg's libraries by PyAV, in a process of its own (`rtsp_reader.py`).

A video is decoded only where a picture stands whole in it (a key frame), which cameras send every second or two, and at most one in `every_s`
is handed over. By TCP, so that a firewall lets it through and no picture arrives with holes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import quote, urlsplit, urlunsplit

import structlog

from broker.errors import Malformed, Unavailable
from gateways.agent.sources.rtsp_reader import LENGTH, Wanted, packed
from gateways.agent.sources.source import Taker
from gateways.agent.waits import waits

log = structlog.get_logger()

PATIENCE_S = (
    30.0  # for the next picture, beyond `every_s`: starting and finding the stream takes seconds on a Raspberry Pi
)


class Rtsp:
    """Looks at `url`."""

    def __init__(self, name: str, url: str, *, every_s: float, username: str | None, password: str) -> None:
        """Raises Malformed where PyAV is not installed."""
        if importlib.util.find_spec("av") is None:
            raise Malformed("RTSP needs PyAV, which is not installed: pip install 'mitoyen[rtsp]'")
        self._name, self._every_s = name, every_s
        self._wanted = packed(Wanted(_with_login(url, username, password), every_s))

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        del places  # what is past is not asked for
        pauses = waits()
        while True:
            try:
                async with aclosing(self._pictures()) as pictures:
                    async for picture in pictures:
                        await taker.frame(picture)
                        pauses = waits()
            except (Unavailable, TimeoutError) as error:
                log.warning("picture_not_read", source=self._name, reason=str(error) or "nothing came")
            await asyncio.sleep(next(pauses))

    async def _pictures(self) -> AsyncGenerator[bytes, None]:
        """As they come. Raises Unavailable with what the reader said last, and TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateways.agent.sources.rtsp_reader",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._wanted)
            while True:
                async with asyncio.timeout(PATIENCE_S + self._every_s):
                    length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
                    said = await process.stdout.readexactly(length)
                if not said.startswith(b"\xff\xd8"):
                    raise Unavailable(said.decode(errors="replace"))
                yield said
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Unavailable("the reader of the stream died") from error
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _with_login(url: str, username: str | None, password: str) -> str:
    """The address as FFmpeg takes it. It goes by a pipe: what a command line says is seen by every user of the machine."""
    if username is None:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{parts.netloc}"))
