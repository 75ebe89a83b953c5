"""The one plain value that flows through the broker: a point of a stream.

A measurement and a tag read differ only in what `value`, `key` and `extra` hold, so journal, stores and releases treat
them alike. Identity is `(stream, time, key)`: written twice it is one point, and the last value wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias

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
    """Tells apart points of one time: for a tag read its EPC, read point, antenna and step; else empty."""
    extra: str = ""
    """What else the point carries, as the text of one JSON object; empty if nothing."""

    @property
    def cursor(self) -> Cursor:
        return (self.time, self.key)


@dataclass(frozen=True, slots=True)
class Columns:
    """Points of one stream in order, without what else they carry, and without an object for each: of a million, those are what takes time."""

    times: Sequence[int]
    values: Sequence[Value]
    keys: Sequence[str]

    @classmethod
    def of(cls, points: Sequence[Point]) -> Self:
        return cls([one.time for one in points], [one.value for one in points], [one.key for one in points])

    def __len__(self) -> int:
        return len(self.times)

    @property
    def cursor(self) -> Cursor:
        """The place of the last."""
        return (self.times[-1], self.keys[-1])


class Row(NamedTuple):
    """A point and the stream that it belongs to."""

    stream: str
    point: Point


_encode = msgspec.json.Encoder().encode


def tag_key(tag: str, read_point: object, antenna: object, biz_step: object = None) -> str:
    """The key of a tag read: reads of one moment differ by tag, read point, antenna, or what became of the tag."""
    return f"{tag}|{read_point or ''}|{'' if antenna is None else antenna}{f'/{biz_step}' if biz_step else ''}"


def tag_point(
    time: int,
    tag: str,
    read_point: str | None = None,
    antenna: int | None = None,
    rssi: float | None = None,
    biz_step: str | None = None,
) -> Point:
    """The point of a tag read (`broker.reading.TagRead`)."""
    told = {"read_point": read_point, "antenna": antenna, "rssi": rssi, "biz_step": biz_step}
    extra = {name: value for name, value in told.items() if value is not None}
    return Point(time, tag, tag_key(tag, read_point, antenna, biz_step), _encode(extra).decode() if extra else "")


Rows: TypeAlias = Sequence[Row]
