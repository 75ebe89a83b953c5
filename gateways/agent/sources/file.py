"""A file that something else writes, one message a line. It is followed like `tail -F`: a new file of that name is begun anew."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import structlog

from gateways.agent.sources.source import Heard, Taker

log = structlog.get_logger()

LOOK_S = 0.5  # how often it is looked whether there is more
AT_ONCE = 1 << 20
"""Bytes that are read at a time, and the longest line."""


class File:
    """Reads `path`. Without `follow` it ends with the file."""

    def __init__(self, name: str, path: Path, *, follow: bool) -> None:
        self._name, self._path, self._follow = name, path, follow

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        inode, _, offset = places.get(self._name, "0:0").partition(":")
        begin = int(offset) if self._inode() == int(inode) else 0
        while True:
            if (file := self._open(begin)) is not None:
                with file:
                    await self._read(file, taker)
            if not self._follow:
                return
            begin = 0
            await asyncio.sleep(LOOK_S)

    async def _read(self, file: BinaryIO, taker: Taker) -> None:
        """Hand over its lines, until the end of one that is not followed, or that another took the place of."""
        inode, at, over_long = os.fstat(file.fileno()).st_ino, file.tell(), False
        while True:
            chunk = file.read(AT_ONCE)
            whole = chunk[: chunk.rfind(b"\n") + 1]
            if not whole and len(chunk) == AT_ONCE:  # the middle of a line that is too long
                log.warning("line_skipped", file=str(self._path), reason=f"longer than {AT_ONCE} bytes")
                at, over_long = at + len(chunk), True
                continue
            if not whole:
                if not self._follow:
                    await self._hand_over([] if over_long else [chunk], f"{inode}:{at + len(chunk)}", taker)
                    return
                if self._replaced(inode, at):
                    return
                file.seek(at)
                await asyncio.sleep(LOOK_S)
                continue
            at += len(whole)
            file.seek(at)
            await self._hand_over(whole.split(b"\n")[over_long:], f"{inode}:{at}", taker)
            over_long = False

    async def _hand_over(self, lines: list[bytes], place: str, taker: Taker) -> None:
        now = time.time_ns()
        heard = [Heard(self._path.name, line, now + number) for number, line in enumerate(lines) if line.strip()]
        await taker.messages(heard, {self._name: place})

    def _open(self, begin: int) -> BinaryIO | None:
        try:
            file = self._path.open("rb")
        except OSError as error:
            log.warning("file_not_read", file=str(self._path), reason=str(error))
            return None
        file.seek(begin if os.fstat(file.fileno()).st_size >= begin else 0)
        return file

    def _replaced(self, inode: int, at: int) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        return there.st_ino != inode or there.st_size < at

    def _inode(self) -> int:
        try:
            return self._path.stat().st_ino
        except OSError:
            return -1
