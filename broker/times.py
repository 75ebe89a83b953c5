"""Times as RFC 3339 texts and as integer nanoseconds since 1970-01-01T00:00:00Z; durations as ISO 8601. Pure.

Python's datetime stops at microseconds, and devices do not, so neither direction goes through it per point: the part
up to the second is looked up in a cache (neighbouring points share it), the fraction is plain arithmetic.
https://www.rfc-editor.org/rfc/rfc3339, https://docs.ogc.org/is/18-088/18-088.html
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from broker.errors import Malformed

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 86_400 * SECOND
EARLIEST = -9_214_560_000 * SECOND
"""1678-01-01; with LATEST the range that 64 bits of nanoseconds, and so every store, can hold."""
LATEST = 9_214_646_400 * SECOND
"""2262-01-01."""

_SECONDS = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d", re.ASCII)
_REST = re.compile(r"(?:\.(\d{1,9})0*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_DURATION = re.compile(r"P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_TWO_DIGITS = [f"{number:02d}" for number in range(60)]
_EXPECTED = "expected RFC 3339 with a zone, such as 2026-11-22T20:00:00Z"


def parse(text: str) -> int:
    """Nanoseconds of an RFC 3339 text. Raises Malformed."""
    whole = _second_of(text[:19])
    rest = text[19:]
    if rest == "Z":
        return whole
    if len(rest) == 5 and rest[0] == "." and rest[4] == "Z" and rest[1:4].isdecimal() and rest.isascii():  # noqa: PLR2004 - .123Z, the common case
        return whole + int(rest[1:4]) * 1_000_000
    found = _REST.fullmatch(rest)
    if found is None:
        raise Malformed(f"time {_shown(text)}: {_EXPECTED}")
    fraction, sign, hours, minutes = found.groups()
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    if sign is None:
        return whole + nanoseconds
    if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - RFC 3339 time-numoffset
        raise Malformed(f"time {_shown(text)}: no zone is that far from UTC")
    offset = (int(hours) * 60 + int(minutes)) * MINUTE
    moment = whole + nanoseconds + (offset if sign == "-" else -offset)
    if not EARLIEST <= moment < LATEST:
        raise Malformed(f"time {_shown(text)}: expected a time from 1678 to 2261")
    return moment


def text(moment: int) -> str:
    """The RFC 3339 text in UTC of nanoseconds, with as many decimals as it needs."""
    seconds, fraction = divmod(moment, SECOND)
    if not fraction:
        return _text_of(seconds) + "Z"
    if not fraction % 1_000_000:
        return f"{_text_of(seconds)}.{fraction // 1_000_000:03d}Z"
    return f"{_text_of(seconds)}.{fraction:09d}".rstrip("0") + "Z"


@lru_cache(1_024)
def parse_duration(value: str) -> int:
    """Nanoseconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds. Raises Malformed.

    Months and years are refused: they have no fixed length.
    """
    found = _DURATION.fullmatch(value)
    numbers = [int(n) if n else 0 for n in found.groups()] if found else []
    total = sum(n * unit for n, unit in zip(numbers, (604_800, 86_400, 3_600, 60, 1), strict=False))
    if not total:
        raise Malformed(f"duration {_shown(value)}: expected ISO 8601 in weeks to seconds and above zero, such as PT5M")
    return total * SECOND


@lru_cache(4096)
def _second_of(prefix: str) -> int:
    if not _SECONDS.fullmatch(prefix):
        raise Malformed(f"time {_shown(prefix)}: {_EXPECTED}")
    try:
        moment = dt.datetime.fromisoformat(prefix.upper()).replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise Malformed(f"time {_shown(prefix)}: no such time ({error}); {_EXPECTED}") from error
    seconds = (moment.toordinal() - 719_163) * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    if not EARLIEST <= seconds * SECOND < LATEST:
        raise Malformed(f"time {_shown(prefix)}: expected a time from 1678 to 2261")
    return seconds * SECOND


@lru_cache(4096)
def _text_of(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    return f"{_date_of(days)}T{_TWO_DIGITS[rest // 3600]}:{_TWO_DIGITS[rest // 60 % 60]}:{_TWO_DIGITS[rest % 60]}"


@lru_cache(4096)
def _date_of(days: int) -> str:
    return dt.date.fromordinal(days + 719_163).isoformat()


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "…")  # noqa: PLR2004 - a sentence stays readable
