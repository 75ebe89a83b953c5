"""EPCIS 2.0's query of events, read: released tag reads that the caller may read, in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api import epcis
from api.counted import Reading
from api.paging import next_url
from api.reading import decode_place, encode_place
from api.services import Anyone, With
from broker import times
from broker.message import form
from broker.model import Offer
from broker.points import Point

router = APIRouter(prefix="/epcis", tags=["EPCIS"])

PAGE = 100
MOST = 10_000  # as of all lists
LOOKED_AT = 100_000  # reads that a page of few matches may look at; then it ends, and the next goes on
CHUNK = 1_000
_decode = msgspec.json.Decoder(dict[str, object]).decode
_TIME = "2026-11-22T20:00:00Z"


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    offer: Offer
    point: Point
    event: dict[str, object]


@router.get("/events", response_class=Response)
def events(
    request: Request,
    caller: Anyone,
    with_: With,
    _event_type: Annotated[Literal["ObjectEvent"] | None, Query(alias="eventType", examples=["ObjectEvent"])] = None,
    since: Annotated[str | None, Query(alias="GE_eventTime", description="From this time on", examples=[_TIME])] = None,
    before: Annotated[str | None, Query(alias="LT_eventTime", description="Before this time", examples=[_TIME])] = None,
    epc: Annotated[
        str | None, Query(alias="MATCH_epc", description="As an event names it", examples=["urn:epc:id:sgtin:1.2.3"])
    ] = None,
    read_point: Annotated[
        str | None, Query(alias="EQ_readPoint", description="Likewise", examples=["urn:x:gate"])
    ] = None,
    per_page: Annotated[int, Query(alias="perPage", ge=1, le=MOST, examples=[100])] = PAGE,
    token: Annotated[
        str | None,
        Query(
            alias="nextPageToken",
            description="As the last page's link has it",
            examples=[encode_place(0, Point(0, ""))],
        ),
    ] = None,
) -> Response:
    """Tag reads as EPCIS ObjectEvents, by release and time; what the profile gives stands in the place of the EPC."""
    _, readable = with_.readable(caller)
    reading = Reading(with_, caller, readable, with_.epoch)
    span = times.parse(since) if since else times.EARLIEST, times.parse(before) if before else times.LATEST

    def matches(one: _Found) -> bool:
        place = one.event.get("readPoint", {"id": None})
        return (epc is None or one.event["epcList"] == [epc]) and (read_point is None or place == {"id": read_point})

    page, last = _page(_reads(reading, span, token), matches, per_page)
    for one in page:
        reading.still(one.offer, 1)
    shown = [epcis.licensed(one.event, one.offer.terms) for one in page]
    body = msgspec.json.encode(epcis.answer(shown, with_.clock()))
    reading.tell(len(body))
    headers = {**epcis.VERSIONS, "Cache-Control": "private, no-store"}
    if last is not None:
        headers["Link"] = f'<{next_url(request, nextPageToken=encode_place(last.number, last.point))}>; rel="next"'
    return Response(body, media_type="application/ld+json", headers=headers)


def _reads(reading: Reading, span: tuple[int, int], token: str | None) -> Iterator[_Found]:
    """All tag reads of a span of time that may be read, by release and time, after the place that a page ended at."""
    first, after = decode_place(token) if token else (0, None)
    shown = {
        release.number: (release, one.offer)
        for one in reading.readable.values()
        if one.offer.profile.aggregate is None
        for release in one.offer.releases
        if release.datastream.kind == "rfid" and release.number >= first
    }
    for number, (release, offer) in sorted(shown.items(), key=lambda one: one[0]):
        place, written = after if number == first else None, form(release, offer.profile)
        while True:
            found = reading.with_.released.read(release.stream, *span, after=place, limit=CHUNK)
            reading.still(offer, 0)
            for point in found:
                yield _Found(number, offer, point, epcis.event(_decode(written.message(point))))
            if len(found) < CHUNK:
                break
            place = found[-1].cursor


def _page(reads: Iterator[_Found], matches: Callable[[_Found], bool], size: int) -> tuple[list[_Found], _Found | None]:
    """A page of those that match, and where the next goes on; None: this is the last."""
    page: list[_Found] = []
    last: _Found | None = None
    for looked_at, one in enumerate(reads):
        if len(page) == size or looked_at == LOOKED_AT:
            return page, last
        last = one
        if matches(one):
            page.append(one)
    return page, None
