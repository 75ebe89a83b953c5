"""Workers from the side of whoever has pictures: started, asked, given up after a time, started again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from broker.errors import Unavailable
from broker.vision.wire import LENGTH, Answer, Asked, Done, Failed, Ready, Setup, answer, packed

START_S = 60.0  # opening three networks takes half a second alone, and much longer on a machine that does everything else first


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that is ready. One picture at a time."""

    process: asyncio.subprocess.Process

    async def cover(self, asked: Asked, within_s: float) -> Done | Failed:
        """Its answer. Raises TimeoutError and Unavailable, and then the worker is of no more use."""
        said = await _ask(self.process, packed(asked), within_s)
        if isinstance(said, Ready):
            raise Unavailable("the worker answers out of turn")
        return said


@asynccontextmanager
async def worker(setup: Setup) -> AsyncIterator[Worker]:
    """Start one; it is killed at the end. Raises Unavailable if it does not get ready, `no model …` where that is why."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "faulthandler", "-m", "broker.vision.worker", stdin=pipe, stdout=pipe, limit=1 << 20
    )
    try:
        try:
            said = await _ask(process, packed(setup), START_S)
        except TimeoutError as error:
            raise Unavailable("a worker did not get ready") from error
        if isinstance(said, Failed):
            raise Unavailable(said.detail)
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ask(process: asyncio.subprocess.Process, message: bytes, within_s: float) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(within_s):
            process.stdin.write(message)
            await process.stdin.drain()
            length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
            return answer(await process.stdout.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
        raise Unavailable(f"the worker died: {error}") from error
