"""Statistics of fixed windows of event time, by group. Pure, vectorised.

Guarantee: what is released says nothing of its points but the named statistics, and with `k`, of no group, and of no set of
groups that can be had by subtraction from a total, unless at least `k` distinct privacy units were in it:

    released(g) => |{unit(p) : p in g}| >= k
    withheld groups W of a window: W is empty, or |W| >= 2 and |{unit(p) : p in union of W}| >= k and |{p : p in union of W}| > |W|,
    or nothing is released; nor is a total of several read points that have one record each

The second is complementary suppression: where a group has too few, the smallest others are withheld with it (ties by name), until
what is withheld is itself a group, and has more records than groups: else who knows which groups have any would know that each has one. Withheld sets for a smaller k are part of those for a larger one. Assumes that one person is one
unit; who may be shown by name elsewhere (`named`) is none of the k, since the others could be had by subtraction. It does not protect against whoever knows all units of a group but one, nor does a mean say by how many it was made.

The formulas are in `broker/statistics.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker import times
from broker.points import Point
from broker.privacy.location import centre_of
from broker.privacy.profile import Aggregate
from broker.statistics import Floats, Groups, Integers, statistics

Flags: TypeAlias = NDArray[np.bool_]


class Part(NamedTuple):
    """Points of one datastream, each identity once, and what all of them have in common."""

    points: Sequence[Point]
    unit: str | None = None
    """The privacy unit whose all of them are; None: each is its tag's."""
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Windows:
    """What came of it: a point a released group, by time, then group; and how many groups were withheld, by reason."""

    points: list[Point]
    withheld: dict[str, int]
    shown: int = 0
    """Records that the released groups were made of,"""
    hidden: dict[str, int] = field(default_factory=dict)
    """and the others, by reason."""


class _Columns(NamedTuple):
    """Of all records, one entry each."""

    times: Integers
    values: Floats
    groups: Integers
    """Places in `names`."""
    units: Integers
    """Places in `whose`."""
    places: Integers
    """Read points, where a total of several is told; else 0."""
    names: list[str]
    """Of the groups, sorted."""
    whose: list[str]


def start_of(time: int, window: int) -> int:
    """Beginning of the window that `time` falls in (all ns). Windows include their start and not their end."""
    return time - time % window


def nobody(_tag: str) -> bool:
    """No tag is shown by name."""
    return False


def aggregate(
    parts: Sequence[Part],
    operator: Aggregate,
    *,
    tags: bool,
    named: Callable[[str], bool] = nobody,
    bound: int | None = None,
) -> Windows:
    """One point per window and group that has points: time is the window's start, key the group, value its first statistic.

    For tag reads (`tags`) a point's value is the tag; else points whose value is not a number do not count. `named`: whether a
    tag may be shown by name somewhere, which makes it none of the `k`. `bound`: of each unit so many records a window count, the first.
    """
    found = _columns(parts, operator, tags=tags)
    others = {"not_a_number": sum(len(part.points) for part in parts) - len(found.times)}
    if bound is not None and operator.k is not None:
        whole, found = len(found.times), _bounded(found, operator.window_ns, bound)
        others["over_bound"] = whole - len(found.times)
    if not len(found.times):
        return Windows([], {}, 0, {reason: n for reason, n in others.items() if n})
    starts, window = np.unique(found.times - found.times % operator.window_ns, return_inverse=True)
    cells, which = np.unique(window * len(found.names) + found.groups, return_inverse=True)
    columns: dict[str, Floats | Integers] = (
        {"count": np.bincount(which)} if tags else statistics(found.values, which, operator.statistics)
    )
    finite = np.all([np.isfinite(column) for column in columns.values()], axis=0)
    alone = np.zeros(len(cells), bool)
    complement = np.zeros(len(cells), bool)
    if operator.k is not None:
        known = (
            np.array([not named(tag) for tag in found.whose], bool)[found.units] if tags else np.ones(len(which), bool)
        )
        units, counted = _pairs(which[known], found.units[known]), np.bincount(which[known], minlength=len(cells))
        alone = np.bincount(units[0], minlength=len(cells)) < operator.k
        alone |= _one_each(which[known], found.places[known], counted)
        complement = _complement(cells // len(found.names), units, counted, alone, operator.k)
    shown = np.flatnonzero(~alone & ~complement & finite)
    points = [
        _point(
            int(starts[cells[i] // len(found.names)]),
            operator,
            found.names[cells[i] % len(found.names)],
            {name: column[i].item() for name, column in columns.items()},
        )
        for i in shown
    ]
    withheld = {"below_k": alone, "complementary": complement, "not_finite": ~alone & ~complement & ~finite}
    records = np.bincount(which)
    hidden = {reason: int(records[of].sum()) for reason, of in withheld.items()} | others
    return Windows(
        points,
        {reason: int(of.sum()) for reason, of in withheld.items() if of.any()},
        int(records[shown].sum()),
        {reason: n for reason, n in hidden.items() if n},
    )


def read_point_of(read: Point) -> str:
    """The read point of a tag read, empty if it has none (see `points.tag_key`)."""
    return read.key[len(str(read.value)) + 1 : read.key.rfind("|")]


def _columns(parts: Sequence[Part], operator: Aggregate, *, tags: bool) -> _Columns:
    kept = [
        part if tags else part._replace(points=[p for p in part.points if type(p.value) in (int, float)])
        for part in parts
    ]
    points = [point for part in kept for point in part.points]
    size = len(points)
    values = np.zeros(0) if tags else np.fromiter((float(p.value) for p in points), np.float64, size)
    units, whose = np.zeros(size, np.int64), [""]
    if operator.k is not None:
        units, whose = _codes([whose for part in kept for whose in _units(part)])
    places = np.zeros(size, np.int64)
    if tags and operator.k is not None and operator.by in ("datastream", "district"):
        places, _ = _codes([read_point_of(point) for point in points])
    groups, names = np.zeros(size, np.int64), [""]
    if operator.by != "datastream":
        codes, found = _codes([name for part in kept for name in _groups(part, operator)])
        names = sorted(found)
        place = {name: i for i, name in enumerate(names)}
        groups = np.array([place[name] for name in found], np.int64)[codes] if size else groups
    return _Columns(np.fromiter((p.time for p in points), np.int64, size), values, groups, units, places, names, whose)


def _bounded(found: _Columns, window: int, bound: int) -> _Columns:
    """The first `bound` records of each unit in each window, of all groups together."""
    starts = found.times // window
    order = np.lexsort((found.groups, found.times, found.units, starts))
    ranked = np.column_stack((starts[order], found.units[order]))
    fresh = np.concatenate(([True], (ranked[1:] != ranked[:-1]).any(axis=1)))[: len(order)]
    place = np.arange(len(order))
    rank = place - np.maximum.accumulate(np.where(fresh, place, 0))
    kept = np.sort(order[rank < bound])
    values = found.values[kept] if len(found.values) else found.values
    groups, units, places = found.groups[kept], found.units[kept], found.places[kept]
    return found._replace(times=found.times[kept], values=values, groups=groups, units=units, places=places)


def _units(part: Part) -> list[str]:
    return [str(p.value) for p in part.points] if part.unit is None else [part.unit] * len(part.points)


def _groups(part: Part, operator: Aggregate) -> list[str]:
    if operator.by == "cell":
        return [part.cell] * len(part.points)
    names = [read_point_of(p) for p in part.points]
    if operator.by == "district":
        known = {point: district.name for district in operator.districts for point in district.read_points}
        names = [known.get(name, "") for name in names]
    return names


def _codes(names: list[str]) -> tuple[Integers, list[str]]:
    """Each name's place among the different ones, in the order in which they first come."""
    known: dict[str, int] = {}
    codes = np.fromiter((known.setdefault(name, len(known)) for name in names), np.int64, len(names))
    return codes, list(known)


def _pairs(which: Groups, units: Integers) -> tuple[Integers, Integers]:
    """Which unit is in which group, each pair once, by group."""
    most = int(units.max(initial=0)) + 1
    pairs = np.unique(which * most + units)
    return pairs // most, pairs % most


def _one_each(which: Groups, places: Integers, counted: Groups) -> Flags:
    """The groups with as many records as read points that have any: who knows which these are would know that each has one."""
    apart = np.bincount(_pairs(which, places)[0], minlength=len(counted))
    return np.asarray((apart > 1) & (counted <= apart))


def _complement(windows: Integers, pairs: tuple[Integers, Integers], records: Groups, alone: Flags, k: int) -> Flags:
    """The groups that are withheld because others of their window are. `windows`: of each group, in ascending order; `records`: how many of units that count."""
    of_group, unit = pairs
    first = np.searchsorted(of_group, np.arange(len(windows) + 1))
    size = np.diff(first)
    complement = np.zeros(len(windows), bool)
    for window in np.unique(windows[alone]):
        begin, end = np.searchsorted(windows, [window, window + 1])
        few = begin + np.flatnonzero(alone[begin:end])
        hidden = {u for i in few for u in unit[first[i] : first[i + 1]].tolist()}
        groups, hidden_records = len(few), int(records[few].sum())
        rest = begin + np.flatnonzero(~alone[begin:end])
        for i in rest[np.argsort(size[rest], kind="stable")]:
            if hidden_records > groups > 1 and len(hidden) >= k:
                break
            complement[i] = True
            hidden.update(unit[first[i] : first[i + 1]].tolist())
            groups, hidden_records = groups + 1, hidden_records + int(records[i])
    return complement


def _point(start: int, operator: Aggregate, group: str, found: dict[str, float | int]) -> Point:
    said: dict[str, object] = {"until": times.text(start + operator.window_ns), "statistics": found}
    if operator.by in ("read_point", "district") and group:
        said[operator.by] = group
    if operator.by == "cell":
        centre = centre_of(group)
        said |= {
            "cell": group,
            "location": {"type": "Point", "coordinates": [centre.longitude, centre.latitude]},
        }
    return Point(start, found[operator.statistics[0]], group, msgspec.json.encode(said).decode())
