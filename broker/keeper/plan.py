"""Which released streams a datastream feeds. Pure; compiled from the registry's snapshot at each change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from broker import message, times, topics
from broker.message import Form
from broker.model import Datastream, Offer, OfferId, Release
from broker.points import Point
from broker.privacy.profile import Profile
from broker.registry.snapshot import Added, Snapshot
from broker.release import begins

DELAYED_NS = times.SECOND
"""Delayed records are due together by the second: a stream of 1,000 records/s makes one entry a second."""


@dataclass(frozen=True, slots=True)
class Showing:
    """A stream as one offer shows it."""

    release: Release
    """By cell the first of several, which differ in nothing that is shown."""
    offer: Offer
    form: Form
    status_topics: tuple[str, ...]

    def topic(self, point: Point) -> str:
        """Where it is published: by cell each cell has a topic of its own."""
        last = point.key if self.offer.profile.by_cell else self.release.datastream.id
        return topics.live(self.offer.organisation, self.offer.id, last)


@dataclass(frozen=True, slots=True)
class Feed:
    """One released stream. Several offers may show it; what is computed depends on none of them in particular."""

    stream: str
    sources: tuple[Datastream, ...]
    """What it is made of: one datastream, or by cell all of the offer."""
    shown_by: tuple[Showing, ...]

    @property
    def datastream(self) -> Datastream:
        """The one, or the first of several that are counted alike."""
        return self.sources[0]

    @property
    def profile(self) -> Profile:
        """What is computed, which all that show it have in common."""
        return self.shown_by[0].offer.profile

    @property
    def window_ns(self) -> int | None:
        """What is released together, when it is due: a window, an epoch of trips, a second of what is delayed; None where nothing waits."""
        aggregate = self.profile.aggregate
        if aggregate is not None:
            return aggregate.window_ns
        if self.profile.pseudonymise is not None and self.profile.by_trip:
            return self.profile.pseudonymise.rotate_ns
        return DELAYED_NS if self.profile.delay_ns else None

    @property
    def of_people(self) -> bool:
        return begins(self.shown_by[0].release, self.shown_by[0].offer) is not None

    @property
    def sealed(self) -> bool:
        """Whether a window that was released stays as it is, whatever comes later: of people, and what was drawn once."""
        return self.of_people or self.profile.noise is not None


@dataclass(slots=True)
class Plan:
    """Grows where it is, since whoever tells of 100,000 feeds must not look at all for one more; else it is made anew."""

    by_topic: dict[str, tuple[str, tuple[Feed, ...]]]
    """Input topic -> (raw stream, the streams it feeds)."""
    by_stream: dict[str, Feed]

    def feeds_of(self, datastream: Datastream) -> list[Feed]:
        """All that a datastream feeds."""
        return [feed for feed in self.by_stream.values() if datastream in feed.sources]

    def showing(self, offers: frozenset[OfferId]) -> list[Feed]:
        """What these offers show, as they alone show it."""
        cut = [
            replace(feed, shown_by=tuple(shown for shown in feed.shown_by if shown.offer.id in offers))
            for feed in self.by_stream.values()
        ]
        return [feed for feed in cut if feed.shown_by]

    def grow(self, added: Added) -> list[Feed]:
        """Take these in as well; the feeds that are new, or shown by more than before."""
        self.by_topic |= {d.topic: (d.stream, ()) for d in added.datastreams}
        touched = dict.fromkeys(stream for offer in added.offers for stream in self._show(offer))
        feeding: dict[str, dict[str, None]] = {}
        for stream in touched:
            known = (
                one for one in self.by_stream[stream].sources if one.topic in self.by_topic
            )  # not of what is only tried out
            for source in known:
                before = (feed.stream for feed in self.by_topic[source.topic][1])
                feeding.setdefault(source.topic, dict.fromkeys(before))[stream] = None
        for topic, streams in feeding.items():
            raw, _ = self.by_topic[topic]
            self.by_topic[topic] = raw, tuple(self.by_stream[stream] for stream in streams)
        return [self.by_stream[stream] for stream in touched]

    def _show(self, offer: Offer) -> Iterable[str]:
        """Let an offer show its streams, which are given."""
        by_stream: dict[str, list[Release]] = {}
        for release in offer.releases:
            if release.datastream.kind != "camera":  # nothing of it is kept here
                by_stream.setdefault(release.stream, []).append(release)
        for stream, releases in by_stream.items():
            known = self.by_stream.get(stream, Feed(stream, (), ()))
            sources = {source.id: source for source in (*known.sources, *(one.datastream for one in releases))}
            self.by_stream[stream] = Feed(stream, tuple(sources.values()), (*known.shown_by, _showing(offer, releases)))
        return by_stream


def compile_plan(snapshot: Snapshot) -> Plan:
    """The plan of a snapshot."""
    plan = Plan({}, {})
    plan.grow(Added(snapshot.datastreams, tuple(snapshot.offers.values())))
    return plan


def _showing(offer: Offer, releases: list[Release]) -> Showing:
    status = tuple(topics.status(offer.organisation, offer.id, release.datastream.id) for release in releases)
    return Showing(releases[0], offer, message.form(releases[0], offer.profile), status)
