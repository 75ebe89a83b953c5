"""History of releases: what was released, at the detail in which it was released, and never finer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import forms, reading
from api.columns import Sheet, sheets
from api.encode import ENCODERS, TABLES, Completeness, Encode
from api.errors import Problem
from api.paging import next_url
from api.ranges import Files
from api.reading import Span
from api.services import Anyone, Services, With
from broker import licence, times
from broker.access import Permitted
from broker.errors import Malformed, NotFound, Refused
from broker.message import form
from broker.meter import ANYONE, Delivered
from broker.metrics import HISTORY
from broker.model import Caller, Offer, Release
from broker.place import Place
from broker.points import Columns, Cursor, Point
from broker.privacy.location import place_of
from broker.statistics import Statistic

P = TypeVar("P", list[Point], Columns)
router = APIRouter(prefix="/api/v1", tags=["history"])

PAGE_OF_JSON = (
    100  # the interface's figure; the other formats are for whole exports and have no limit unless one is given
)
CURSOR = reading.encode_place(0, Point(1_795_982_400_000_000_000, 0))  # an example
SINCE = reading.encode_cursor(Point(1_795_982_400_000_000_000, 0))  # likewise
MOST = 10_000  # likewise
Format = Literal["json", "ndjson", "csv", "geojson", "parquet", "arrow", "epcis"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The query, understood."""

    start: int
    end: int
    interval: int | None
    statistic: Statistic
    bbox: tuple[float, float, float, float] | None
    limit: int | None
    cursor: str | None
    format: str
    since: Cursor | None = None


async def asked(
    request: Request,
    start: Annotated[str | None, Query(description="RFC 3339; counts", examples=["2026-11-22T20:00:00Z"])] = None,
    end: Annotated[
        str | None, Query(description="RFC 3339; does not count", examples=["2030-01-01T00:00:00+01:00"])
    ] = None,
    interval: Annotated[str | None, Query(description="ISO 8601 duration: downsample to it", examples=["PT5M"])] = None,
    statistic: Annotated[Statistic, Query(description="Of each interval", examples=["max"])] = "mean",
    bbox: Annotated[
        str | None, Query(description="west,south,east,north in degrees", examples=["4.7,45.7,4.9,45.8"])
    ] = None,
    limit: Annotated[int | None, Query(ge=1, le=MOST, examples=[1000])] = None,
    cursor: Annotated[
        str | None, Query(description="Where an earlier answer's `next` goes on", examples=[CURSOR])
    ] = None,
    format: Annotated[Format | None, Query(description="Left out: what `Accept` says", examples=["csv"])] = None,  # noqa: A002 - the interface's name
) -> Asked:
    """What all calls for history have in common. Raises Malformed."""
    chosen = format or _accepted(request)
    first, last = times.parse(start) if start else times.EARLIEST, times.parse(end) if end else times.LATEST
    if first >= last:
        raise Malformed("start and end: expected a start before the end")
    length = times.parse_duration(interval) if interval else None
    page = limit or (PAGE_OF_JSON if chosen in ("json", "geojson") else None)
    return Asked(first, last, length, statistic, _box(bbox) if bbox else None, page, cursor, chosen)


Query_ = Annotated[Asked, Depends(asked)]


@router.head("/releases/{release}/observations", include_in_schema=False)
@router.get("/releases/{release}/observations", response_class=StreamingResponse)
def observations(
    request: Request,
    release: forms.ARelease,
    caller: Anyone,
    with_: With,
    query: Query_,
    since: Annotated[
        str | None,
        Query(
            description="After this observation: `since` of an earlier answer, or a live event's id", examples=[SINCE]
        ),
    ] = None,
) -> Response:
    """Observations, oldest first, each as its live message. `complete` says whether it is all that was asked for.

    Parquet answers ranges of bytes, so that a reader may take the URL for a file.
    """
    found, offer = with_.known.release(release)
    after = reading.decode_cursor(since) if since else None
    return _answer(request, with_, _reader(with_, caller, offer), [found], replace(query, since=after))


@router.head("/offers/{offer}/observations", include_in_schema=False)
@router.get("/offers/{offer}/observations", response_class=StreamingResponse)
def observations_of_offer(
    request: Request, offer: forms.AnOffer, caller: Anyone, with_: With, query: Query_
) -> Response:
    """The same of all datastreams of an offer, one after the other, each oldest first; `bbox` chooses among them."""
    found = with_.known.offer(offer)
    reader = _reader(with_, caller, found)
    different = {release.stream: release for release in reversed(found.releases)}  # by cell all are one
    return _answer(request, with_, reader, [r for r in found.releases if r is different[r.stream]], query)


@router.get("/releases/{release}/latest")
def latest(release: forms.ARelease, caller: Anyone, with_: With) -> Response:
    """The newest observation that was released; of a window with groups, an array of all of them; of a camera the picture."""
    found, offer = with_.known.release(release)
    with_.permit(caller, offer)
    if found.datastream.kind == "camera":
        return _picture(with_, caller, offer, found)
    newest = with_.released.latest([found.stream]).get(found.stream)
    if newest is None:
        raise NotFound(f"nothing was released yet in {release}")
    points = [newest]
    if offer.profile.grouped:
        points = next(reading.pages(with_.released, Span(found.stream, newest.time, newest.time + 1), lambda: None))
    body = form(found, offer.profile).messages(points)
    return Response(body, media_type="application/json", headers=_headers(offer))


def _picture(with_: Services, caller: Caller | None, offer: Offer, release: Release) -> Response:
    picture = with_.pictures.latest(release.id)
    if picture is None:
        raise NotFound(f"nothing was released yet in {release.id}")
    agreement = with_.agreement(caller, offer)
    under = agreement.id if agreement and offer.terms.access != "open" else ANYONE
    with_.delivered(Delivered(offer.id, under, 1, len(picture.jpeg)))
    headers = {**_headers(offer), "Mitoyen-Time": times.text(picture.time)}
    return Response(picture.jpeg, media_type="image/jpeg", headers=headers)


@dataclass(slots=True)
class _Reader:
    """Who reads, and until when the decision holds."""

    services: Services
    caller: Caller | None
    offer: Offer
    epoch: int
    """When it was decided."""
    permitted: Permitted
    records: int = 0
    """Read and not counted as delivered yet."""

    @property
    def name(self) -> str:
        return f"{self.caller.role}/{self.caller.id}" if self.caller else "anyone"

    def counted(self, body: Iterator[bytes]) -> Iterator[bytes]:
        """The same, counted as delivered piece by piece, before each leaves. Raises Problem when it may no longer."""
        agreement = self.services.agreement(self.caller, self.offer)
        under = agreement.id if agreement and self.offer.terms.access != "open" else ANYONE
        for piece in body:
            records, self.records = self.records, 0
            if records:
                self.still()
            self.services.delivered(Delivered(self.offer.id, under, records, len(piece)))
            yield piece

    def still(self) -> None:
        """Raises Problem when what was permitted at the beginning no longer is."""
        over = self.permitted.until is not None and self.services.clock() >= self.permitted.until
        if over or self.epoch != self.services.epoch:
            self.epoch = self.services.epoch
            self.permitted = self.services.permit_still(self.caller, self.offer)


def _reader(with_: Services, caller: Caller | None, offer: Offer) -> _Reader:
    """Raises Problem."""
    epoch = with_.epoch  # before it is decided: what changes meanwhile is looked at again
    return _Reader(with_, caller, offer, epoch, with_.permit(caller, offer))


def _answer(request: Request, with_: Services, reader: _Reader, releases: Sequence[Release], query: Asked) -> Response:
    offer = reader.offer
    for release in releases:
        _check(query, release, offer)
    chosen = [
        r
        for r in releases
        if query.bbox is None or offer.profile.by_cell or _inside(place_of(r.datastream, offer.profile), query.bbox)
    ]
    media_type, encode = ENCODERS[query.format]
    made = _Made(
        request,
        reader,
        sheets(offer, chosen or releases, (query.statistic,) if query.interval else None),
        chosen,
        query,
    )
    if query.format == "parquet" and ("range" in request.headers or request.method == "HEAD"):
        files: Files = request.app.state.files
        return files.answer(
            request, reader.name, media_type, lambda: made.body(encode, _kept(with_, offer, chosen)), reader.still
        )
    completeness = _kept(with_, offer, chosen)
    if query.limit is not None:
        completeness = replace(made.limited(query.limit, completeness), since=made.since())
        reader.still()  # a page that took longer than it was permitted is refused rather than cut off
    body = made.body(encode, completeness)
    first = next(body, b"")  # a store that is away is told by the status, which is sent before the first byte
    headers = _headers(offer, completeness)
    HISTORY.labels("complete" if completeness.complete else completeness.reason).inc()
    if made.taken is not None:
        return Response(first, media_type=media_type, headers=headers)
    return StreamingResponse(itertools.chain([first], body), media_type=media_type, headers=headers)


@dataclass(slots=True)
class _Made:
    """An answer in the making."""

    request: Request
    reader: _Reader
    sheets: Sequence[Sheet]
    releases: Sequence[Release]
    query: Asked
    taken: list[tuple[Sheet, list[Point]]] | None = None

    def body(self, encode: Encode, completeness: Completeness) -> Iterator[bytes]:
        heading = self.sheets[0].heading
        if self.taken is not None:  # at once: each piece is told to the broker
            pieces = iter([b"".join(encode(heading, self._read(iter(self.taken)), completeness))])
        elif self.query.interval is None and self.sheets[0].constant is not None and self.query.format in TABLES:
            pieces = TABLES[self.query.format](heading, self._read(self.columns()))
        else:
            pieces = encode(heading, self._read(self.pages()), completeness)
        return self.reader.counted(pieces)

    def _read(self, pages: Iterator[tuple[Sheet, P]]) -> Iterator[tuple[Sheet, P]]:
        for sheet, page in pages:
            self.reader.records += len(page)
            yield sheet, page

    def columns(self) -> Iterator[tuple[Sheet, Columns]]:
        """The same as `pages`."""
        for sheet, span in self._spans():
            for page in reading.columns(self.reader.services.released, span, self.reader.still):
                yield sheet, page

    def pages(self) -> Iterator[tuple[Sheet, list[Point]]]:
        """Release by release, page by page, from where the cursor says."""
        size = reading.TABLE if self.query.format in TABLES else reading.PAGE
        if self.query.limit is not None and self.query.interval is None:
            size = min(size, self.query.limit + 1)  # one more tells whether there is more
        for sheet, span in self._spans():
            found = reading.pages(self.reader.services.released, span, self.reader.still, size)
            if self.query.interval:
                found = reading.downsampled(found, self.query.interval, self.query.statistic)
            for page in found:
                yield sheet, self._in_box(sheet, page)

    def _spans(self) -> Iterator[tuple[Sheet, Span]]:
        first, after = reading.decode_place(self.query.cursor) if self.query.cursor else (0, self.query.since)
        for number, (sheet, release) in enumerate(zip(self.sheets, self.releases, strict=False)):
            if number >= first:
                yield sheet, Span(release.stream, self.query.start, self.query.end, after if number == first else None)

    def _in_box(self, sheet: Sheet, page: list[Point]) -> list[Point]:
        """Where the points of a release lie apart, those that were asked for."""
        box = self.query.bbox
        if box is None or not sheet.by_cell:
            return page
        return [point for point in page if _inside(sheet.place_of(point), box)]

    def limited(self, limit: int, completeness: Completeness) -> Completeness:
        """Take a page of this many observations; what it says of how complete it is."""
        self.taken, left = [], limit
        for sheet, page in self.pages():
            if len(page) > left or not left:
                self.taken.append((sheet, page[:left]))
                return Completeness(complete=False, reason="limit", next=self._next())
            self.taken.append((sheet, page))
            left -= len(page)
        return completeness

    def since(self) -> str | None:
        """The place of the last observation that was taken, or what was asked for after; None where there are several streams."""
        if len(self.sheets) != 1 or self.query.interval:
            return None
        last = next((page[-1].cursor for _, page in reversed(self.taken or ()) if page), self.query.since)
        return reading.encode_cursor(Point(last[0], 0, last[1])) if last else None

    def _next(self) -> str:
        assert self.taken is not None
        sheet, page = next((sheet, page) for sheet, page in reversed(self.taken) if page)
        last = page[-1]
        if self.query.interval:  # the next interval begins where this one ends
            last = Point(last.time + self.query.interval - 1, last.value, "\U0010ffff")
        number = next(i for i, one in enumerate(self.sheets) if one is sheet)
        return next_url(self.request, cursor=reading.encode_place(number, last))


def _headers(offer: Offer, completeness: Completeness | None = None) -> dict[str, str]:
    headers = {
        "Link": f'<{licence.uri(offer.terms.licence)}>; rel="license"',
        "Cache-Control": "private, no-store",
    }
    if completeness is not None:
        headers["Mitoyen-Complete"] = "true" if completeness.complete else f"false; {completeness.reason}"
        if completeness.next:
            headers["Link"] += f', <{completeness.next}>; rel="next"'
    return headers


def _kept(with_: Services, offer: Offer, releases: Sequence[Release]) -> Completeness:
    """Whether all that Mosquitto acknowledged before now is in the store, and released, but for windows that are not due."""
    now = time.time_ns()
    said = with_.keeper(offer.organisation)
    if said is None:
        return Completeness(complete=False, reason="unknown")
    if offer.created >= said.followed or any(release.stream in said.backfilling for release in releases):
        return Completeness(complete=False, reason="backfilling")
    windows = [release.stream for release in releases] if offer.profile.aggregate is not None else []
    if said.trouble or now - said.through > 2 * times.SECOND or not with_.caught_up(offer.organisation, windows):
        return Completeness(complete=False, reason="behind")
    return Completeness(complete=True)


def _check(query: Asked, release: Release, offer: Offer) -> None:
    if release.datastream.kind == "camera":
        raise Refused("no_history", f"Of a camera the last picture alone is kept: /api/v1/releases/{release.id}/latest")
    if query.format == "epcis" and (release.datastream.kind != "rfid" or offer.profile.aggregate is not None):
        raise Refused("no_tags", "EPCIS tells what became of tags: ask for it of tag reads that are not aggregated.")
    if query.interval is None:
        return
    if offer.profile.aggregate is not None:
        window = offer.profile.aggregate.window
        raise Refused("already_aggregated", f"This release has windows of {window}: ask without interval.")
    if release.datastream.kind == "rfid":
        raise Refused("no_numbers", "Tag reads have no numbers: ask without interval.")


def _accepted(request: Request) -> str:
    accept = request.headers.get("accept", "*/*")
    for name, (media_type, _) in ENCODERS.items():
        if media_type.partition(";")[0] in accept:
            return name
    if "*/*" in accept or "application/*" in accept:
        return "json"
    raise Problem(406, "No such format", f"There is {', '.join(ENCODERS)}.", "no_such_format")


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Malformed(f"bbox {text[:80]!r}: expected west,south,east,north in degrees") from error
    return west, south, east, north


def _inside(place: Place | None, box: tuple[float, float, float, float]) -> bool:
    if place is None:
        return False
    west, south, east, north = box
    across = west <= place.longitude <= east if west <= east else not east < place.longitude < west
    return across and south <= place.latitude <= north
