"""What a filter compares: values, times and intervals, and what comparing them says. Pure.

Three answers: True, False, and None where it can't be told, as SQL has it: what is null is neither less nor more, nor other, than anything.
An interval holds its beginning and not its end. A number and a quoted text are compared as texts (18-088's `result gt '3'`).
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import shapely
from shapely.geometry.base import BaseGeometry

from broker import times
from broker.errors import Malformed


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """ns since 1970."""

    ns: int


@dataclass(frozen=True, slots=True)
class Interval:
    """`start <= t < end`, ns since 1970."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """ns."""

    ns: int


@dataclass(frozen=True, slots=True)
class Many:
    """What a path through a relation to many finds: one after the other."""

    found: tuple[Value, ...]


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | Moment
    | Interval
    | Duration
    | dt.date
    | dt.time
    | BaseGeometry
    | Many
    | dict[str, "Value"]
    | list["Value"]
    | None
)
Truth: TypeAlias = bool | None

_COMPARE: Mapping[str, Callable[[Any, Any], object]] = {  # Any: what can't be compared raises, and that is an answer
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_UNITS = {"Y": 365 * times.DAY, "W": 7 * times.DAY, "D": times.DAY, "H": times.HOUR, "S": times.SECOND}
_PART = re.compile(r"(\d+(?:\.\d+)?)([YMWDHS])")
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")


def literal(kind: str, text: str) -> Value:
    """The value of a token. Raises Malformed."""
    match kind:
        case "number":
            return int(text) if text.isdecimal() else float(text)
        case "text":
            return text[1:-1].replace("''", "'")
        case "moment":
            return Moment(moment(text))
        case "interval":
            return interval(text)
        case "duration":
            return Duration(duration(text[9:-1]))
        case "geo":
            return geography(text[text.index("'") + 1 : -1])
    try:
        return dt.date.fromisoformat(text) if kind == "date" else dt.time.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"filter: {text!r}: {error}") from error


def moment(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; without zone it is UTC. Raises Malformed."""
    if not _ZONE.search(text):
        text += "Z"
    if re.search(r"[+-]\d{4}$", text):
        text = f"{text[:-2]}:{text[-2:]}"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?:Z|[+-].*)", text):
        text = f"{text[:16]}:00{text[16:]}"
    return times.parse(text)


def interval(text: str) -> Interval:
    """Of `time/time`, `time/duration` or `duration/time`. Raises Malformed."""
    first, _, last = text.partition("/")
    if first.startswith("P"):
        end = moment(last)
        return Interval(end - duration(first), end)
    start = moment(first)
    end = start + duration(last) if last.startswith("P") else moment(last)
    if end < start:
        raise Malformed(f"interval {text!r}: expected its end after its beginning")
    return Interval(start, end)


def time(text: str) -> Moment | Interval:
    """A time as entities write it. Raises Malformed."""
    return interval(text) if "/" in text else Moment(moment(text))


def duration(text: str) -> int:
    """Nanoseconds of an ISO 8601 duration; a year has 365 days, a month 30. Raises Malformed."""
    total, clock = 0.0, False
    rest = text.removeprefix("-")
    if not re.fullmatch(r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?", rest):
        raise Malformed(f"duration {text!r}: expected ISO 8601, such as PT1H")
    for part in re.split("(T)", rest[1:]):
        clock = clock or part == "T"
        for number, unit in _PART.findall(part):
            length = (times.MINUTE if clock else 30 * times.DAY) if unit == "M" else _UNITS[unit]
            total += float(number) * length
    return int(total) * (-1 if text.startswith("-") else 1)


def geography(text: str) -> BaseGeometry:
    """Of WKT, which may begin with an SRID. Raises Malformed."""
    try:
        return shapely.from_wkt(re.sub(r"^SRID=\d+;\s*", "", text))
    except shapely.errors.ShapelyError as error:
        raise Malformed(f"geography {text[:60]!r}: expected WKT, such as POINT(4.8 45.7)") from error


def written(value: float) -> str:
    """A number as a text to compare."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


def each(value: Value) -> Iterator[Value]:
    """All that a path found: itself, or one after the other."""
    if isinstance(value, Many):
        yield from value.found
    else:
        yield value


def compare(relation: str, left: Value, right: Value) -> Truth:
    """`left relation right` for eq, ne, gt, ge, lt, le."""
    if left is None or right is None:
        return None
    if isinstance(left, Moment | Interval) or isinstance(right, Moment | Interval):
        return _compare_times(relation, _period(left), _period(right))
    if isinstance(left, str) and isinstance(right, int | float) and not isinstance(right, bool):
        right = written(right)
    elif isinstance(right, str) and isinstance(left, int | float) and not isinstance(left, bool):
        left = written(left)
    return _compare_plain(relation, left, right)


def _compare_plain(relation: str, left: Value, right: Value) -> Truth:
    if isinstance(left, bool) != isinstance(right, bool):
        return None
    if isinstance(left, BaseGeometry) and isinstance(right, BaseGeometry):
        same = bool(left.equals(right))
        return same if relation == "eq" else not same if relation == "ne" else None
    try:
        return bool(_COMPARE[relation](left, right))
    except TypeError:  # what can't be ordered
        return None


def _period(value: Value) -> tuple[int, int, bool] | None:
    """Beginning, end, and whether it is an instant."""
    match value:
        case Moment(ns):
            return ns, ns, True
        case Interval(start, end):
            return start, end, False
        case dt.date():
            start = (value.toordinal() - 719_163) * times.DAY
            return start, start + times.DAY, False
    return None


def _compare_times(relation: str, left: tuple[int, int, bool] | None, right: tuple[int, int, bool] | None) -> Truth:
    if left is None or right is None:
        return None
    match relation:
        case "eq":
            return left == right
        case "ne":
            return left != right
        case "lt":
            return _before(left, right)
        case "gt":
            return _before(right, left)
        case "le":
            return left[0] <= right[0] and left[1] <= right[1]
        case _:
            return left[0] >= right[0] and left[1] >= right[1]


def _before(left: tuple[int, int, bool], right: tuple[int, int, bool]) -> bool:
    """Whether all of one lies before all of the other; an interval's end is not in it."""
    return left[1] < right[0] if left[2] else left[1] <= right[0]
