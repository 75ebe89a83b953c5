"""What a window that is released once more says: the same as before, or that it was revised, and when. Pure.

Live is never revised: whoever heard the window keeps what it heard, and finds in history that it changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from broker import times
from broker.points import Cursor, Point

MARK = "revised"


def revised(before: Mapping[Cursor, Point], now: Iterable[Point], moment: int) -> list[Point]:
    """What is to be written of `now`: windows that are new, and with the mark those that say something else than before."""
    return [
        point if known is None else _marked(point, moment)
        for point in now
        if (known := before.get(point.cursor)) is None or not _same(known, point)
    ]


def _same(before: Point, now: Point) -> bool:
    said = _members(before)
    said.pop(MARK, None)
    return before.value == now.value and said == _members(now)


def _marked(point: Point, moment: int) -> Point:
    extra = msgspec.json.encode({**_members(point), MARK: times.text(moment)})
    return Point(point.time, point.value, point.key, extra.decode())


def _members(point: Point) -> dict[str, object]:
    return msgspec.json.decode(point.extra, type=dict[str, object]) if point.extra else {}
