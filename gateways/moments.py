"""Times as devices write them: RFC 3339 and what is nearly that, local times, seconds since 1970. Pure.

Digits are kept as they are written: a fraction goes through decimal arithmetic, never through a binary float.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

from broker import times
from broker.errors import Malformed

_NEARLY = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)? ?(?:([Zz])|([+-]\d\d):?(\d\d)?)?", re.ASCII
)
_DIGITS_BEYOND = Decimal(10) ** 12
"""Seconds of the year 33658: nothing above is a time."""


def parse(text: str, zone: ZoneInfo) -> int:
    """Nanoseconds of a text. Without zone it is local time in `zone`, in a repeated hour the earlier one. Raises Malformed."""
    if len(text) > 19 and text[-1] in "Zz":  # noqa: PLR2004 - longer than 2026-11-22T20:00:00
        return times.parse(text)
    found = _NEARLY.fullmatch(text)
    if found is None:
        return times.parse(text)
    date, clock, fraction, zulu, hours, minutes = found.groups()
    whole = f"{date}T{clock if len(clock) == 8 else clock + ':00'}"  # noqa: PLR2004 - HH:MM:SS
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    if zulu:
        return times.parse(f"{whole}Z") + nanoseconds
    if hours:
        return times.parse(f"{whole}{hours}:{minutes or '00'}") + nanoseconds
    return times.parse(f"{whole}Z") - _offset(whole, zone) + nanoseconds


def since_1970(number: float | Decimal, unit: int = times.SECOND) -> int:
    """Nanoseconds of a count of `unit` (ns) since 1970. Raises Malformed."""
    return since(0, number, unit)


def since(begin: int, number: float | Decimal, unit: int = times.SECOND) -> int:
    """Nanoseconds of a count of `unit` (ns) since `begin`. Raises Malformed."""
    moment = begin + nanoseconds(number, unit)
    if not times.EARLIEST <= moment < times.LATEST:
        raise Malformed(f"time {number}: expected a time from 1678 to 2261")
    return moment


def nanoseconds(number: float | Decimal, unit: int = times.SECOND) -> int:
    """Nanoseconds of a count of `unit` (ns), to the last digit. Raises Malformed for what is no number, or far too large."""
    if isinstance(number, int):
        if abs(number) > _DIGITS_BEYOND * times.SECOND:
            raise Malformed("time: a number of so many digits is none")
        return number * unit
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    if not exact.is_finite() or abs(exact) > _DIGITS_BEYOND * times.SECOND:
        raise Malformed(f"time {number}: expected a number of seconds")
    return round(exact * unit)


def guessed(number: float) -> int:
    """Nanoseconds of a count since 1970 whose unit only its size tells: seconds, milli-, micro- or nanoseconds. Raises Malformed.

    From 2001 to 2286 seconds have ten digits, milliseconds thirteen, and so on, so the four never overlap there.
    """
    for unit, most in ((times.SECOND, 1e11), (1_000_000, 1e14), (1_000, 1e17)):
        if number < most:
            return since_1970(number, unit)
    return since_1970(number, 1)


def _offset(whole: str, zone: ZoneInfo) -> int:
    try:
        offset = dt.datetime.fromisoformat(whole).replace(tzinfo=zone).utcoffset()
    except (ValueError, OverflowError) as error:
        raise Malformed(f"time {whole!r}: no such time ({error})") from error
    return 0 if offset is None else round(offset.total_seconds()) * times.SECOND
