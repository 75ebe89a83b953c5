"""Taking messages in: decode, check, journal, acknowledge. In that order, which is the promise.

Mosquitto never makes a QoS 1 publisher wait and drops what it can't hold, so this path waits for nothing but the journal:
stores and applications are served from there, each at its own pace. One batch is on its way there at a time, and what comes
meanwhile is the next: so the order is kept whatever becomes of it, and the slower the journal, the larger its batches. SQLite's
commit is made on the event loop's own thread: there is nothing better to do until it is done, and handing it to another thread
costs as much as the commit.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from broker import topics
from broker.entry import KEPT_PAYLOAD, Entry, Refusal
from broker.errors import JournalFull, MitoyenError, Unavailable
from broker.journal.protocol import Batch, Beside, Journal, Untimed
from broker.metrics import BATCHES, COMMIT, JOURNAL_FULL, RECORDS_ACCEPTED, RECORDS_REFUSED
from broker.mqtt import codec, connection
from broker.mqtt.codec import Message
from broker.mqtt.connection import Account, Connection
from broker.placing import place
from broker.points import Point
from broker.presence import outbox, word
from broker.reading import Answer, Custom, Format, Formats
from broker.routes import NOWHERE, Foreign, Routes
from broker.sightings import Sightings
from broker.smoothing import Seen, Sight
from broker.suggestions import Suggestions
from broker.topics import Source
from broker.validate import validate

log = structlog.get_logger()

SESSION_EXPIRY_S = 7 * 86_400  # a broker that is down over a long weekend finds what Mosquitto kept for it
CONCLUDE_S = 1.0  # how often it is looked which tags are gone: a window is seconds
RETRY_S = 1.0  # how often a connection or a full journal is tried again
SUBSCRIBED_AT_ONCE = 1_000  # filters in one packet: 70 KB
_PRESENCE = f"/{topics.PRESENCE}"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """The bounds of a batch, and how far a device's clock may run ahead."""

    batch_records: int
    batch_delay_s: float
    ahead: int
    """ns."""


@dataclass(slots=True)
class _Taken:
    """Messages that are not acknowledged yet, and what they say."""

    entries: list[Entry] = field(default_factory=list)
    packet_ids: list[int] = field(default_factory=list)
    records: int = 0
    untimed: dict[int, Untimed] = field(default_factory=dict)
    sights: dict[tuple[str, Seen], Sight | None] = field(default_factory=dict)
    passed: list[bytes] = field(default_factory=list)
    """Our own marks among them."""


class Ingest:
    """The one reader of `in/#`, or of what `listen_to` names with a `mark` of its own. `on_batch` gets every batch that was journalled;
    `places` what to keep with it; `on_new_session` is called when Mosquitto had no session of ours and now has one.
    """

    def __init__(
        self,
        journal: Journal,
        settings: IngestSettings,
        *,
        formats: Formats,
        on_batch: Callable[[Batch], None],
        places: Callable[[], dict[str, int]],
        on_new_session: Callable[[], None],
        mark: str | None = None,
    ) -> None:
        self.routes: Routes = NOWHERE
        self._journal = journal
        self._settings = settings
        self._formats = formats
        self.suggestions = Suggestions()
        self._speaking: dict[tuple[str, str], tuple[Foreign, Format]] = {}
        self._on_batch = on_batch
        self._places = places
        self._on_new_session = on_new_session
        self._mark = (mark or topics.MARK).encode()
        self._filters = {mark or topics.EVERY_INPUT}
        self._listened_to: set[str] = set()
        """Those of them that Mosquitto knows of."""
        self._running = False
        self._connection: Connection | None = None
        self._subscribed = False
        self._taken = _Taken()
        self._idle = asyncio.Event()
        """No batch is on its way to the journal."""
        self._idle.set()
        self._flush: asyncio.Handle | None = None
        self._last_arrival = 0
        self._messages = journal.place("messages")
        self._untimed = journal.untimed()
        self._sightings = Sightings(journal)
        self._marks: dict[bytes, asyncio.Future[int]] = {}

    @property
    def connected(self) -> bool:
        return self._subscribed

    async def run(self, account: Account) -> None:
        """Take messages in until cancelled, connecting again whenever the connection is lost."""
        self._running = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._conclude(), name="ingest concludes")
            tasks.create_task(self._listen(account), name="ingest listens")

    async def _listen(self, account: Account) -> None:
        while True:
            await self._idle.wait()  # what is on its way is known by then when it is delivered once more
            self._sightings.forget()
            try:
                async with connection.connect(
                    account, self._take, session_expiry_s=SESSION_EXPIRY_S
                ) as self._connection:
                    self._commit()  # what the session held may have come together with the answer to CONNECT
                    await self._subscribe(self._filters)
                    self._subscribed = True
                    if not self._connection.connected.result().session_present:
                        self._on_new_session()
                    log.info("ingest_connected")
                    await self._connection.lost
                log.warning("ingest_connection_lost")
            except (Unavailable, TimeoutError) as error:
                log.warning("ingest_not_connected", reason=str(error))
            finally:
                self._forget_pending()
            await asyncio.sleep(RETRY_S)

    async def listen_to(self, filters: Iterable[str]) -> None:
        """Take in what comes on these, too. Raises Unavailable where Mosquitto does not know of it yet; it is told with the next connection."""
        self._filters |= set(filters)
        new = self._filters - self._listened_to
        if new and self._running:
            if not self._subscribed:
                raise Unavailable("nothing is taken in: there is no connection to Mosquitto")
            await self._subscribe(new)

    async def _subscribe(self, filters: Iterable[str]) -> None:
        assert self._connection is not None
        every = sorted(filters)
        for at in range(0, len(every), SUBSCRIBED_AT_ONCE):
            await self._connection.subscribe(every[at : at + SUBSCRIBED_AT_ONCE])
        self._listened_to |= set(every)

    async def caught_up(self) -> int:
        """Wait until everything that Mosquitto took before this call is journalled; returns the batch that ends with it.

        Mosquitto delivers in order, so a message of our own comes after all of it. Raises Unavailable when there is no
        connection, or it is lost meanwhile.
        """
        if self._connection is None or not self._subscribed:
            raise Unavailable("nothing is taken in: there is no connection to Mosquitto")
        mark = secrets.token_bytes(8)
        passed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._marks[mark] = passed
        try:
            await self._connection.room()
            self._connection.publish([(codec.heading(self._mark.decode()), codec.NO_PROPERTIES, mark, False)], _ignore)
            return await passed
        finally:
            self._marks.pop(mark, None)

    def _take(self, messages: list[Message]) -> None:
        now, taken = time.time_ns(), self._taken
        for message in messages:
            if message.topic == self._mark:
                taken.packet_ids.append(message.packet_id)
                taken.passed.append(message.payload)
                continue
            entry = self._understand(message, now)
            taken.entries.append(entry)
            if message.packet_id:
                taken.packet_ids.append(message.packet_id)
            taken.records += len(entry.points) + len(entry.refusals)
            self._messages += 1
        self._commit_soon()

    def _commit_soon(self) -> None:
        taken = self._taken
        if taken.records >= self._settings.batch_records:
            self._commit()
        elif self._flush is None and (taken.entries or taken.packet_ids):
            self._flush = asyncio.get_running_loop().call_later(self._settings.batch_delay_s, self._commit)

    def _understand(self, message: Message, now: int) -> Entry:
        """What a message says. One that a fault of ours can't read is refused, or it would come again and stop all others."""
        topic = message.topic.decode(errors="replace")
        arrived = self._last_arrival = max(now, self._last_arrival + 1)  # no two messages arrive at one time
        try:
            return self._read(message, topic, arrived)
        except MitoyenError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is; its text may hold what was observed, and is not logged
            at = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "message_not_understood", topic=topic, reason=type(error).__name__, at=f"{at.filename}:{at.lineno}"
            )
            refused = [Refusal(0, "not understood, by a fault of the broker's that its log names")]
            respond, _ = _response(message, topic)  # a receipt, or whoever waits for one sends it again for ever
            return Entry(topic, arrived, [], refused, message.payload[: KEPT_PAYLOAD + 1], respond, message.correlation)

    def _read(self, message: Message, topic: str, arrived: int) -> Entry:
        respond, refusal = _response(message, topic)
        if refusal is None and topic.endswith(_PRESENCE):
            return _presence(message, topic, arrived, respond)
        route = self.routes.by_topic.get(topic)
        if refusal is not None or route is None or route.decode is None:
            return self._otherwise(message, topic, arrived, respond, refusal)
        decoded = route.decode(message.payload, route.datastream.kind, arrived)
        if decoded.untimed and message.packet_id:
            arrived = self._first_arrival(message, arrived)
            decoded = route.decode(message.payload, route.datastream.kind, arrived)
        points, refusals = validate(decoded, route.datastream, arrived, self._settings.ahead)
        self._last_arrival = max(self._last_arrival, arrived + len(points))
        kept = message.payload[: KEPT_PAYLOAD + 1] if refusals else b""
        if topic not in self.routes.smoothed:
            return Entry(topic, arrived, points, refusals, kept, respond, message.correlation)
        self._set_apart(topic, points, arrived)
        return Entry(topic, arrived, [], refusals, kept, respond, message.correlation, elsewhere=len(points))

    def _otherwise(self, message: Message, topic: str, arrived: int, respond: str, refusal: str | None) -> Entry:
        """What is refused, or speaks a device's own format."""
        whose = topics.source(topic)
        foreign = self.routes.foreign.get((whose.organisation, whose.gateway)) if whose else None
        if refusal is None and whose is not None and foreign is not None:
            return self._understand_foreign(message, whose, foreign, arrived, respond)
        refused = [Refusal(0, refusal or _unknown(topic))]
        return Entry(topic, arrived, [], refused, message.payload[: KEPT_PAYLOAD + 1], respond, message.correlation)

    def _understand_foreign(
        self, message: Message, whose: Source, foreign: Foreign, arrived: int, respond: str
    ) -> Entry:
        """One message of several datastreams: an entry for each of them, and one for itself, which is what a receipt is of."""
        if message.packet_id:
            arrived = self._first_arrival(message, arrived)
        speaking = self._format(whose, foreign)
        understood = speaking.understand(whose.datastream, message.payload, arrived)
        placed = place(understood, foreign.streams, self._formats.convert, arrived, self._settings.ahead)
        self._tell(whose, understood.answers)
        self.suggestions.note((whose.organisation, whose.gateway), placed.unplaced, understood.about, arrived)
        taken = 0
        for datastream, points in placed.points.items():
            taken += len(points)
            self._last_arrival = max(self._last_arrival, arrived + len(points))
            self._set_apart(f"in/{whose.organisation}/{whose.gateway}/{datastream}", points, arrived)
        kept = message.payload[: KEPT_PAYLOAD + 1] if placed.refusals else b""
        topic = message.topic.decode(errors="replace")
        return Entry(topic, arrived, [], placed.refusals, kept, respond, message.correlation, elsewhere=taken)

    def _set_apart(self, topic: str, points: list[Point], arrived: int) -> None:
        """An entry of their own for points of a datastream, or for the events that they tell of its tags."""
        window = self.routes.smoothed.get(topic)
        if window is not None:
            points = self._sightings.events(topic, window, points, arrived)
        if points:
            self._taken.entries.append(Entry(topic, arrived, points, []))
            self._taken.records += len(points)

    async def _conclude(self) -> None:
        """Tell, once a second, which tags are gone; only while we would hear it if they were not."""
        while True:
            await asyncio.sleep(CONCLUDE_S)
            if not self._subscribed or self.routes is NOWHERE:
                continue
            now = self._last_arrival = max(time.time_ns(), self._last_arrival + 1)
            try:
                for topic, points in self._sightings.departures(self.routes.smoothed, now):
                    self._taken.entries.append(Entry(topic, now, points, concluded=True))
                    self._taken.records += len(points)
            except Unavailable as error:
                log.error("sights_not_forgotten", reason=str(error))
            self._commit_soon()

    def _tell(self, whose: Source, answers: Sequence[Answer]) -> None:
        """Publish what devices are to be told on their own topics; a format says so seldom, and again if it is lost."""
        if answers and self._connection is not None:
            packets = [
                (codec.heading(f"in/{whose.organisation}/{whose.gateway}/{topic}"), codec.NO_PROPERTIES, payload, False)
                for topic, payload in answers
            ]
            self._connection.publish(packets, _ignore)

    def _format(self, whose: Source, foreign: Foreign) -> Format:
        """The gateway's format with what it has learned; begun anew when its owner set it otherwise."""
        of = (whose.organisation, whose.gateway)
        known = self._speaking.get(of)
        if known is not None and (known[0] is foreign or known[0][:2] == foreign[:2]):
            return known[1]
        made = self._formats.make(foreign.format, Custom(ZoneInfo(foreign.zone)))
        self._speaking[of] = (foreign, made)
        return made

    def _first_arrival(self, message: Message, arrived: int) -> int:
        """When this message came first: now, or before if it is delivered once more."""
        digest = zlib.crc32(message.payload, zlib.crc32(message.topic))
        known = self._untimed.get(message.packet_id)
        recent = known is not None and self._messages - known.number < 2 * codec.RECEIVE_MAXIMUM
        if known is not None and recent and message.duplicate and known.digest == digest:
            return known.arrived
        self._taken.untimed[message.packet_id] = Untimed(digest, arrived, self._messages)
        return arrived

    def _commit(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._connection is None:
            return
        if not self._idle.is_set():
            if self._taken.records >= self._settings.batch_records:
                self._connection.pause()
            return
        taken, self._taken = self._taken, _Taken()
        if taken.entries:
            self._append(taken)
        else:
            self._acknowledge(taken)

    def _append(self, taken: _Taken) -> None:
        taken.sights |= self._sightings.handed_over()
        beside = Beside({**self._places(), "messages": self._messages}, taken.untimed, taken.sights)
        self._idle.clear()
        try:
            self._journal.append(taken.entries, beside, partial(self._journalled, taken, time.perf_counter()))
        except JournalFull as error:
            JOURNAL_FULL.inc()
            log.error("journal_full", reason=str(error))
            self._taken = taken
            self._idle.set()
            assert self._connection is not None
            self._connection.pause()
            self._flush = asyncio.get_running_loop().call_later(RETRY_S, self._commit)

    def _journalled(self, taken: _Taken, began: float, batches: list[Batch]) -> None:
        COMMIT.observe(time.perf_counter() - began)
        self._untimed |= taken.untimed
        self._idle.set()
        self._acknowledge(taken)
        for batch in batches:
            self._count(batch)
            self._on_batch(batch)
        if self._taken.entries or self._taken.packet_ids:  # they came meanwhile, and have waited
            self._commit()

    def _acknowledge(self, taken: _Taken) -> None:
        for mark in taken.passed:
            if (passed := self._marks.get(mark)) is not None and not passed.done():
                passed.set_result(self._journal.last)
        if self._connection is not None and not self._connection.lost.done():
            self._connection.acknowledge(taken.packet_ids)
            self._connection.resume()

    def _count(self, batch: Batch) -> None:
        BATCHES.inc()
        RECORDS_ACCEPTED.inc(sum(len(entry.points) for entry in batch.entries))
        RECORDS_REFUSED.inc(sum(len(entry.refusals) for entry in batch.entries))

    def _forget_pending(self) -> None:
        # not acknowledged, so Mosquitto delivers it again
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._taken = _Taken()
        for waiting in self._marks.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the connection to Mosquitto was lost"))
        self._connection = None
        self._subscribed = False


def _presence(message: Message, topic: str, arrived: int, respond: str) -> Entry:
    """What a gateway says of itself."""
    said = word(message.payload)
    if said is not None and topics.source(topic) is not None:
        return Entry(topic, arrived, [], [], b"", respond, message.correlation, said, outbox=outbox(message.payload))
    kept = message.payload[: KEPT_PAYLOAD + 1]
    refused = Refusal(0, 'presence: expected online or offline, as text or as {"state": …}')
    return Entry(topic, arrived, [], [refused], kept, respond, message.correlation)


def _response(message: Message, topic: str) -> tuple[str, str | None]:
    """The topic for the receipt, empty if none was asked for; and why it is no good, if it is not."""
    if message.response_topic is None:
        return "", None
    whose = topics.source(topic)
    asked = message.response_topic.decode(errors="replace")
    if whose is not None and asked == topics.receipts(whose.organisation, whose.gateway):
        return asked, None
    return "", f"response topic {asked[:100]!r}: expected ack/{{organisation}}/{{gateway}} of the publisher"


def _ignore(_reason: int) -> None:
    """A mark that Mosquitto refuses does not come, and whoever waits for it has a time limit; answers are given anew."""


def _unknown(topic: str) -> str:
    whose = topics.source(topic)
    if whose is None:
        return "topic: expected in/{organisation}/{gateway}/{datastream}"
    return f"unknown datastream {whose.datastream[:80]!r}: register it for this gateway first"
