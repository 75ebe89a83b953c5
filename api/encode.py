"""History as JSON, CSV and Parquet: points come in pages, bytes go out in pieces, memory holds one page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.columns import Cell, Table
from broker import licence, times
from broker.points import Point

Pages: TypeAlias = Iterable[list[Point]]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether an answer holds all that was asked for."""

    complete: bool
    reason: str = ""
    next: str | None = None
    """Where it goes on."""


Encode: TypeAlias = Callable[[Table, Pages, Completeness], Iterator[bytes]]


def as_json(table: Table, pages: Pages, completeness: Completeness) -> Iterator[bytes]:
    """`{"observations": [...], "complete", "reason"?, "next"?}`, each as its live message."""
    comma = b""
    yield b'{"observations":['
    for page in pages:
        if page:
            yield comma + b",".join([table.form.message(point) for point in page])
            comma = b","
    told: dict[str, object] = {"complete": completeness.complete}
    if completeness.reason:
        told["reason"] = completeness.reason
    if completeness.next:
        told["next"] = completeness.next
    yield b"]," + msgspec.json.encode(told)[1:]


def as_csv(table: Table, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """RFC 4180, UTF-8, times in UTC. A number is written so that reading it gives the same number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    for page in pages:
        writer.writerows([_plain(row[name]) for name in table.columns] for row in table.rows(page))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def as_parquet(table: Table, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """Times as timestamps in ns, numbers as doubles, licence and attribution in the file's metadata.

    A value that no double holds (text, yes or no, an integer beyond 2^53) stands in `value_exact` as JSON.
    """
    sink = _Sink()
    schema = _schema(table)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in pages:
            if page:
                writer.write_table(_arrow(table, page, schema))
                yield sink.taken()
    yield sink.taken()


ENCODERS: Mapping[str, tuple[str, Encode]] = {
    "json": ("application/json", as_json),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}
"""Format -> (media type, encoder)."""


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None else msgspec.json.encode(cell).decode()


def _schema(table: Table) -> pa.Schema:
    fields = []
    for name in table.columns:
        if name in ("time", "until"):
            fields.append(pa.field(name, pa.timestamp("ns", "UTC")))
        elif name == "value":
            fields += [pa.field("value", pa.float64()), pa.field("value_exact", pa.string())]
        elif name in ("rssi", *table.statistics) and name != "count":
            fields.append(pa.field(name, pa.float64()))
        elif name in ("antenna", "count"):
            fields.append(pa.field(name, pa.int64()))
        else:
            fields.append(pa.field(name, pa.string()))
    terms = table.offer.terms
    metadata = {
        "licence": terms.licence,
        "licence_uri": licence.uri(terms.licence),
        "attribution": terms.attribution,
        "offer": table.offer.id,
        "release": table.release.id,
        "profile": table.offer.profile.name,
    }
    return pa.schema(fields, metadata)


def _arrow(table: Table, page: list[Point], schema: pa.Schema) -> pa.Table:
    rows = table.rows(page)
    columns: dict[str, list[object]] = {name: [row[name] for row in rows] for name in table.columns}
    columns["time"] = [point.time for point in page]
    if "until" in columns:
        columns["until"] = [times.parse(str(row["until"])) for row in rows]
    if "value" in columns:
        exact = [row["value"] for row in rows]
        columns["value"] = [float(v) if _fits(v) else None for v in exact]  # type: ignore[arg-type]  # _fits says it is a number
        columns["value_exact"] = [None if _fits(v) else msgspec.json.encode(v).decode() for v in exact]
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _fits(value: Cell) -> bool:
    return isinstance(value, float) or (type(value) is int and int(float(value)) == value)


class _Sink(io.RawIOBase):
    """A file that forgets what was taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]  # pyarrow hands over buffers
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
