"""Which released streams a datastream feeds. Pure; compiled from the registry's snapshot at each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker import message, times, topics
from broker.message import Form
from broker.model import Datastream, Offer, Release
from broker.points import Point
from broker.privacy.profile import Profile
from broker.registry.snapshot import Snapshot
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


@dataclass(frozen=True, slots=True)
class Plan:
    by_topic: Mapping[str, tuple[str, tuple[Feed, ...]]]
    """Input topic -> (raw stream, the streams it feeds)."""
    by_stream: Mapping[str, Feed]

    def feeds_of(self, datastream: Datastream) -> list[Feed]:
        """All that a datastream feeds."""
        return [feed for feed in self.by_stream.values() if datastream in feed.sources]


def compile_plan(snapshot: Snapshot) -> Plan:
    """The plan of a snapshot."""
    showings: dict[str, list[Showing]] = {}
    sources: dict[str, dict[str, Datastream]] = {}
    for offer in snapshot.offers.values():
        by_stream: dict[str, list[Release]] = {}
        for release in offer.releases:
            if release.datastream.kind == "camera":  # nothing of it is kept here
                continue
            by_stream.setdefault(release.stream, []).append(release)
            sources.setdefault(release.stream, {})[release.datastream.id] = release.datastream
        for stream, releases in by_stream.items():
            showings.setdefault(stream, []).append(_showing(offer, releases))
    feeds = {stream: Feed(stream, tuple(sources[stream].values()), tuple(of)) for stream, of in showings.items()}
    of_datastream: dict[str, list[Feed]] = {}
    for feed in feeds.values():
        for source in feed.sources:
            of_datastream.setdefault(source.stream, []).append(feed)
    return Plan({d.topic: (d.stream, tuple(of_datastream.get(d.stream, ()))) for d in snapshot.datastreams}, feeds)


def grown(plan: Plan, added: Iterable[Datastream]) -> Plan:
    """The plan with these datastreams more, which no offer shows yet."""
    return Plan({**plan.by_topic, **{d.topic: (d.stream, ()) for d in added}}, plan.by_stream)


def _showing(offer: Offer, releases: list[Release]) -> Showing:
    status = tuple(topics.status(offer.organisation, offer.id, release.datastream.id) for release in releases)
    return Showing(releases[0], offer, message.form(releases[0], offer.profile), status)
