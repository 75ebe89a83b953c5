"""Reads what real hardware once said, from CSV or NDJSON, one record at a time.

Recordings are large and never quite clean. So nothing is loaded whole, and a line that cannot be read is an
error with the file's name and the line's number: a value guessed or left out would be a measurement that
nobody made.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from broker.errors import Malformed
from broker.times import SECOND
from broker.times import parse as parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Value: TypeAlias = bool | int | float

_TIME_COLUMNS = {".csv": "timestamp", ".ndjson": "time", ".jsonl": "time"}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LARGEST = 2**63  # stores hold integers in 64 bits, signed
_EXPECTED_TIME = "expected RFC 3339, such as 2026-11-22T20:00:00Z, or a local time, such as 2026-11-22 20:00:00"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a recording."""

    offset_ns: int
    """Since the first record."""
    time_ns: int
    """When it was recorded, since 1970-01-01T00:00:00Z."""
    value: Value


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    time: object
    value: object


def records(
    file: Path, *, time_column: str | None = None, value_column: str = "value", zone: dt.tzinfo = dt.UTC
) -> Iterator[Record]:
    """The records of a `.csv`, `.ndjson` or `.jsonl` file, oldest first.

    The time column is `timestamp` in CSV and `time` in NDJSON if not named. Times without a zone are local to
    `zone`. Raises Malformed, naming file and line, when the file cannot be read, a line is not a record, time
    runs backwards, or there is no record at all.
    """
    first: int | None = None
    before: int | None = None
    for line in _lines(file, time_column, value_column):
        try:
            moment = _moment(line.time, zone, before)
            value = _value(line.value)
        except Malformed as error:
            raise Malformed(f"{file}, line {line.number}: {error}") from error
        first = moment if first is None else first
        yield Record(offset_ns=moment - first, time_ns=moment, value=value)
        before = moment
    if first is None:
        raise Malformed(f"{file}: holds no record")


def _lines(file: Path, time_column: str | None, value_column: str) -> Iterator[_Line]:
    kind = file.suffix.lower()
    if kind not in _TIME_COLUMNS:
        raise Malformed(f"{file}: expected a name that ends in {', '.join(_TIME_COLUMNS)}")
    columns = (time_column or _TIME_COLUMNS[kind], value_column)
    try:
        yield from _csv_lines(file, *columns) if kind == ".csv" else _json_lines(file, *columns)
    except OSError as error:
        raise Malformed(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"{file}: is not UTF-8 ({error.reason})") from error


def _csv_lines(file: Path, time_column: str, value_column: str) -> Iterator[_Line]:
    with file.open(encoding="utf-8-sig", newline="") as opened:  # spreadsheets write a byte order mark
        rows = csv.reader(opened, strict=True)
        try:
            header = next(rows, [])
            for column in (time_column, value_column):
                if column not in header:
                    raise Malformed(f"{file}, line 1: no column {column!r}; there are {_listed(header)}")
            time, value = header.index(time_column), header.index(value_column)
            for row in rows:
                if not row:
                    continue  # a blank line, as many files have at their end
                if len(row) != len(header):
                    found = f"{len(row)} columns where the header has {len(header)}"
                    raise Malformed(f"{file}, line {rows.line_num}: {found}")
                yield _Line(rows.line_num, row[time], row[value])
        except csv.Error as error:
            raise Malformed(f"{file}, line {rows.line_num}: {error}") from error


def _json_lines(file: Path, time_column: str, value_column: str) -> Iterator[_Line]:
    with file.open(encoding="utf-8-sig") as opened:
        for number, text in enumerate(opened, 1):
            if not text.strip():
                continue
            try:
                found: object = json.loads(text)
            except json.JSONDecodeError as error:
                raise Malformed(f"{file}, line {number}: is not JSON ({error.msg})") from error
            if not isinstance(found, dict):
                raise Malformed(f"{file}, line {number}: expected a JSON object")
            for column in (time_column, value_column):
                if column not in found:
                    raise Malformed(f"{file}, line {number}: no {column!r}; there are {_listed(found)}")
            yield _Line(number, found[time_column], found[value_column])


def _moment(found: object, zone: dt.tzinfo, before: int | None) -> int:
    if not isinstance(found, str):
        raise Malformed(f"time {found!r}: {_EXPECTED_TIME}")
    moment = _zoned(found.strip()) or _local(found.strip(), zone, before)
    if before is not None and moment < before:
        raise Malformed(f"time {found!r}: is earlier than the record before")
    return moment


def _zoned(text: str) -> int | None:
    try:
        return parse_time(text.replace(" ", "T", 1))
    except Malformed:
        return None  # perhaps it is local


def _local(text: str, zone: dt.tzinfo, before: int | None) -> int:
    try:
        local = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"time {text!r}: {_EXPECTED_TIME}") from error
    if local.tzinfo is not None:  # RFC 3339 but for a detail, which parse_time explains
        return parse_time(text)
    moment = _nanoseconds(local.replace(tzinfo=zone))
    if before is not None and moment < before:  # the hour that autumn repeats: then it is its second run
        return _nanoseconds(local.replace(tzinfo=zone, fold=1))
    return moment


def _nanoseconds(moment: dt.datetime) -> int:
    since = moment.astimezone(dt.UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000


def _value(found: object) -> Value:
    value = _number(found.strip()) if isinstance(found, str) else found
    if isinstance(value, bool):
        return value
    if not _is_number(value) or not math.isfinite(value):
        raise Malformed(f"value {found!r}: expected a finite number, true or false")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise Malformed(f"value {found!r}: does not fit in 64 bits")
    return value


def _number(text: str) -> object:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float)


def _listed(names: object) -> str:
    return ", ".join(repr(name) for name in names) if isinstance(names, list | dict) and names else "none"
