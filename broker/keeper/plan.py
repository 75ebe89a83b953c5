"""Which released streams a datastream feeds. Pure; compiled from the registry's snapshot at each change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker import message, times, topics
from broker.message import Form
from broker.model import Datastream, Offer, Release
from broker.privacy.profile import Profile
from broker.registry.snapshot import Snapshot
from broker.release import begins

DELAYED_NS = times.SECOND
"""Delayed records are due together by the second: a stream of 1,000 records/s makes one entry a second."""


@dataclass(frozen=True, slots=True)
class Showing:
    """One release of a stream."""

    release: Release
    offer: Offer
    form: Form
    topic: str
    status_topic: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One released stream. Several offers may show it; what is computed depends on none of them in particular."""

    stream: str
    datastream: Datastream
    shown_by: tuple[Showing, ...]

    @property
    def profile(self) -> Profile:
        """What is computed, which all that show it have in common."""
        return self.shown_by[0].offer.profile

    @property
    def window_ns(self) -> int | None:
        """What is released together, when it is due: a window, or a second of what is delayed; None where nothing waits."""
        aggregate = self.profile.aggregate
        if aggregate is not None:
            return aggregate.window_ns
        return DELAYED_NS if self.profile.delay_ns else None

    @property
    def sealed(self) -> bool:
        """Whether a window that was released stays as it is, whatever comes later."""
        return begins(self.shown_by[0].release, self.shown_by[0].offer) is not None


@dataclass(frozen=True, slots=True)
class Plan:
    by_topic: Mapping[str, tuple[str, tuple[Feed, ...]]]
    """Input topic -> (raw stream, the streams it feeds)."""
    by_stream: Mapping[str, Feed]


def compile_plan(snapshot: Snapshot) -> Plan:
    """The plan of a snapshot."""
    showings: dict[str, list[Showing]] = {}
    for offer in snapshot.offers.values():
        for release in offer.releases:
            name = (offer.organisation, offer.id, release.datastream.id)
            shown = Showing(
                release, offer, message.form(release, offer.profile), topics.live(*name), topics.status(*name)
            )
            showings.setdefault(release.stream, []).append(shown)
    feeds = {stream: Feed(stream, shown[0].release.datastream, tuple(shown)) for stream, shown in showings.items()}
    of_datastream: dict[str, list[Feed]] = {}
    for feed in feeds.values():
        of_datastream.setdefault(feed.datastream.stream, []).append(feed)
    by_topic = {
        f"in/{d.organisation}/{d.gateway}/{d.id}": (d.stream, tuple(of_datastream.get(d.stream, ())))
        for d in snapshot.datastreams
    }
    return Plan(by_topic, feeds)
