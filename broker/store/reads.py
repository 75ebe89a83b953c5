"""Finding the reads of one tag, which no index knows: all of a stream is looked at, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from broker import times

if TYPE_CHECKING:
    from broker.points import Point
    from broker.store.protocol import Store

CHUNK = 10_000  # some 20 ms


def reads_of(raw: Store, stream: str, is_it: Callable[[str], bool]) -> Iterator[list[Point]]:
    """The reads in a raw stream of the tags that `is_it` says, oldest first, a list for each piece that has any."""
    after = None
    while chunk := raw.read(stream, times.EARLIEST, times.LATEST, after=after, limit=CHUNK):
        if found := [read for read in chunk if is_it(str(read.value))]:
            yield found
        after = chunk[-1].cursor
