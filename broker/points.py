"""The one plain value that flows through the broker: a point of a stream.

A measurement and a tag read differ only in what `value`, `key` and `extra` hold, so journal, stores and releases treat
them alike. Identity is `(stream, time, key)`: written twice it is one point, and the last value wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec

Value: TypeAlias = bool | int | float | str
"""What was observed. Integers fit in 64 bits signed; floats are finite; none is ever converted into another."""

Cursor: TypeAlias = tuple[int, str]
"""A place in a stream: `(time, key)` of the last point that was read."""


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One observation, as it was received or as it is released."""

    time: int
    """phenomenonTime (ISO 19156), nanoseconds since 1970-01-01T00:00:00Z."""
    value: Value
    key: str = ""
    """Tells apart points of one time: for a tag read its EPC, read point and antenna; else empty."""
    extra: str = ""
    """What else the point carries, as the text of one JSON object; empty if nothing."""

    @property
    def cursor(self) -> Cursor:
        return (self.time, self.key)


class Row(NamedTuple):
    """A point and the stream that it belongs to."""

    stream: str
    point: Point


def tag_key(tag: str, read_point: object, antenna: object) -> str:
    """The key of a tag read: reads of one moment differ by tag, read point or antenna."""
    return f"{tag}|{read_point or ''}|{'' if antenna is None else antenna}"


Rows: TypeAlias = Sequence[Row]
