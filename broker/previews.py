"""Answering previews in the broker process, which alone may look at the raw store for somebody who asks over HTTP.

Fail closed: the datastream must be that organisation's, the profile must suit it, one preview runs at a time, each organisation has so
many a minute, and so many points are looked at. A look at personal data is on the public record before it is taken.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

import msgspec

from broker import times
from broker.control import Preview, Previewed
from broker.errors import NotFound, Refused
from broker.keeper.plan import Feed
from broker.message import form
from broker.metrics import PREVIEWS
from broker.model import Datastream, Offer
from broker.preview import Span, feed_of, hypothetical, seen, whole
from broker.privacy import pseudonymise
from broker.registry.reading import PROFILE
from broker.store.protocol import Store

MOST_POINTS = 20_000  # looked at for one preview: 0.1 s of work beside what comes in
A_MINUTE = 20  # previews of one organisation: a person who tries profiles, not a way to copy a store
USUAL = times.HOUR  # of the newest there is


class Often:
    """Who asks too often: more than `most` times within so many ns."""

    def __init__(self, most: int, within: int) -> None:
        self._most = most
        self._within = within
        self._asked: dict[str, deque[int]] = {}

    def too_many(self, organisation: str, now: int) -> bool:
        """Whether this is one too many; if not, it counts."""
        lately = self._asked.setdefault(organisation, deque(maxlen=self._most))
        if len(lately) == self._most and lately[0] > now - self._within:
            return True
        lately.append(now)
        return False


class Previews:
    """`raw` is opened when the first is asked for; `record` puts a look at personal data on the public record."""

    def __init__(self, raw: Callable[[], Store], record: Callable[[str, str], None], lateness: int) -> None:
        self._open = raw
        self._raw: Store | None = None
        self._record = record
        self._lateness = lateness
        self._alone = asyncio.Lock()
        self._often = Often(A_MINUTE, times.MINUTE)

    async def answer(self, asked: Preview, datastreams: tuple[Datastream, ...], now: int) -> Previewed:
        """Raises NotFound, Refused, Malformed and StoreUnavailable."""
        found = next((d for d in datastreams if (d.organisation, d.id) == (asked.organisation, asked.datastream)), None)
        if found is None:
            raise NotFound(f"{asked.organisation} has no datastream {asked.datastream}")
        offer = hypothetical([found], PROFILE.validate_json(asked.profile), now)
        if offer.profile.noise is not None:
            raise Refused("noise_not_previewed", "a preview with noise would be a draw that no budget counts")
        if self._often.too_many(asked.organisation, now):
            PREVIEWS.labels("too_many").inc()
            return Previewed(refused="too_many_previews")
        async with self._alone:
            answer = await asyncio.to_thread(self._look, offer, asked, now)
        PREVIEWS.labels("shown").inc()
        return answer

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _look(self, offer: Offer, asked: Preview, now: int) -> Previewed:
        datastream, feed = offer.releases[0].datastream, feed_of(offer)
        if feed.sealed:
            self._record(datastream.organisation, datastream.id)
        self._raw = self._raw or self._open()
        span = whole(feed, self._span(feed, asked, now))
        points = self._raw.read(datastream.stream, span.start, span.end, limit=MOST_POINTS + 1)
        complete = len(points) <= MOST_POINTS
        if not complete:
            span = whole(feed, Span(span.start, points[-1].time))
            points = [point for point in points if point.time < span.end]
        key = secrets.token_bytes(32)  # of this preview alone, so that no name in it is one that is ever released
        shown = seen(offer, points, now, lambda of, epoch: pseudonymise.derive(key, of, epoch), self._lateness)
        said = form(offer.releases[0], offer.profile)
        past, live = (
            [msgspec.Raw(said.message(p)) for p in of[-asked.limit :]] for of in (shown.past.points, shown.live)
        )
        return Previewed(
            past=past,
            live=live,
            retained=bool(live) and asked.end is None and not feed.sealed,
            withheld=None if feed.sealed else shown.past.withheld,
            records=None if feed.sealed else len(points),
            start=span.start,
            end=span.end,
            complete=complete and len(shown.live) <= asked.limit,
        )

    def _span(self, feed: Feed, asked: Preview, now: int) -> Span:
        assert self._raw is not None
        stream, end = feed.datastream.stream, asked.end
        if end is None:
            newest = self._raw.latest([stream]).get(stream)
            end = min(newest.time + 1 if newest else now, now)
        waits = feed.profile.delay_ns + 2 * (feed.window_ns or 0)  # so that something of the usual time is due
        return Span(end - USUAL - waits if asked.start is None else asked.start, end)
