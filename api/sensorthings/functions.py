"""The functions of the filter language (18-088, table 19, and the time relations that FROST added). Pure; planar degrees for distances."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from api.sensorthings import values
from api.sensorthings.values import Duration, Interval, Moment, Value
from broker import times
from broker.errors import Malformed


@dataclass(frozen=True, slots=True)
class Function:
    least: int
    most: int
    call: Callable[..., Value]
    """Of values that are not null; whatever they are: it says None of what it is not for."""


def geometry(value: Value) -> BaseGeometry | None:
    """Of GeoJSON as entities have it, a geometry or a feature; of WKT as filters have it; None of anything else."""
    if isinstance(value, BaseGeometry):
        return value
    if not isinstance(value, dict):
        return None
    found = value.get("geometry") if value.get("type") == "Feature" else value
    try:
        return shapely.from_geojson(json.dumps(found))
    except (shapely.errors.ShapelyError, TypeError):
        return None


Texts: TypeAlias = Callable[..., Value]


def _of_texts(call: Texts) -> Texts:
    def called(*given: Value) -> Value:
        texts = [values.written(g) if isinstance(g, int | float) and not isinstance(g, bool) else g for g in given]
        return call(*texts) if all(isinstance(text, str) for text in texts) else None

    return called


def _of_number(call: Callable[[float], float]) -> Texts:
    def called(given: Value) -> Value:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return call(given) if is_number else None  # type: ignore[arg-type]  # it is a number

    return called


def _of_moment(call: Callable[[dt.datetime, int], Value]) -> Texts:
    def called(given: Value) -> Value:
        ns = given.ns if isinstance(given, Moment) else given.start if isinstance(given, Interval) else None
        if ns is None:
            return None
        seconds, fraction = divmod(ns, times.SECOND)
        return call(dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds), fraction)

    return called


def _of_shapes(call: Callable[..., Value]) -> Texts:
    def called(*given: Value) -> Value:
        shapes = [geometry(one) for one in given]
        return call(*shapes) if None not in shapes else None

    return called


def _length(shape: BaseGeometry) -> float:
    """Degrees; of lines alone, as PostGIS has it: an area has an outline, and no length."""
    return float(shape.length) if shapely.get_dimensions(shape) == 1 else 0.0


def _relate(one: Value, other: Value, pattern: Value) -> Value:
    left, right = geometry(one), geometry(other)
    if left is None or right is None or not isinstance(pattern, str):
        return None
    try:
        return bool(shapely.relate_pattern(left, right, pattern))
    except shapely.errors.ShapelyError as error:
        raise Malformed(f"st_relate: pattern {pattern[:20]!r}: expected nine of 0, 1, 2, T, F and *") from error


Period: TypeAlias = tuple[int, int, bool]


def _of_periods(call: Callable[[Period, Period], bool]) -> Texts:
    def called(one: Value, other: Value) -> Value:
        left, right = _period(one), _period(other)
        return None if left is None or right is None else call(left, right)

    return called


def _period(value: Value) -> Period | None:
    if isinstance(value, Moment):
        return value.ns, value.ns, True
    return (value.start, value.end, False) if isinstance(value, Interval) else None


def _meets(one: Period, other: Period) -> bool:
    return one[1] == other[0] or one[0] == other[1]


def _during(one: Period, other: Period) -> bool:
    if other[2]:
        raise Malformed("during: expected an interval as what it lies in")
    return other[0] <= one[0] and (one[1] < other[1] if one[2] else one[1] <= other[1])


def _overlaps(one: Period, other: Period) -> bool:
    if one[2] and other[2]:
        return one[0] == other[0]
    if one[2]:
        return other[0] <= one[0] < other[1]
    return one[0] <= other[0] < one[1] if other[2] else one[0] < other[1] and other[0] < one[1]


def _substring(text: str, first: int, length: int | None = None) -> Value:
    whole = isinstance(first, int) and (length is None or isinstance(length, int))
    return text[first : None if length is None else first + length] if isinstance(text, str) and whole else None


FUNCTIONS: Mapping[str, Function] = {
    "substringof": Function(2, 2, _of_texts(lambda part, text: part in text)),
    "endswith": Function(2, 2, _of_texts(lambda text, part: text.endswith(part))),
    "startswith": Function(2, 2, _of_texts(lambda text, part: text.startswith(part))),
    "length": Function(1, 1, _of_texts(len)),
    "indexof": Function(2, 2, _of_texts(lambda text, part: text.find(part) + 1)),  # from 1 on, as 18-088's table has it
    "substring": Function(2, 3, _substring),
    "tolower": Function(1, 1, _of_texts(lambda text: text.lower())),
    "toupper": Function(1, 1, _of_texts(lambda text: text.upper())),
    "trim": Function(1, 1, _of_texts(lambda text: text.strip())),
    "concat": Function(2, 2, _of_texts(lambda one, other: one + other)),
    "year": Function(1, 1, _of_moment(lambda at, _: at.year)),
    "month": Function(1, 1, _of_moment(lambda at, _: at.month)),
    "day": Function(1, 1, _of_moment(lambda at, _: at.day)),
    "hour": Function(1, 1, _of_moment(lambda at, _: at.hour)),
    "minute": Function(1, 1, _of_moment(lambda at, _: at.minute)),
    "second": Function(1, 1, _of_moment(lambda at, _: at.second)),
    "fractionalseconds": Function(1, 1, _of_moment(lambda _, ns: ns / times.SECOND)),
    "date": Function(1, 1, _of_moment(lambda at, _: at.date())),
    "time": Function(1, 1, _of_moment(lambda at, ns: at.time().replace(microsecond=ns // 1000))),
    "totaloffsetminutes": Function(1, 1, _of_moment(lambda *_: 0)),  # all times here are UTC
    "mindatetime": Function(0, 0, lambda: Moment(times.EARLIEST)),
    "maxdatetime": Function(0, 0, lambda: Moment(times.LATEST)),
    "round": Function(1, 1, _of_number(lambda x: math.floor(x + 0.5))),
    "floor": Function(1, 1, _of_number(math.floor)),
    "ceiling": Function(1, 1, _of_number(math.ceil)),
    "geo.distance": Function(2, 2, _of_shapes(lambda one, other: one.distance(other))),
    "geo.length": Function(1, 1, _of_shapes(_length)),
    "geo.intersects": Function(2, 2, _of_shapes(lambda one, other: bool(one.intersects(other)))),
    "st_equals": Function(2, 2, _of_shapes(lambda one, other: bool(one.equals(other)))),
    "st_disjoint": Function(2, 2, _of_shapes(lambda one, other: bool(one.disjoint(other)))),
    "st_touches": Function(2, 2, _of_shapes(lambda one, other: bool(one.touches(other)))),
    "st_within": Function(2, 2, _of_shapes(lambda one, other: bool(one.within(other)))),
    "st_overlaps": Function(2, 2, _of_shapes(lambda one, other: bool(one.overlaps(other)))),
    "st_crosses": Function(2, 2, _of_shapes(lambda one, other: bool(one.crosses(other)))),
    "st_intersects": Function(2, 2, _of_shapes(lambda one, other: bool(one.intersects(other)))),
    "st_contains": Function(2, 2, _of_shapes(lambda one, other: bool(one.contains(other)))),
    "st_relate": Function(3, 3, _relate),
    "before": Function(2, 2, lambda one, other: values.compare("lt", one, other)),
    "after": Function(2, 2, lambda one, other: values.compare("gt", one, other)),
    "meets": Function(2, 2, _of_periods(_meets)),
    "during": Function(2, 2, _of_periods(_during)),
    "overlaps": Function(2, 2, _of_periods(_overlaps)),
    "starts": Function(2, 2, _of_periods(lambda one, other: one[0] == other[0])),
    "finishes": Function(2, 2, _of_periods(lambda one, other: one[1] == other[1])),
}
NOW = "now"
"""The one function that is no function of its arguments: whoever asks says what time it is."""


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """`add sub mul div mod` of numbers, and of times and durations; None of anything else, and of a division by zero."""
    match left, right:
        case (Moment(ns), Duration(length)) if operator in ("add", "sub"):
            return Moment(ns + (length if operator == "add" else -length))
        case (Interval(start, end), Duration(length)) if operator in ("add", "sub"):
            shift = length if operator == "add" else -length
            return Interval(start + shift, end + shift)
        case (Moment(one), Moment(other)) if operator == "sub":
            return Duration(one - other)
        case (Duration(one), Duration(other)) if operator in ("add", "sub"):
            return Duration(one + other if operator == "add" else one - other)
        case (Duration(one), int() | float()) if operator in ("mul", "div") and right:
            return Duration(int(one * right if operator == "mul" else one / right))
        case (int() | float(), int() | float()) if not isinstance(left, bool) and not isinstance(right, bool):
            return _numbers(operator, left, right)
    return None


def _numbers(operator: str, left: float, right: float) -> Value:
    match operator:
        case "add":
            return left + right
        case "sub":
            return left - right
        case "mul":
            return left * right
    if not right:
        return None
    return math.fmod(left, right) if operator == "mod" else left / right
