"""Telling silence from failure: for every release whether it is live, silent or withheld, for every gateway whether it is there.

What is told is retained on `status/…`, so that a newcomer knows at once. A release whose windows hide people does not tell
whether anything came: "too few" and "nobody" look the same, and only the gateway's last will shows through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from broker import message as messages
from broker import presence, times, topics
from broker.keeper import budget
from broker.keeper.plan import Feed, Plan
from broker.keeper.progress import Progress, Seen
from broker.model import Gateway
from broker.presence import Presence

_GRACE = 2 * times.MINUTE
"""A window is released within a minute of its end; it is missed when it is that late once more."""


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
        self._told: dict[str, bytes] = dict.fromkeys(progress.told(), b"")

    def heard(self, stream: str, arrived: int) -> None:
        """Something came that this stream might show."""
        self._of(stream).heard = arrived

    def outcome(self, stream: str, now: int, *, shown: bool, withheld: Mapping[str, int]) -> None:
        """Something of this was released, or nothing, and then why."""
        if shown:
            self._of(stream).shown = now
        elif withheld:
            seen = self._of(stream)
            seen.hidden, seen.reason = now, max(withheld, key=lambda reason: withheld[reason])

    def keep(self) -> None:
        """Write what was seen since it was last written."""
        self._progress.keep_seen({stream: self._seen[stream] for stream in self._changed})
        self._changed.clear()

    def forget(self, stream: str) -> None:
        self._seen.pop(stream, None)
        self._changed.discard(stream)

    def told_nothing(self) -> None:
        """A new connection: everything is to be told again."""
        self._told = dict.fromkeys(self._told, b"")

    def tell(
        self, teller: Teller, plan: Plan, gateways: Iterable[Gateway], heard: Iterable[Presence], now: int
    ) -> None:
        """Tell what is new, and take back what no longer exists."""
        known = {(one.organisation, one.gateway): one for one in heard}
        wanted = {}
        for gateway in gateways:
            whose = (str(gateway.organisation), gateway.id)
            state = presence.state(known.get(whose, Presence(*whose)), now, self._silent_after)
            wanted[topics.status_of_gateway(*whose)] = messages.status(
                "gateway", gateway.id, state.state, state.since, state.reason
            )
        for feed in plan.by_stream.values():
            of = known.get((feed.datastream.organisation, feed.datastream.gateway))
            state_, since, reason = status(feed, self._seen.get(feed.stream), of, now, self._silent_after)
            if state_ != "silent" and budget.exhausted(feed, self._progress.spent, now):
                state_, since, reason = "withheld", None, "budget_spent"
            for topic in (topic for shown in feed.shown_by for topic in shown.status_topics):
                wanted[topic] = messages.status("datastream", topic.rpartition("/")[2], state_, since, reason)
        for topic, text in wanted.items():
            if self._told.get(topic) != text and teller.tell(topic, text):
                if topic not in self._told:
                    self._progress.note_told(topic)
                self._told[topic] = text
        for topic in self._told.keys() - wanted.keys():
            if teller.tell(topic, b""):
                self._progress.note_taken_back(topic)
                del self._told[topic]

    def _of(self, stream: str) -> Seen:
        self._changed.add(stream)
        return self._seen.setdefault(stream, Seen())


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
