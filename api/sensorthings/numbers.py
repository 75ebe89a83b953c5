"""Observation ids: integers made of what an observation is, so that none is kept for nearly all. Pure.

    a whole second, and nothing else tells it apart:   release · 2^32 + seconds                    below 2^52
    a whole millisecond, likewise:                     2^62 + release · 2^42 + milliseconds
    anything else (a tag read, a fraction of a ms):    2^62 + 2^61 + release · 2^42 + its number     numbered as it is first shown: `numbered.py`

The first fit in the doubles of JavaScript; all fit in 63 bits. Releases are numbered from 1 (`Release.number`), at most 2^19 of them; seconds run to
2106, milliseconds to 2109, and what lies outside is numbered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from broker.times import SECOND

MOST_RELEASES = 2**19
_MS = SECOND // 1000
_OF_SECONDS, _OF_MS = 2**32, 2**42
_FINE, _NUMBERED = 2**62, 2**62 + 2**61


@dataclass(frozen=True, slots=True)
class At:
    """The observation of a release at this time (ns)."""

    release: int
    time: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """The one that was given this number."""

    release: int
    number: int


Named: TypeAlias = At | Numbered


def number(release: int, time: int, key: str) -> int | None:
    """The id of an observation; None: it has to be numbered."""
    if key or time < 0 or not 0 < release < MOST_RELEASES:
        return None
    seconds, rest = divmod(time, SECOND)
    if not rest and seconds < _OF_SECONDS:
        return release * _OF_SECONDS + seconds
    milliseconds, rest = divmod(time, _MS)
    if not rest and milliseconds < _OF_MS:
        return _FINE + release * _OF_MS + milliseconds
    return None


def numbered(release: int, count: int) -> int:
    """The id of a release's observation that was the `count`th of it to be numbered."""
    return _NUMBERED + release * _OF_MS + count


def named(number: int) -> Named | None:
    """What an id names; None: it is none of ours."""
    if number >= _NUMBERED:
        release, count = divmod(number - _NUMBERED, _OF_MS)
        return Numbered(release, count)
    if number >= _FINE:
        release, milliseconds = divmod(number - _FINE, _OF_MS)
        return At(release, milliseconds * _MS) if milliseconds % 1000 else None
    release, seconds = divmod(number, _OF_SECONDS)
    return At(release, seconds * SECOND) if 0 < release < MOST_RELEASES else None
