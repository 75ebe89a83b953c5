"""Reading a file by ranges of bytes (RFC 9110, 14), as polars and duckdb read Parquet by its URL: first the end, then what they need.

A file that is made anew for each range would be another file each time, so it is kept for a while on disk, for the one who asked, and is
gone then: it has no name in any folder, so that it is gone with the process, too, however that ends. Whether it may still be read is decided for each request, and again for each piece of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

KEPT_S = 300.0  # a reader plans, then fetches: minutes for a large file
MOST_BYTES = 4 << 30  # of all files together; the oldest go first,
MOST = 200  # and of so many files
PIECE = 256 << 10  # bytes between two looks at whether it is still permitted
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Made:
    file: IO[bytes]
    size: int
    tag: str
    until: float


class Files:
    """Files that were made to be read by ranges."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def answer(
        self,
        request: Request,
        whose: str,
        media_type: str,
        make: Callable[[], Iterable[bytes]],
        still: Callable[[], None],
    ) -> Response:
        """The part that `request` asks for, of the file that `make` makes; `still` raises when reading is no longer permitted."""
        made = self._file(f"{whose} {request.url}", make)
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{made.tag}"', "Cache-Control": "private, no-store"}
        fresh = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
        asked = _RANGE.fullmatch(request.headers.get("range", "")) if fresh else None
        span = _span(asked, made.size)
        if span is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{made.size}"})
        first, last = span
        headers["Content-Length"] = str(last - first + 1)
        if asked:
            headers["Content-Range"] = f"bytes {first}-{last}/{made.size}"
        body = iter(()) if request.method == "HEAD" else _pieces(made.file, first, last, still)
        return StreamingResponse(body, 206 if asked else 200, headers, media_type)

    def _file(self, key: str, make: Callable[[], Iterable[bytes]]) -> _Made:
        with self._lock:
            self._tidy()
            making = self._making.setdefault(key, threading.Lock())
        with making:  # whoever asks for the same meanwhile waits for it, and for nothing else
            found = self._made.get(key)
            if found is None:
                found = self._write(key, make())
                with self._lock:
                    self._made[key] = found
                    del self._making[key]
            return found

    def _write(self, key: str, pieces: Iterable[bytes]) -> _Made:
        tag = hashlib.sha256(f"{key} {time.time_ns()}".encode()).hexdigest()[:32]
        file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as it is kept
        for piece in pieces:
            file.write(piece)
        file.flush()
        return _Made(file, file.tell(), tag, time.monotonic() + KEPT_S)

    def _tidy(self) -> None:
        while self._made:
            oldest = next(iter(self._made.values()))
            total = sum(made.size for made in self._made.values())
            if oldest.until > time.monotonic() and total <= MOST_BYTES and len(self._made) <= MOST:
                return
            self._made.popitem(last=False)  # whoever reads it has it open still


def _span(asked: re.Match[str] | None, size: int) -> tuple[int, int] | None:
    """First and last byte; the whole where no single range was asked for; None if there is no such part."""
    if asked is None or asked.groups() == ("", ""):
        return 0, size - 1
    first, last = asked.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else None
    if int(first) >= size:
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


def _pieces(file: IO[bytes], first: int, last: int, still: Callable[[], None]) -> Iterator[bytes]:
    for at in range(first, last + 1, PIECE):
        piece = os.pread(file.fileno(), min(PIECE, last + 1 - at), at)  # several read it at once
        still()
        yield piece
