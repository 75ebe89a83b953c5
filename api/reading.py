"""Reading a release's history in pages, as it is or downsampled. Blocking; memory holds a page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from broker import statistics, times
from broker.errors import Malformed
from broker.points import Columns, Cursor, Point
from broker.store.protocol import Store

PAGE = 5_000
"""Points read at once: 1 MB, and 30 ms of work between two looks at whether it is still permitted."""
TABLE = 20_000
"""The same where a table is made of them; a group of rows in Parquet."""
COLUMNS = 50_000
"""The same of what is read in columns: a month of minutes at once, 5 MB."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked of a stream: `start <= time < end` (ns), after a place in it."""

    stream: str
    start: int
    end: int
    after: Cursor | None = None


def pages(store: Store, span: Span, still: Callable[[], None], size: int = PAGE) -> Iterator[list[Point]]:
    """All of a span, in pages of `size`; `still` raises when reading is no longer permitted."""
    after = span.after
    while page := store.read(span.stream, span.start, span.end, after=after, limit=size):
        yield page
        if len(page) < size:
            return
        after = page[-1].cursor
        still()


def columns(store: Store, span: Span, still: Callable[[], None]) -> Iterator[Columns]:
    """The same in columns."""
    after = span.after
    while page := store.columns(span.stream, span.start, span.end, after=after, limit=COLUMNS):
        yield page
        if len(page) < COLUMNS:
            return
        after = page.cursor
        still()


def downsampled(found: Iterator[list[Point]], interval: int, statistic: statistics.Statistic) -> Iterator[list[Point]]:
    """One point an interval that has numbers; intervals begin at multiples of their length since 1970 (ns)."""
    rest: list[Point] = []
    for page in found:
        rest += [point for point in page if type(point.value) in (int, float)]
        if not rest:
            continue
        last = rest[-1].time - rest[-1].time % interval  # this interval may go on in the next page
        ready = [point for point in rest if point.time < last]
        rest = rest[len(ready) :]
        if ready:
            yield _grouped(ready, interval, statistic)
    if rest:
        yield _grouped(rest, interval, statistic)


def _grouped(points: list[Point], interval: int, statistic: statistics.Statistic) -> list[Point]:
    times_ns = np.fromiter((point.time for point in points), np.int64, len(points))
    values = np.fromiter((float(point.value) for point in points), np.float64, len(points))
    starts, which = np.unique(times_ns - times_ns % interval, return_inverse=True)
    column = statistics.statistics(values, which, [statistic])[statistic]
    return [
        Point(int(start), column[i].item(), "", _extra(int(start) + interval, statistic, column[i].item()))
        for i, start in enumerate(starts)
        if np.isfinite(column[i])
    ]


def _extra(until: int, statistic: str, value: float) -> str:
    return msgspec.json.encode({"until": times.text(until), "statistics": {statistic: value}}).decode()


def encode_place(number: int, point: Point) -> str:
    """A place in the streams of several releases: in which, and where there."""
    return f"{number}.{encode_cursor(point)}"


def decode_place(text: str) -> tuple[int, Cursor]:
    """Raises Malformed."""
    number, dot, cursor = text.partition(".")
    if not dot or not number.isdecimal() or not number.isascii():
        raise Malformed(f"cursor {text[:80]!r}: expected one that an earlier answer gave")
    return int(number), decode_cursor(cursor)


def encode_cursor(point: Point) -> str:
    """A place in a stream as text that fits in a URL."""
    return base64.urlsafe_b64encode(f"{point.time}|{point.key}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """Raises Malformed."""
    try:
        time, bar, key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
        if not bar or not -(2**63) <= int(time) < 2**63:
            raise ValueError(text)
        return int(time), key
    except (ValueError, binascii.Error, UnicodeDecodeError) as error:
        raise Malformed(f"cursor {text[:80]!r}: expected one that an earlier answer gave") from error
