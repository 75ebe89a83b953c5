"""Publishing what the journal holds: live releases without windows, and receipts.

It follows the journal from memory while it keeps up and from disk when it does not, and its place there moves on when
Mosquitto has acknowledged all of a batch: after a crash some messages are published again (live is at least once).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from broker.consent import NONE
from broker.entry import Entry
from broker.errors import Unavailable
from broker.journal.protocol import Batch, Journal
from broker.meter import Meter
from broker.metrics import PUBLISH_REFUSED, PUBLISHED, RECEIPTS
from broker.model import Offer
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account, Connection
from broker.points import Point
from broker.privacy.keys import PseudonymKeys
from broker.receipt import receipt
from broker.release import pointwise
from broker.routes import NOWHERE, Outlet, Routes, outlets

log = structlog.get_logger()

PLACE = "live"
REMEMBERED_RECORDS = 200_000  # of batches that wait to be published: some 40 MB; beyond, they are read from disk again
RETRY_S = 1.0  # how often a lost connection is tried again

Packet: TypeAlias = tuple[bytes, bytes, bytes, bool]


@dataclass(slots=True)
class _Pending:
    """A batch that is being published, and how many of its packets are not acknowledged yet."""

    seq: int
    left: int = 0
    complete: bool = False

    def acknowledged(self, reason: int) -> None:
        self.left -= 1
        if reason >= 128:  # noqa: PLR2004 - MQTT 5, 3.4.2.1: from here on it was refused
            PUBLISH_REFUSED.labels(hex(reason)).inc()


class Outbound:
    """The one publisher of releases without windows."""

    def __init__(
        self,
        journal: Journal,
        keys: PseudonymKeys,
        lateness: int,
        meter: Meter,
        check: Callable[[], None],
        *,
        name: str = PLACE,
    ) -> None:
        """Of several, to as many Mosquittos, each has a `name` of its own for its place. `check` raises LeaseLost where another may publish by now."""
        self.routes: Routes = NOWHERE
        self.consents = NONE
        self.connected = False
        self.name = name
        self.place = journal.place(name) or (0 if name == PLACE else journal.last)  # a new Mosquitto has missed nothing
        """The last batch that was published and acknowledged whole."""
        self._journal = journal
        self._keys = keys
        self._lateness = lateness
        self._waiting: deque[Batch] = deque()
        self._records = 0
        self._something = asyncio.Event()
        self._pending: deque[_Pending] = deque()
        self._last: dict[str, list[Point]] = {}
        self._newest: dict[str, int] = {}
        self._retain: dict[str, tuple[Outlet, list[Point]]] = {}
        self._told: dict[str, bytes] = {}
        """To be retained as it is, by topic; empty: nothing is."""
        self._meter = meter
        self._check = check

    def offer(self, batch: Batch) -> None:
        """Take note of a batch that was just journalled."""
        self._waiting.append(batch)
        self._records += sum(len(entry.points) for entry in batch.entries)
        if self._records > REMEMBERED_RECORDS:
            self._waiting.clear()
            self._records = 0
        self._something.set()

    def remember(self, stream: str, points: list[Point]) -> None:
        """Take note of a datastream's last points, oldest first: what a retained value is made of."""
        known = self._last.get(stream)
        if known is None or points[-1].time >= known[-1].time:
            self._last[stream] = points

    def change(self, routes: Routes) -> None:
        """Follow other routes from now on; a release that is new gets its retained value."""
        known = {o.heading for route in self.routes.by_topic.values() for o in route.outlets}
        self._told |= dict.fromkeys(routes.withdrawn - self.routes.withdrawn, b"")
        for topic in self.routes.withdrawn - routes.withdrawn:  # it is heard again
            self._told.pop(topic, None)
        before = self.routes.notices
        self._told |= {topic: text for topic, text in routes.notices.items() if before.get(topic, b"") != text}
        self._told |= dict.fromkeys(before.keys() - routes.notices.keys(), b"")
        self.routes = routes
        streams = {route.datastream.stream for route in routes.by_topic.values()}
        self._last = {stream: points for stream, points in self._last.items() if stream in streams}
        for route in routes.by_topic.values():
            for outlet in route.outlets:
                if outlet.heading not in known:
                    self._retain_last(outlet)
        self._something.set()

    def grow(self, routes: Routes, added: Iterable[Offer]) -> None:
        """Follow routes that lead to these offers more, and are else as they were."""
        self.routes = routes
        for outlet in outlets(added):
            self._retain_last(outlet)
        self._something.set()

    def take_back(self) -> None:
        """Take back what per-person releases retain: somebody asked for erasure."""
        for route in self.routes.by_topic.values():
            if route.datastream.kind == "rfid":
                self._told |= {outlet.offer.topic(outlet.release): b"" for outlet in route.outlets}
        self._something.set()

    async def run(self, account: Account) -> None:
        """Publish until cancelled, connecting again whenever the connection is lost. Raises LeaseLost."""
        while True:
            self._check()
            try:
                async with connection.connect(account, lambda _: None) as out:
                    log.info("outbound_connected")
                    self.connected = True
                    out.lost.add_done_callback(lambda _: self._something.set())
                    await self._follow(out)
            except (Unavailable, TimeoutError) as error:
                log.warning("outbound_not_connected", reason=str(error))
            finally:
                self.connected = False
            await asyncio.sleep(RETRY_S)

    async def _follow(self, out: Connection) -> None:
        self._pending.clear()
        done = self.place
        self._told = dict.fromkeys(self.routes.withdrawn, b"") | dict(self.routes.notices)
        for route in self.routes.by_topic.values():
            for outlet in route.outlets:
                self._retain_last(outlet)
        while not out.lost.done():
            await self._publish_retained(out)
            batch = await self._next(done)
            if batch is None:
                await self._rest()
                continue
            await self._publish(out, batch)
            done = batch.seq
            self._advance()

    async def _rest(self) -> None:
        """Wait for something to do; look now and then whether the last acknowledgements have come."""
        self._something.clear()
        if not self._waiting and not self._retain and not self._told:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), 0.05 if self._pending else 5)
        self._advance()

    async def _next(self, done: int) -> Batch | None:
        while self._waiting and self._waiting[0].seq <= done:
            self._forget()
        if self._waiting and self._waiting[0].seq == done + 1:
            return self._forget()
        if done < self._journal.last:
            found = await self._journal.read(done, most_bytes=1)
            return found[0] if found else None
        return None

    def _forget(self) -> Batch:
        batch = self._waiting.popleft()
        self._records -= sum(len(entry.points) for entry in batch.entries)
        return batch

    async def _publish(self, out: Connection, batch: Batch) -> None:
        pending = _Pending(batch.seq)
        self._pending.append(pending)
        packets = list(self._packets(batch.entries))
        at = 0
        while at < len(packets):
            room = await out.room()
            chunk = packets[at : at + room]
            pending.left += len(chunk)
            self._check()
            out.publish(chunk, pending.acknowledged)
            at += len(chunk)
        pending.complete = True
        PUBLISHED.inc(len(packets))

    def _packets(self, entries: list[Entry]) -> Iterator[Packet]:
        for entry in entries:
            if entry.response_topic:
                RECEIPTS.inc()
                properties = codec.user_properties((), correlation=entry.correlation)
                yield codec.heading(entry.response_topic), properties, receipt(entry), False
            route = self.routes.by_topic.get(entry.topic)
            if route is None or not entry.points:
                continue
            points = entry.points if len(entry.points) == 1 else sorted(entry.points, key=_time)
            self.remember(route.datastream.stream, points)
            for outlet in route.outlets:
                yield from self._released(outlet, points, entry.arrived)

    def _released(self, outlet: Outlet, points: list[Point], arrived: int) -> Iterator[Packet]:
        shown = self._shown(outlet, points, arrived)
        if shown:
            newest = shown[-1].time
            retain = newest >= self._newest.get(outlet.release.id, newest)
            if retain:
                self._newest[outlet.release.id] = newest
                self._retain.pop(outlet.release.id, None)
            text = outlet.form.messages(shown)
            if outlet.counted:
                self._meter.published(outlet.offer.id, len(shown), len(text))
            yield outlet.heading, outlet.properties, text, retain

    def _shown(self, outlet: Outlet, points: list[Point], arrived: int) -> list[Point]:
        key_of = self._keys.key
        return pointwise(outlet.release, outlet.offer, points, arrived, key_of, self._lateness, self.consents).points

    def _retain_last(self, outlet: Outlet) -> None:
        """Note that a release's retained value is to be published, if anything is known that it may show.

        Personal data is left out: what came before the offer is not covered, and Mosquitto keeps what came after.
        """
        points = self._last.get(outlet.release.datastream.stream)
        if points and not outlet.release.datastream.personal_data and outlet.release.datastream.kind != "rfid":
            self._retain[outlet.release.id] = (outlet, points)

    async def _publish_retained(self, out: Connection) -> None:
        while self._retain:
            _, (outlet, points) = self._retain.popitem()
            shown = self._shown(outlet, points[-1:], points[-1].time)
            if shown:
                await out.room()
                self._check()
                self._newest[outlet.release.id] = shown[-1].time
                out.publish([(outlet.heading, outlet.properties, outlet.form.messages(shown), True)], _ignore)
        while self._told:  # an empty retained message takes the one before away [MQTT 5, 3.3.1.3]
            await out.room()
            self._check()
            topic, text = self._told.popitem()
            out.publish([(codec.heading(topic), codec.NO_PROPERTIES, text, True)], _ignore)

    def _advance(self) -> None:
        while self._pending and self._pending[0].complete and self._pending[0].left <= 0:
            self.place = self._pending.popleft().seq


def _time(point: Point) -> int:
    return point.time


def _ignore(_reason: int) -> None:
    """A retained value that Mosquitto refuses is published again with the next connection."""
