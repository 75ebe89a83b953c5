"""History in columns, for whoever computes with it: Apache Parquet and Arrow.

Times are timestamps in ns, numbers doubles; licence and attribution travel in the schema's metadata. A value that no double holds
(text, yes or no, an integer beyond 2^53) stands in `value_exact` as JSON.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.columns import Cell, Heading, Sheet
from broker import licence, times
from broker.points import Columns, Point

Column: TypeAlias = "Sequence[object] | np.ndarray[Any, Any] | pa.Array"
Pages: TypeAlias = Iterable[tuple[Sheet, "list[Point] | Columns"]]
"""Columns where the sheet's rows say no more than time and value (`Sheet.constant`)."""


def parquet(heading: Heading, pages: Pages) -> Iterator[bytes]:
    """A Parquet file in pieces."""
    sink, schema = _Sink(), _schema(heading)
    moments = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    said = [field.name for field in schema if field.name not in moments]
    differences = dict.fromkeys(moments, "DELTA_BINARY_PACKED")  # regular times take no room, and half the time
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=said, column_encoding=differences) as writer:
        for sheet, page in pages:
            if page:
                writer.write_table(pa.Table.from_batches([_batch(sheet, page, schema)]))
                yield sink.taken()
    yield sink.taken()


def arrow(heading: Heading, pages: Pages) -> Iterator[bytes]:
    """An Arrow IPC stream in pieces."""
    sink, schema = _Sink(), _schema(heading)
    with pa.ipc.new_stream(sink, schema) as writer:
        for sheet, page in pages:
            if page:
                writer.write_batch(_batch(sheet, page, schema))
                yield sink.taken()
    yield sink.taken()


def _schema(heading: Heading) -> pa.Schema:
    fields = []
    for name in heading.columns:
        if name in ("time", "until", "revised"):
            fields.append(pa.field(name, pa.timestamp("ns", "UTC")))
        elif name == "value":
            fields += [pa.field("value", pa.float64()), pa.field("value_exact", pa.string())]
        elif name in ("rssi", *heading.statistics) and name != "count":
            fields.append(pa.field(name, pa.float64()))
        elif name in ("antenna", "count"):
            fields.append(pa.field(name, pa.int64()))
        else:
            fields.append(pa.field(name, pa.string()))
    terms = heading.terms
    licensed = {
        "licence": terms.licence,
        "licence_uri": licence.uri(terms.licence),
        "attribution": terms.attribution,
    }
    return pa.schema(fields, {**licensed, **heading.about})


def _batch(sheet: Sheet, page: list[Point] | Columns, schema: pa.Schema) -> pa.RecordBatch:
    if sheet.constant is not None:
        columns = _of_measurements(sheet.constant, page if isinstance(page, Columns) else Columns.of(page))
    else:
        assert isinstance(page, list)
        columns = _of_rows(sheet, page)
    found = [columns[field.name] for field in schema]
    arrays = [
        one if isinstance(one, pa.Array) else pa.array(one, field.type)
        for one, field in zip(found, schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _of_measurements(constant: Mapping[str, str | None], page: Columns) -> dict[str, Column]:
    """The same as `_of_rows`, without a message and its reading for each of a million rows: an eighth of the time."""
    said = {name: pa.repeat(pa.scalar(text, pa.string()), len(page)) for name, text in constant.items()}
    return {**said, "time": np.array(page.times, np.int64), **_values(page.values)}


def _of_rows(sheet: Sheet, page: list[Point]) -> dict[str, Column]:
    rows = sheet.rows(page)
    columns: dict[str, Column] = {name: [row[name] for row in rows] for name in sheet.heading.columns}
    columns["time"] = [point.time for point in page]
    for name in {"until", "revised"} & columns.keys():
        columns[name] = [None if row[name] is None else times.parse(str(row[name])) for row in rows]
    return columns | (_values([row["value"] for row in rows]) if "value" in columns else {})


def _values(exact: Sequence[Cell]) -> dict[str, Column]:
    if set(map(type, exact)) == {float}:
        return {"value": np.array(exact), "value_exact": pa.nulls(len(exact), pa.string())}
    return {
        "value": [float(v) if _fits(v) else None for v in exact],  # type: ignore[arg-type]  # _fits says it is a number
        "value_exact": [None if v is None or _fits(v) else msgspec.json.encode(v).decode() for v in exact],
    }


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
