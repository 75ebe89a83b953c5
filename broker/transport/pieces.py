"""What is longer than a message may be, as several, and put together again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

PIECE = "Mitoyen-Piece"
"""The header of each: a mark that all of one whole share, its number counted from 0, and of how many."""


def pieces(whole: bytes, most_bytes: int, mark: str) -> Iterator[tuple[dict[str, str], bytes]]:
    """The header and the body of each message, in order; of nothing one that is empty."""
    count = max(1, -(-len(whole) // most_bytes))
    for number in range(count):
        yield {PIECE: f"{mark} {number} {count}"}, whole[number * most_bytes : (number + 1) * most_bytes]


class Together:
    """Puts together what came, of several wholes at once, in any order and as often as it comes."""

    def __init__(self) -> None:
        self._came: dict[str, dict[int, bytes]] = {}

    def add(self, header: str, body: bytes) -> bytes | None:
        """The whole of which this was the last piece that lacked, else None. Raises ValueError for another's header."""
        mark, number, count = header.split(" ")
        came = self._came.setdefault(mark, {})
        came[int(number)] = body
        if len(came) < int(count):
            return None
        self._came.clear()  # what still lacks something is older, or another's
        return b"".join(came[one] for one in range(int(count)))
