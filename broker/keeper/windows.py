"""What a feed shows of points together: windows, one of each interval; when they are due, and where a long past is cut into pieces. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from broker.consent import NONE, Consents
from broker.keeper.plan import Feed
from broker.model import Datastream
from broker.points import Point
from broker.privacy.aggregate import Part, Windows, aggregate, start_of
from broker.privacy.location import cell_of
from broker.privacy.noise import drawn_from
from broker.privacy.transform import of_points, of_windows

Found: TypeAlias = Sequence[tuple[Datastream, list[Point]]]
"""The points of each datastream that a feed is made of."""


def finished(feed: Feed, points: list[Point]) -> list[Point]:
    """Windows after what comes after `aggregate` and noise."""
    return list(map(of_windows(feed.profile.after_windows), points))


def exact_windows(feed: Feed, found: Found, consents: Consents = NONE) -> Windows:
    """Windows of these with the statistics of the profile, or with those from which noise is drawn."""
    operator, noise = feed.profile.aggregate, feed.profile.noise
    assert operator is not None
    if noise is not None:
        operator = replace(operator, statistics=drawn_from(operator))
    parts, nowhere = [], 0
    hidden: Counter[str] = Counter()
    for source, points in found:
        cell = cell_of(source, feed.profile) if operator.by == "cell" else ""
        if cell is None:  # its owner took the place away
            nowhere += len(points)
        else:
            parts.append(Part(_prepared(feed, points, hidden), source.privacy_unit_id, cell))
    assets = tuple(prefix for source in feed.sources for prefix in source.asset_prefixes)
    tags = feed.datastream.kind == "rfid"

    def named(tag: str) -> bool:
        return tag.startswith(assets) or consents.names(tag)

    computed = aggregate(parts, operator, tags=tags, named=named, bound=noise.bound if noise else None)
    withheld = {**computed.withheld, **({"no_place": nowhere} if nowhere else {})}
    hidden.update({**computed.hidden, "no_place": nowhere})
    return Windows(computed.points, withheld, computed.shown, {reason: n for reason, n in hidden.items() if n})


def _prepared(feed: Feed, points: list[Point], hidden: Counter[str]) -> list[Point]:
    """What the operators before `aggregate` leave of points; the others are counted as `hidden`."""
    for change in filter(None, map(of_points, feed.profile.before_windows)):
        changed = [change(point) for point in points]
        points = [one for one in changed if isinstance(one, Point)]
        hidden.update(one for one in changed if isinstance(one, str))
    return points


def due_of(feed: Feed, start: int, lateness: int) -> int:
    """When (ns) the window that begins at `start` is released; `lateness` (ns) is how long records of it are waited for."""
    assert feed.window_ns is not None
    waits = lateness if feed.profile.aggregate is not None or feed.profile.by_trip else 0
    return start + feed.window_ns + max(waits, feed.profile.delay_ns)


def first_of_each(points: Iterable[Point], every: int) -> list[Point]:
    """The first that stands here of each interval of this length (ns)."""
    chosen: dict[int, Point] = {}
    for point in points:
        chosen.setdefault(start_of(point.time, every), point)
    return list(chosen.values())


def cut(chunks: Sequence[Sequence[Point]], limit: int, length: int) -> tuple[int, int]:
    """Of chunks of several streams, each the next `limit` points of one in order of time: where the first window begins, and up
    to where (ns) all points are there. That is not after the beginning, where a window is longer than a chunk.

    `length`: of a window (ns). At least one chunk has a point.
    """
    filled = [chunk for chunk in chunks if chunk]
    first = min(start_of(chunk[0].time, length) for chunk in filled)
    going_on = [start_of(chunk[-1].time, length) for chunk in filled if len(chunk) == limit]
    return first, min(going_on, default=max(start_of(chunk[-1].time, length) for chunk in filled) + length)
