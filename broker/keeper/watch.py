"""Telling silence from failure: for every release whether it is live, silent or withheld, for every gateway whether it is there.

What is told is retained on `status/…`, so that a newcomer knows at once. A release whose windows hide people does not tell
whether anything came: "too few" and "nobody" look the same, and only the gateway's last will shows through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from broker import message as messages
from broker import presence, times, topics
from broker.keeper import budget
from broker.keeper.delays import Delays
from broker.keeper.plan import Feed, Plan
from broker.keeper.progress import Progress, Seen
from broker.metrics import OUTBOX
from broker.model import Gateway
from broker.presence import Presence

_GRACE = 2 * times.MINUTE
"""A window is released within a minute of its end; it is missed when it is that late once more."""


LOOKED_AT = 1_000
"""Streams of which is asked each time whether they are silent by now, or turn by themselves, beside those that something became of: of a city with 1,000
all, of one with 100,000 each within a minute."""


class Teller(Protocol):
    """What publishes what is told."""

    def tell(self, topic: str, payload: bytes) -> bool:
        """Publish, retained; False if that is not possible now. An empty payload takes back what was told."""
        ...


class Watch:
    """What was seen of each released stream, and what was told of it."""

    def __init__(self, progress: Progress, silent_after: int) -> None:
        self._progress = progress
        self._silent_after = silent_after
        self._seen = progress.seen()
        self._changed: set[str] = set()
        self._due: set[str] = set()
        """Streams that may be told otherwise than they were."""
        self._feeds: Mapping[str, Feed] | None = None
        """What all that is told is of; None: all is to be looked at."""
        self._streams: list[str] = []
        self._at = 0
        """Where in these it is looked next."""
        self._gone: frozenset[tuple[str, str]] = frozenset()
        """Gateways whose last will came."""
        self._told: dict[str, bytes] = dict.fromkeys(progress.told(), b"")
        self._outboxes: dict[tuple[str, str], str] = {}
        """Of each gateway that has one, as it is in the metrics."""
        self.delays = Delays()

    def heard(self, stream: str, arrived: int) -> None:
        """Something came that this stream might show."""
        seen = self._of(stream)
        if seen.heard is None or arrived - seen.heard > self._silent_after:
            self._due.add(stream)
        seen.heard = arrived
        self.delays.heard(stream, arrived)

    def outcome(self, stream: str, now: int, *, shown: bool, withheld: Mapping[str, int]) -> None:
        """Something of this was released, or nothing, and then why."""
        if not shown and not withheld:
            return
        seen = self._of(stream)
        if shown:
            if seen.shown is None or now - seen.shown > self._silent_after or seen.shown < (seen.hidden or 0):
                self._due.add(stream)
            seen.shown = now
            self.delays.shown(stream, now)
        else:
            self._due.add(stream)
            seen.hidden, seen.reason = now, max(withheld, key=lambda reason: withheld[reason])

    def keep(self) -> None:
        """Write what was seen since it was last written."""
        self._progress.keep_seen({stream: self._seen[stream] for stream in self._changed})
        self._changed.clear()

    def forget(self, stream: str) -> None:
        self._seen.pop(stream, None)
        self._changed.discard(stream)
        self._due.add(stream)
        self.delays.forget(stream)

    def look_at(self, feeds: Iterable[Feed]) -> None:
        """They are new, or shown by one more."""
        self._due.update(feed.stream for feed in feeds)

    def told_nothing(self) -> None:
        """A new connection: everything is to be told again."""
        self._feeds = None
        self._told = dict.fromkeys(self._told, b"")

    def tell(
        self, teller: Teller, plan: Plan, gateways: Iterable[Gateway], heard: Iterable[Presence], now: int
    ) -> None:
        """Tell what is new, and take back what no longer exists."""
        known = {(one.organisation, one.gateway): one for one in heard}
        wanted, gone = {}, set()
        for gateway in gateways:
            whose = (str(gateway.organisation), gateway.id)
            state = presence.state(known.get(whose, Presence(*whose)), now, self._silent_after)
            gone |= {whose} if state.reason == "last_will" else set()
            wanted[topics.status_of_gateway(*whose)] = messages.status(
                "gateway", gateway.id, state.state, state.since, state.reason
            )
        looked_at = self._to_look_at(plan, self._gone ^ gone, now)
        for feed in looked_at:
            of = known.get((feed.datastream.organisation, feed.datastream.gateway))
            state_, since, reason = status(feed, self._seen.get(feed.stream), of, now, self._silent_after)
            if state_ != "silent" and budget.exhausted(feed, self._progress.spent, now):
                state_, since, reason = "withheld", None, "budget_spent"
            for topic in _topics(feed):
                wanted[topic] = messages.status("datastream", topic.rpartition("/")[2], state_, since, reason)
        self._gone = frozenset(gone)
        if untold := self._tell(teller, wanted):
            self._due.update(feed.stream for feed in looked_at if not untold.isdisjoint(_topics(feed)))
        if plan.by_stream is not self._feeds and self._take_back(teller, self._told.keys() - wanted.keys()):
            self._feeds = plan.by_stream

    def _to_look_at(self, plan: Plan, turned: Collection[tuple[str, str]], now: int) -> Collection[Feed]:
        """All of a plan that is new; else what something became of, what is of gateways that went or came back, and of the next of all in turn
        what may have turned by itself.
        """
        due, self._due = self._due, set()
        if plan.by_stream is not self._feeds:
            self._streams, self._at = list(plan.by_stream), 0
            return plan.by_stream.values()
        if not self._at:
            self._streams = list(plan.by_stream)
        due.update(one for one in self._streams[self._at : self._at + LOOKED_AT] if self._turns(plan, one, now))
        self._at = self._at + LOOKED_AT if self._at + LOOKED_AT < len(self._streams) else 0
        feeds = {stream: plan.by_stream[stream] for stream in due if stream in plan.by_stream}
        if turned:
            feeds |= {feed.stream: feed for feed in plan.by_stream.values() if _gateway(feed) in turned}
        return feeds.values()

    def _turns(self, plan: Plan, stream: str, now: int) -> bool:
        """Whether it may be told otherwise though nothing became of it: it is silent for too long, its budget's day is over, a window is missed."""
        seen = self._seen.get(stream)
        if seen is not None and seen.heard is not None and now - seen.heard > self._silent_after:
            return True
        feed = plan.by_stream.get(stream)
        return feed is not None and (feed.window_ns is not None or feed.profile.noise is not None)

    def _tell(self, teller: Teller, wanted: Mapping[str, bytes]) -> set[str]:
        """What could not be told now. What is new is noted first, all of it at once: what is noted and was not told does no harm when it is taken back."""
        new = wanted.keys() - self._told.keys()
        self._progress.note_told(new)
        self._told |= dict.fromkeys(new, b"")
        untold = set()
        for topic, text in wanted.items():
            if self._told[topic] != text:
                if teller.tell(topic, text):
                    self._told[topic] = text
                else:
                    untold.add(topic)
        return untold

    def _take_back(self, teller: Teller, topics: Collection[str]) -> bool:
        """Whether all could be."""
        gone = [topic for topic in topics if teller.tell(topic, b"")]
        self._progress.note_taken_back(gone)
        for topic in gone:
            del self._told[topic]
        return len(gone) == len(topics)

    def measure(self, heard: Iterable[Presence]) -> None:
        """Put what gateways say of their outboxes into the metrics, so that the operator sees who loses what."""
        for one in heard:
            whose = (one.organisation, one.gateway)
            if one.outbox and self._outboxes.get(whose) != one.outbox:
                self._outboxes[whose] = one.outbox
                for fate, records in presence.fates(one.outbox).items():
                    OUTBOX.labels(*whose, fate).set(records)

    def _of(self, stream: str) -> Seen:
        self._changed.add(stream)
        return self._seen.setdefault(stream, Seen())


def _topics(feed: Feed) -> Iterator[str]:
    """Where it is told of."""
    return (topic for shown in feed.shown_by for topic in shown.status_topics)


def _gateway(feed: Feed) -> tuple[str, str]:
    return (str(feed.datastream.organisation), feed.datastream.gateway)


def status(
    feed: Feed, seen: Seen | None, gateway: Presence | None, now: int, silent_after: int
) -> tuple[str, int | None, str | None]:
    """State, since when (ns) it is silent, and why it is silent or withheld."""
    there = presence.state(gateway, now, silent_after) if gateway else None
    if there is not None and there.reason == "last_will":
        return "silent", there.since, "last_will"
    seen = seen or Seen()
    if feed.of_people and feed.window_ns is not None and feed.profile.aggregate is not None:
        late = feed.window_ns + max(silent_after, _GRACE)
        released = seen.shown is not None and now - seen.shown <= late
        return ("live", None, None) if released else ("withheld", None, "below_k")
    if seen.heard is None:
        return "silent", None, "never_heard"
    if now - seen.heard > silent_after:
        return "silent", seen.heard, "timeout"
    if seen.hidden is not None and (seen.shown is None or seen.shown < seen.hidden):
        return "withheld", None, seen.reason
    return "live", None, None
