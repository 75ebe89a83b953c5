"""History in each of its formats: points come in pages, bytes go out in pieces, memory holds one page."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from api import columnar, epcis
from api.columns import Cell, Heading, Sheet
from broker import licence
from broker.place import Place
from broker.points import Point

Pages: TypeAlias = Iterable[tuple[Sheet, list[Point]]]
"""Each with the form of the release that it is of."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether an answer holds all that was asked for."""

    complete: bool
    reason: str = ""
    next: str | None = None
    """Where it goes on."""
    since: str | None = None
    """The place of its last observation: what a live stream, or another question, goes on after."""

    def told(self) -> bytes:
        """As the last members of a JSON object, without its opening brace."""
        members: dict[str, object] = {"complete": self.complete}
        if self.reason:
            members["reason"] = self.reason
        if self.next:
            members["next"] = self.next
        if self.since:
            members["since"] = self.since
        return msgspec.json.encode(members)[1:]


Encode: TypeAlias = Callable[[Heading, Pages, Completeness], Iterator[bytes]]


def as_json(_: Heading, pages: Pages, completeness: Completeness) -> Iterator[bytes]:
    """`{"observations": [...], "complete", "reason"?, "next"?, "since"?}`, each as its live message."""
    yield b'{"observations":['
    yield from _joined([sheet.form.message(point) for point in page] for sheet, page in pages)
    yield b"]," + completeness.told()


def as_ndjson(_: Heading, pages: Pages, __: Completeness) -> Iterator[bytes]:
    """One JSON object a line, each as its live message (https://github.com/ndjson/ndjson-spec)."""
    for sheet, page in pages:
        yield b"".join([sheet.form.message(point) + b"\n" for point in page])


def as_geojson(heading: Heading, pages: Pages, completeness: Completeness) -> Iterator[bytes]:
    """A FeatureCollection (RFC 7946): a Feature an observation, where its datastream stands as the profile has it."""
    about = {**heading.about, "licence": licence.uri(heading.terms.licence), "attribution": heading.terms.attribution}
    yield b'{"type":"FeatureCollection",' + msgspec.json.encode(about)[1:-1] + b',"features":['
    yield from _joined(_features(sheet, page) for sheet, page in pages)
    yield b"]," + completeness.told()


def as_csv(heading: Heading, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """RFC 4180, UTF-8, times in UTC. A number is written so that reading it gives the same number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heading.columns)
    for sheet, page in pages:
        writer.writerows([_plain(row[name]) for name in heading.columns] for row in sheet.rows(page))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def as_parquet(heading: Heading, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """As `columnar` says; a row group a page."""
    return columnar.parquet(heading, pages)


def as_arrow(heading: Heading, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """As `columnar` says, as an Arrow IPC stream: a record batch a page."""
    return columnar.arrow(heading, pages)


def as_epcis(heading: Heading, pages: Pages, _: Completeness) -> Iterator[bytes]:
    """As `epcis` says; of tag reads alone."""
    yield msgspec.json.encode(epcis.document(heading.terms, time.time_ns()))[:-1] + b',"epcisBody":{"eventList":['
    yield from _joined(
        [msgspec.json.encode(epcis.event(_said(sheet.form.message(point)))) for point in page] for sheet, page in pages
    )
    yield b"]}}"


_said = msgspec.json.Decoder(dict[str, object]).decode

ENCODERS: Mapping[str, tuple[str, Encode]] = {
    "json": ("application/json", as_json),
    "ndjson": ("application/x-ndjson", as_ndjson),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "geojson": ("application/geo+json", as_geojson),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
    "arrow": ("application/vnd.apache.arrow.stream", as_arrow),
    "epcis": ("application/ld+json", as_epcis),
}
"""Format -> (media type, encoder)."""


TABLES: Mapping[str, Callable[[Heading, columnar.Pages], Iterator[bytes]]] = {
    "parquet": columnar.parquet,
    "arrow": columnar.arrow,
}
"""Of the formats that are made of columns, the way from columns."""


def _joined(lists: Iterable[list[bytes]]) -> Iterator[bytes]:
    comma = b""
    for items in lists:
        if items:
            yield comma + b",".join(items)
            comma = b","


def _features(sheet: Sheet, page: list[Point]) -> list[bytes]:
    return [
        b'{"type":"Feature","geometry":'
        + msgspec.json.encode(_geometry(sheet.place_of(point)))
        + b',"properties":'
        + sheet.form.message(point)
        + b"}"
        for point in page
    ]


def _geometry(place: Place | None) -> dict[str, object] | None:
    return {"type": "Point", "coordinates": [place.longitude, place.latitude]} if place else None


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None else msgspec.json.encode(cell).decode()
