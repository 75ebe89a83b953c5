"""History of a release: what was released, at the detail in which it was released, and never finer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from api import reading
from api.columns import table
from api.encode import ENCODERS, Completeness
from api.errors import Problem
from api.paging import next_url
from api.reading import Span
from api.services import Anyone, Services, With
from broker import licence, times
from broker.access import Permitted
from broker.errors import Malformed, Refused
from broker.metrics import HISTORY
from broker.model import Caller, Offer, Release
from broker.place import Place
from broker.points import Point
from broker.privacy.location import place_of
from broker.statistics import Statistic

router = APIRouter(prefix="/api/v1", tags=["history"])

PAGE_OF_JSON = (
    100  # the interface's figure; the other formats are for whole exports and have no limit unless one is given
)
MOST = 10_000  # likewise


@dataclass(frozen=True, slots=True)
class Asked:
    """The query, understood."""

    span: Span
    interval: int | None
    statistic: Statistic
    limit: int | None
    format: str


@router.get("/releases/{release}/observations", response_class=StreamingResponse)
def observations(
    request: Request,
    release: str,
    caller: Anyone,
    with_: With,
    start: Annotated[str | None, Query(description="RFC 3339; counts")] = None,
    end: Annotated[str | None, Query(description="RFC 3339; does not count")] = None,
    interval: Annotated[str | None, Query(description="ISO 8601 duration: downsample to it")] = None,
    statistic: Statistic = "mean",
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees")] = None,
    limit: Annotated[int | None, Query(ge=1, le=MOST)] = None,
    cursor: Annotated[str | None, Query(description="Where an earlier answer's `next` goes on")] = None,
    format: Annotated[Literal["json", "csv", "parquet"] | None, Query()] = None,  # noqa: A002 - the interface's name
) -> StreamingResponse:
    """Observations, oldest first, each as its live message. `complete` says whether it is all that was asked for."""
    found, offer = with_.registry.release(release)
    permitted = with_.permit(caller, offer)
    chosen = format or _accepted(request)
    asked = Asked(
        Span(
            found.stream,
            times.parse(start) if start else times.EARLIEST,
            times.parse(end) if end else times.LATEST,
            reading.decode_cursor(cursor) if cursor else None,
        ),
        times.parse_duration(interval) if interval else None,
        statistic,
        limit or (PAGE_OF_JSON if chosen == "json" else None),
        chosen,
    )
    _check(asked, found, offer)
    empty = bbox is not None and not _inside(place_of(found.datastream.place, offer.profile), bbox)
    return _answer(request, with_, _Reader(with_, caller, offer, permitted), found, asked, empty=empty)


@dataclass(slots=True)
class _Reader:
    """Who reads, and until when the decision holds."""

    services: Services
    caller: Caller | None
    offer: Offer
    permitted: Permitted
    epoch: int = -1

    def still(self) -> None:
        """Raises Problem when what was permitted at the beginning no longer is."""
        over = self.permitted.until is not None and time.time_ns() >= self.permitted.until
        if over or self.epoch != self.services.epoch:
            self.epoch = self.services.epoch
            self.permitted = self.services.permit(self.caller, self.offer)


def _answer(
    request: Request, with_: Services, reader: _Reader, release: Release, asked: Asked, *, empty: bool
) -> StreamingResponse:
    media_type, encode = ENCODERS[asked.format]
    downsampled = (asked.statistic,) if asked.interval else None
    completeness = _kept(with_, release)
    pages: Iterator[list[Point]] = iter(()) if empty else _pages(with_, reader, asked)
    if asked.limit is not None:
        taken = list(itertools.islice(itertools.chain.from_iterable(pages), asked.limit + 1))
        if len(taken) > asked.limit:
            completeness = Completeness(
                complete=False, reason="limit", next=_next(request, taken[asked.limit - 1], asked)
            )
        pages = iter([taken[: asked.limit]])
    else:
        first = next(pages, [])  # a store that is away is told by the status, which is sent before the first byte
        pages = itertools.chain([first], pages)
    headers = {
        "Mitoyen-Complete": "true" if completeness.complete else f"false; {completeness.reason}",
        "Link": f'<{licence.uri(reader.offer.terms.licence)}>; rel="license"',
        "Cache-Control": "private, no-store",
    }
    if completeness.next:
        headers["Link"] += f', <{completeness.next}>; rel="next"'
    HISTORY.labels("complete" if completeness.complete else completeness.reason).inc()
    rows = table(release, reader.offer, downsampled)
    return StreamingResponse(encode(rows, pages, completeness), media_type=media_type, headers=headers)


def _pages(with_: Services, reader: _Reader, asked: Asked) -> Iterator[list[Point]]:
    found = reading.pages(with_.released, asked.span, reader.still)
    return reading.downsampled(found, asked.interval, asked.statistic) if asked.interval else found


def _next(request: Request, last: Point, asked: Asked) -> str:
    if asked.interval:  # the next interval begins where this one ends
        last = Point(last.time + asked.interval - 1, last.value, "\U0010ffff")
    return next_url(request, cursor=reading.encode_cursor(last))


def _kept(with_: Services, release: Release) -> Completeness:
    """Whether all that Mosquitto acknowledged before now is in the store, and released."""
    asked = time.time_ns()
    said = with_.keeper()
    if said is None:
        return Completeness(complete=False, reason="unknown")
    if release.stream in said.backfilling:
        return Completeness(complete=False, reason="backfilling")
    if said.trouble or asked - said.through > 2 * times.SECOND or not with_.caught_up():
        return Completeness(complete=False, reason="behind")
    return Completeness(complete=True)


def _check(asked: Asked, release: Release, offer: Offer) -> None:
    if asked.span.start >= asked.span.end:
        raise Malformed("start and end: expected a start before the end")
    if asked.interval is None:
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


def _inside(place: Place | None, bbox: str) -> bool:
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError as error:
        raise Malformed(f"bbox {bbox[:80]!r}: expected west,south,east,north in degrees") from error
    if place is None:
        return False
    across = west <= place.longitude <= east if west <= east else not east < place.longitude < west
    return across and south <= place.latitude <= north
