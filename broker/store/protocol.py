"""What a store of points does. Two implementations, one contract suite: `tests/contract/test_store.py`.

A store is used from one thread at a time and its calls block; whoever serves an event loop calls it from a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from broker.points import Columns, Cursor, Point, Rows


class Store(Protocol):
    """Points by stream and time."""

    def write(self, rows: Rows) -> None:
        """Keep every row; one that exists with the same `(stream, time, key)` is replaced.

        When it returns, the rows are as durable as the store makes them. A row later in `rows` wins over an earlier one.
        Raises StoreUnavailable (nothing, or not all, was kept; writing all again is harmless) and StoreRejected.
        """

    def read(
        self,
        stream: str,
        start: int,
        end: int,
        *,
        after: Cursor | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Point]:
        """At most `limit` points with `start <= time < end` (ns), ordered by time, then key (by code point), or the other way round.

        With `after`, only those that come later than this place in that order. An unknown stream has no points.
        Raises StoreUnavailable.
        """

    def columns(self, stream: str, start: int, end: int, *, after: Cursor | None = None, limit: int) -> Columns:
        """The same as `read`, oldest first, in columns."""

    def count(self, stream: str, start: int, end: int) -> int:
        """How many points have `start <= time < end`. Raises StoreUnavailable."""

    def latest(self, streams: Iterable[str]) -> dict[str, Point]:
        """The point with the greatest time (and of these the greatest key) of each stream that has one."""

    def erase(self, stream: str) -> None:
        """Forget every point of a stream."""

    def erase_keys(self, stream: str, keys: Iterable[str]) -> None:
        """Forget every point of a stream that has one of these keys, as durably as `erase`. Raises StoreUnavailable."""

    def close(self) -> None:
        """Give back what is held."""
