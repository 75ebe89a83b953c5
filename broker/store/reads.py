"""Reading more of a stream than comes at once, a piece at a time: all of a time, or the reads of one tag, which no index knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from broker import times

if TYPE_CHECKING:
    from broker.points import Point
    from broker.store.protocol import Store

CHUNK = 10_000  # some 20 ms


def points_of(store: Store, stream: str, start: int, end: int) -> list[Point]:
    """All points of a stream from `start` up to `end` (ns), which is not included, oldest first. Raises StoreUnavailable."""
    points: list[Point] = []
    while chunk := store.read(stream, start, end, after=points[-1].cursor if points else None, limit=CHUNK):
        points.extend(chunk)
        if len(chunk) < CHUNK:
            break
    return points


def reads_of(raw: Store, stream: str, is_it: Callable[[str], bool]) -> Iterator[list[Point]]:
    """The reads in a raw stream of the tags that `is_it` says, oldest first, a list for each piece that has any."""
    after = None
    while chunk := raw.read(stream, times.EARLIEST, times.LATEST, after=after, limit=CHUNK):
        if found := [read for read in chunk if is_it(str(read.value))]:
            yield found
        after = chunk[-1].cursor
