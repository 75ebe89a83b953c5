"""MJPEG: pictures as the parts of a `multipart/x-mixed-replace` answer that does not end. Pure."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r"multipart/x-mixed-replace\b.*?\bboundary=\"?([^\";\s]{1,200})", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length:\s*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)
_LONGEST_HEADING = 4_096


def boundary(content_type: str) -> bytes | None:
    """What stands between the parts, or None if the answer is no such stream."""
    found = _BOUNDARY.match(content_type)
    return (
        b"--" + found[1].removeprefix("--").encode() if found else None
    )  # some cameras write the dashes there as well


class Parts:
    """Cuts a stream into parts of at most `most` bytes. Raises ValueError when what comes is no such stream."""

    def __init__(self, between: bytes, most: int) -> None:
        self._between, self._most = between, most
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The parts that are whole now."""
        self._buffer += chunk
        found: list[bytes] = []
        while (part := self._next()) is not None:
            found.append(part)
        if len(self._buffer) > self._most + _LONGEST_HEADING:
            raise ValueError(f"a part is longer than {self._most} bytes")
        return found

    def _next(self) -> bytes | None:
        begin = self._buffer.find(self._between)
        heading_end = self._buffer.find(b"\r\n\r\n", begin)
        if begin < 0 or heading_end < 0:
            return None
        body = heading_end + 4
        length = _LENGTH.search(self._buffer, begin, heading_end)
        end = body + int(length[1]) if length else self._buffer.find(b"\r\n" + self._between, body)
        if end < 0 or end > len(self._buffer):
            return None
        part, self._buffer = self._buffer[body:end], self._buffer[end:]
        return part
