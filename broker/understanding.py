"""What messages say, by the registry's routes: entries for the journal, and what is kept beside them. On the hot path.

Nothing is awaited and nothing connected to: `ingest.py` brings the messages, has what is taken journalled, and acknowledges it.
"""

from __future__ import annotations

import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import structlog

from broker import topics
from broker.entry import KEPT_PAYLOAD, Entry, Refusal
from broker.errors import MitoyenError, Unavailable
from broker.journal.protocol import Journal, Untimed
from broker.mqtt import codec
from broker.mqtt.codec import Message
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

_PRESENCE = f"/{topics.PRESENCE}"


@dataclass(slots=True)
class Taken:
    """Messages that are not acknowledged yet, and what they say."""

    entries: list[Entry] = field(default_factory=list)
    packet_ids: list[int] = field(default_factory=list)
    records: int = 0
    untimed: dict[int, Untimed] = field(default_factory=dict)
    sights: dict[tuple[str, Seen], Sight | None] = field(default_factory=dict)
    passed: list[bytes] = field(default_factory=list)
    """Our own marks among them."""


class Understanding:
    """Of one reader. `ahead` (ns): how far a record's time may lie after its arrival; `tell` publishes what a device is to be told.
    What was understood and not journalled is in `taken`; whoever has it journalled puts another in its place.
    """

    def __init__(
        self, journal: Journal, formats: Formats, ahead: int, tell: Callable[[Source, Sequence[Answer]], None]
    ) -> None:
        self.routes: Routes = NOWHERE
        self.suggestions = Suggestions()
        self.taken = Taken()
        self.messages = journal.place("messages")
        """How many were ever taken."""
        self.untimed = journal.untimed()
        """Those without a time that the journal knows, by packet id: they may come once more."""
        self.sightings = Sightings(journal)
        self._formats = formats
        self._ahead = ahead
        self._tell = tell
        self._speaking: dict[tuple[str, str], tuple[Foreign, Format]] = {}
        self._last_arrival = 0

    def understand(self, message: Message, now: int) -> Entry:
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
            refused = [Refusal(0, "not understood, by a fault of the broker's that its log names", "fault")]
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
        points, refusals = validate(decoded, route.datastream, arrived, self._ahead)
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
        refused = [Refusal(0, refusal, "topic") if refusal else _unknown(topic)]
        return Entry(topic, arrived, [], refused, message.payload[: KEPT_PAYLOAD + 1], respond, message.correlation)

    def _understand_foreign(
        self, message: Message, whose: Source, foreign: Foreign, arrived: int, respond: str
    ) -> Entry:
        """One message of several datastreams: an entry for each of them, and one for itself, which is what a receipt is of."""
        if message.packet_id:
            arrived = self._first_arrival(message, arrived)
        speaking = self._format(whose, foreign)
        understood = speaking.understand(whose.datastream, message.payload, arrived)
        placed = place(understood, foreign.streams, self._formats.convert, arrived, self._ahead)
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
            points = self.sightings.events(topic, window, points, arrived)
        if points:
            self.taken.entries.append(Entry(topic, arrived, points, []))
            self.taken.records += len(points)

    def conclude(self) -> None:
        """Tell which tags are gone by now."""
        now = self._last_arrival = max(time.time_ns(), self._last_arrival + 1)
        try:
            for topic, points in self.sightings.departures(self.routes.smoothed, now):
                self.taken.entries.append(Entry(topic, now, points, concluded=True))
                self.taken.records += len(points)
        except Unavailable as error:
            log.error("sights_not_forgotten", reason=str(error))

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
        known = self.untimed.get(message.packet_id)
        recent = known is not None and self.messages - known.number < 2 * codec.RECEIVE_MAXIMUM
        if known is not None and recent and message.duplicate and known.digest == digest:
            return known.arrived
        self.taken.untimed[message.packet_id] = Untimed(digest, arrived, self.messages)
        return arrived


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


def _unknown(topic: str) -> Refusal:
    whose = topics.source(topic)
    if whose is None:
        return Refusal(0, "topic: expected in/{organisation}/{gateway}/{datastream}", "topic")
    reason = f"unknown datastream {whose.datastream[:80]!r}: register it for this gateway first"
    return Refusal(0, reason, "unknown_datastream")
