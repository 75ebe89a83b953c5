"""Live releases as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The decision to release is made anew whenever something changed and whenever it ran out, right before an event is sent.
An event's id is its place in the release's history, so that `Last-Event-ID` goes on without a gap: events are first
listened to, then history is read up to what the listening began with, then what was heard is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from api import forms, reading
from api.errors import Problem
from api.hub import Heard, Hub, Listener, Observed, observed
from api.services import Anyone, Services, With, within
from broker import times, topics
from broker.access import Permitted
from broker.errors import Unavailable
from broker.message import Form, form, notice
from broker.meter import ANYONE
from broker.metrics import STREAMS
from broker.model import Caller, Offer, Release
from broker.points import Point

router = APIRouter(prefix="/api/v1", tags=["live"])

TOGETHER = 64  # live messages that are sent under one decision: some 10 KB, no more than is on its way already
HEARTBEAT_S = 15.0  # proxies close what is silent for 30 s and more
LOOK_S = 0.5  # how often the registry is asked whether another process changed it
_JPEG = b"\xff\xd8"  # how every JPEG begins, and no JSON
SETTLE_S = 5.0  # how long to wait for history to reach what was heard


@router.get("/releases/{release}/live", response_class=StreamingResponse)
def live(
    request: Request,
    release: forms.ARelease,
    caller: Anyone,
    with_: With,
    last_event_id: Annotated[
        str | None,
        Header(
            description="Goes on after this event",
            examples=[reading.encode_cursor(Point(1_795_982_400_000_000_000, 0))],
        ),
    ] = None,
) -> StreamingResponse:
    """A release as it comes: the last value at once, then every new one."""
    found, offer = with_.known.release(release)
    decision = with_.permit(caller, offer, "live")
    after = reading.decode_cursor(last_event_id) if last_event_id else None
    stream = _Stream(with_, request.app.state.hub, caller)
    stream.add(found, offer, decision)
    return _answer(stream, after)


@router.get("/live", response_class=StreamingResponse)
def live_of_several(
    request: Request,
    caller: Anyone,
    with_: With,
    release: Annotated[
        list[str] | None,
        Query(description="Which; left out: all that you may read", examples=[["release-52f3c6a39d08d50140bd"]]),
    ] = None,
) -> StreamingResponse:
    """Several releases in one stream; each event's `event` is its release's id."""
    within(caller, "live")
    stream = _Stream(with_, request.app.state.hub, caller, several=True)
    for one in release or ():
        found, offer = with_.known.release(one)
        stream.add(found, offer, with_.permit(caller, offer, "live"))
    for offer in with_.registry.offers() if release is None else ():
        try:
            decision = with_.permit(caller, offer, "live")
        except Problem:
            continue
        for found in offer.releases:
            stream.add(found, offer, decision)
    return _answer(stream, None)


@dataclass(slots=True)
class _Shown:
    release: Release
    offer: Offer
    form: Form
    agreement: str


@dataclass(slots=True)
class _Stream:
    """What one connection is shown, and by which decisions."""

    services: Services
    hub: Hub
    caller: Caller | None
    several: bool = False
    shown: dict[str, _Shown] = field(default_factory=dict)
    decisions: dict[str, Permitted] = field(default_factory=dict)
    epoch: int = -1
    until: int = times.LATEST
    """When (ns) the first of the decisions runs out."""
    ended: str = ""
    """Why the last that was left out is no longer permitted."""
    noticed: int = -1
    """The epoch in which notices were looked up last."""
    told: set[str] = field(default_factory=set)
    """Notices that were sent."""

    def add(self, release: Release, offer: Offer, decision: Permitted) -> None:
        topic = offer.topic(release)
        agreement = None if offer.terms.access == "open" else self.services.agreement(self.caller, offer)
        under = agreement.id if agreement else ANYONE
        self.shown[topic] = _Shown(release, offer, form(release, offer.profile), under)
        self.decisions[offer.id] = decision
        self.until = min(self.until, _end(decision))

    def decide(self) -> None:
        """Decide anew; offers that are no longer permitted, or in doubt, are left out."""
        self.epoch = self.services.epoch
        for topic, shown in list(self.shown.items()):
            try:
                self.decisions[shown.offer.id] = self.services.permit_still(self.caller, shown.offer, "live")
            except (Problem, Unavailable) as error:
                self.ended = error.reason if isinstance(error, Problem) else "in_doubt"
                del self.shown[topic]
        ends = (_end(self.decisions[shown.offer.id]) for shown in self.shown.values())
        self.until = min(ends, default=times.LATEST)

    def event(self, shown: _Shown, what: Observed) -> bytes:
        """An event, counted."""
        self.services.note(shown.offer.id, shown.agreement, what.size)
        return b"event: %s\n%s" % (shown.release.id.encode(), what.event) if self.several else what.event

    def notices(self) -> list[bytes]:
        """What the application was not told yet of its agreements on these offers."""
        self.noticed = self.services.epoch
        if self.caller is None or self.caller.role != "application":
            return []
        standing = self.services.registry.notices(self.caller)
        new = [one for one in standing if one.offer in self.decisions and one.id not in self.told]
        self.told.update(one.id for one in new)
        return [b"event: notice\ndata: %s\n\n" % msgspec.json.encode(notice(one)) for one in new]

    def stale(self) -> bool:
        return self.epoch != self.services.epoch or self.until <= self.services.clock()


def _end(decision: Permitted) -> int:
    return times.LATEST if decision.until is None else decision.until


def _answer(stream: _Stream, after: tuple[int, str] | None) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(stream, after), media_type="text/event-stream", headers=headers)


async def _events(stream: _Stream, after: tuple[int, str] | None) -> AsyncIterator[bytes]:
    STREAMS.inc()
    try:
        async with stream.hub.listening(list(stream.shown)) as listener:
            sent: set[str] = set()
            if after is not None:
                sent.add(
                    reading.encode_cursor(Point(after[0], 0, after[1]))
                )  # the last value is heard at once, and it may be this
                async for past in _past(stream, after, sent):
                    yield past
            yield b": listening\n"  # no empty line: httpx-sse takes a comment and one for an event without data
            async for event in _heard(stream, listener, sent):
                yield event
    finally:
        STREAMS.dec()


async def _past(stream: _Stream, after: tuple[int, str], sent: set[str]) -> AsyncIterator[bytes]:
    """What was released since `after`, up to now."""
    (shown,) = stream.shown.values()
    async with asyncio.timeout(SETTLE_S):
        while not await asyncio.to_thread(stream.services.caught_up, shown.offer.organisation):
            pass  # it waits by itself
    span = reading.Span(shown.release.stream, times.EARLIEST, times.LATEST, after)
    pages = reading.pages(stream.services.released, span, lambda: None)
    while (page := await asyncio.to_thread(next, pages, None)) is not None:
        if stream.stale():
            await asyncio.to_thread(stream.decide)
        if not stream.shown:
            return
        for point in page:
            cursor = reading.encode_cursor(point)
            sent.add(cursor)
            yield stream.event(shown, observed(shown.form.message(point), cursor))


async def _heard(stream: _Stream, listener: Listener, sent: set[str]) -> AsyncIterator[bytes]:
    """What is heard from now on, until it is no longer permitted or nobody reads."""
    silent_since = time.monotonic()
    while True:
        if not stream.stale():
            await listener.wait(LOOK_S)
        heard, missed = listener.take()
        if missed:
            yield b'event: missed\ndata: {"count":%d}\n\n' % missed
        for at in range(0, len(heard), TOGETHER):
            await _permitted(stream)
            if events := _written(stream, heard[at : at + TOGETHER], sent):
                yield events
        permitted = await _permitted(stream)
        for told in await _notices(stream):
            yield told
        if not permitted:
            yield b'event: end\ndata: {"reason":"%s"}\n\n' % stream.ended.encode()
            return
        if heard:
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since > HEARTBEAT_S:
            silent_since = time.monotonic()
            yield b": still here\n"


async def _permitted(stream: _Stream) -> dict[str, _Shown]:
    """What may be shown now."""
    if stream.stale():
        await asyncio.to_thread(stream.decide)
    return stream.shown


async def _notices(stream: _Stream) -> list[bytes]:
    if stream.noticed == stream.services.epoch:  # threads are dear
        return []
    try:
        return await asyncio.to_thread(stream.notices)
    except Unavailable:  # it is looked up again with the next change
        return []


def _written(stream: _Stream, heard: list[Heard], sent: set[str]) -> bytes:
    """Events of what was heard and may be shown."""
    return b"".join(
        stream.event(shown, what)
        for one in heard
        if (shown := stream.shown.get(one.topic) or stream.shown.get(topics.siblings(one.topic))) is not None
        for what in (_of_picture(stream, shown, one) if one.payload.startswith(_JPEG) else one.observations())
        if what.cursor not in sent
    )


def _of_picture(stream: _Stream, shown: _Shown, heard: Heard) -> list[Observed]:
    """Where a camera's new picture is to be had: {"datastream", "time", "picture", "bytes"}."""
    time_ns = stream.services.pictures.latest_time(shown.release.id)
    if time_ns is None:
        return []
    told = {
        "datastream": shown.release.datastream.id,
        "time": times.text(time_ns),
        "picture": f"/api/v1/releases/{shown.release.id}/latest",
        "bytes": len(heard.payload),
    }
    return [observed(msgspec.json.encode(told), reading.encode_cursor(Point(time_ns, 0)))]


async def watch(with_: Services) -> None:
    """Notice what other processes change in the registry, until cancelled."""
    seen: int | None = None
    while True:
        try:
            revision = await asyncio.to_thread(with_.registry.revision)
            if seen is not None and seen != revision:
                with_.noticed()
            seen = revision
        except Unavailable:
            with_.noticed()  # in doubt every stream decides anew, which fails closed
        await asyncio.sleep(LOOK_S)
