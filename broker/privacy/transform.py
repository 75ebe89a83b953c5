"""Operators that change one record, or one window, by itself: times, values, fields. Pure.

Each is a function from a point to a point, or to the reason why it is withheld. What they guarantee is said in `profile.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from math import inf, isfinite
from typing import TypeAlias

import msgspec

from broker.points import Point, tag_key
from broker.privacy.profile import Clip, Operator, Quantise, RoundTime, Suppress

Change: TypeAlias = Callable[[Point], Point | str]
"""A point, changed; or the code of the reason why it is not released."""
_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


@lru_cache(1_024)
def of_points(operator: Operator) -> Change | None:
    """What the operator does to a record, or None if it does nothing to one by itself."""
    match operator:
        case RoundTime():
            return _rounding(operator.to_ns)
        case Quantise() | Clip():
            return _on_value(_on_numbers(operator))
        case Suppress():
            return _suppressing(frozenset(operator.fields) - {"location"})
        case _:
            return None


def of_windows(operators: Iterable[Operator]) -> Callable[[Point], Point]:
    """What the operators that stand after `aggregate` do to a window: to each statistic but the count, and so to its value."""
    changes = [_on_numbers(op) for op in operators if isinstance(op, Quantise | Clip)]

    def change(window: Point) -> Point:
        said = _decode(window.extra)
        computed = said["statistics"]
        assert isinstance(computed, dict)
        for name, value in computed.items():
            if name != "count":
                for one in changes:
                    value = one(value)  # noqa: PLW2901 - each works on what the one before made
                computed[name] = value
        return Point(window.time, next(iter(computed.values())), window.key, _encode(said).decode())

    return change if changes else lambda window: window


def _rounding(to: int) -> Change:
    return lambda point: Point(point.time - point.time % to, point.value, point.key, point.extra)


def _suppressing(fields: Iterable[str]) -> Change | None:
    hidden: Sequence[str] = tuple(fields)
    if not hidden:
        return None

    def change(read: Point) -> Point:
        told = _decode(read.extra) if read.extra else {}
        for name in hidden:
            told.pop(name, None)
        tag = str(read.value)
        key = tag_key(tag, told.get("read_point"), told.get("antenna"), told.get("biz_step"))
        return Point(read.time, tag, key, _encode(told).decode() if told else "")

    return change


def _on_value(change: Callable[[int | float], int | float]) -> Change:
    def changed(point: Point) -> Point | str:
        if isinstance(point.value, bool | str):
            return "not_a_number"
        value = change(point.value)
        return Point(point.time, value, point.key, point.extra) if isfinite(value) else "not_finite"

    return changed


def _on_numbers(operator: Quantise | Clip) -> Callable[[int | float], int | float]:
    if isinstance(operator, Clip):
        low = -inf if operator.min is None else operator.min
        high = inf if operator.max is None else operator.max
        return lambda value: low if value < low else min(value, high)
    step = Decimal(repr(operator.step))
    # by way of decimals, for 3 times 0.1 is 0.3 to whoever chose the step
    return lambda value: float((Decimal(value) / step).to_integral_value() * step)
