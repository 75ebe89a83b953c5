"""A point as InfluxDB writes and reads it: line protocol out, rows of a result in, quoting. Pure.

A field of InfluxDB has one type for ever, so each type of value has its own field, and `kind` tells which one
counts: after a value was replaced by one of another type, both are there. It ends in `+` when `extra` counts.
https://docs.influxdata.com/influxdb/v1.8/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote, unquote

from broker.points import Point, Row, Value

MEASUREMENT = "points"
COLUMNS = '"key", "kind", "value", "integer", "text", "boolean", "extra"'
"""What a query selects; InfluxDB puts `time` before it."""

Found: TypeAlias = tuple[int, str | None, str, float | None, int | None, str | None, bool | None, str | None]
"""One row of a result: time and COLUMNS."""


def line(row: Row) -> str:
    """One row in line protocol, without the newline. Floats keep every bit, as repr does."""
    stream, point = row
    kind, field = _field(point.value)
    if point.extra:
        return f'{_series(stream, point.key)} kind="{kind}+",{field},extra={_text(point.extra)} {point.time}'
    return f'{_series(stream, point.key)} kind="{kind}",{field} {point.time}'


def point(found: Found) -> Point:
    """The point in one row of a result. Raises ValueError if no one like `line` wrote it."""
    time, key, kind, number, integer, text, boolean, extra = found
    value = {"f": number, "i": integer, "s": text, "b": boolean}.get(kind[:1])
    if value is None:
        raise ValueError(f"kind {kind!r} without its field")
    return Point(time, value, untag(key or ""), extra or "" if kind.endswith("+") else "")


def tag(text: str) -> str:
    """A text as the value of a tag. What InfluxDB can't hold or misreads there is percent-encoded as UTF-8.

    Tags hold no newlines, their parser has no escape for a backslash, and a server with `validate-keys`
    refuses what is not printable. The rest stays as it is, to be read by people.
    """
    if text.isprintable() and "%" not in text and "\\" not in text:
        return text
    return "".join(c if c.isprintable() and c not in "%\\" else quote(c, safe="") for c in text)


def untag(text: str) -> str:
    """The text that `tag` was given."""
    return unquote(text, errors="strict") if "%" in text else text


def literal(text: str) -> str:
    """A string in InfluxQL, for the statements that take no bound values."""
    return "'" + _escaped(text).replace("'", "\\'") + "'"


def identifier(text: str) -> str:
    """A name in InfluxQL."""
    return '"' + _escaped(text).replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


@lru_cache(65_536)  # a city's streams and the tags that are read in an hour; 30 MB at most with texts of usual length
def _series(stream: str, key: str) -> str:
    """Measurement and tags, sorted as the server wants them. An empty tag is one that is not there."""
    tags = (("key", key), ("stream", stream))
    return MEASUREMENT + "".join(f",{name}={_spaced(tag(value))}" for name, value in tags if value)


def _spaced(value: str) -> str:
    return value.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _field(value: Value) -> tuple[str, str]:
    if isinstance(value, float):
        return "f", f"value={float.__repr__(value)}"
    if isinstance(value, bool):
        return "b", f"boolean={value}"
    if isinstance(value, int):
        return "i", f"integer={value}i"
    return "s", f"text={_text(value)}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
