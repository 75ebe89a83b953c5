"""Which cameras there are, and what is to be made of their frames for whom. Pure; compiled from the registry's snapshot at each change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker import topics
from broker.model import Datastream, Offer, ReleaseId
from broker.mqtt import codec
from broker.privacy.profile import Blur, Sample
from broker.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Screen:
    """A release: where a covered picture is shown."""

    release: ReleaseId
    offer: Offer
    heading: bytes
    status_topic: str
    datastream: str
    edges: frozenset[int] = frozenset({0})
    """The Mosquittos where it is heard."""

    def properties(self, time: str) -> bytes:
        """What travels with a picture: on which terms it may be used, and when (RFC 3339) its frame came."""
        terms = self.offer.terms
        pairs = (("licence", terms.licence), ("attribution", terms.attribution), ("profile", self.offer.profile.name))
        return codec.user_properties((*pairs, ("time", time)))


@dataclass(frozen=True, slots=True)
class Order:
    """What is made of a camera's frames once, for all releases that show the same."""

    topic: str
    blur: Blur
    every: int | None
    """At most one picture in each interval of this many ns, which begin at multiples since 1970; None: as they come."""
    screens: tuple[Screen, ...]

    @property
    def name(self) -> tuple[str, Blur, int | None]:
        """The same as long as what is made is the same."""
        return self.topic, self.blur, self.every

    def interval(self, arrived: int) -> int:
        """The interval that a frame falls in, or the frame itself."""
        return arrived // self.every if self.every else arrived


@dataclass(frozen=True, slots=True)
class Plan:
    cameras: Mapping[str, tuple[Datastream, tuple[Order, ...]]]
    """By topic of the frames."""
    withdrawn: frozenset[str] = frozenset()
    """Topics whose retained message is to be taken back."""

    @property
    def screens(self) -> list[Screen]:
        return [screen for _, orders in self.cameras.values() for order in orders for screen in order.screens]


NOTHING = Plan({})


def compile_plan(snapshot: Snapshot, mosquittos: int = 1) -> Plan:
    """The plan of a snapshot."""
    heard = snapshot.heard(mosquittos)
    made: dict[str, dict[tuple[Blur, int | None], list[Screen]]] = {
        _topic(d): {} for d in snapshot.datastreams if d.kind == "camera"
    }
    for offer in snapshot.offers.values():
        blur = offer.profile.find(Blur)
        if blur is None:
            continue
        sample = offer.profile.find(Sample)
        for release in offer.releases:
            if (orders := made.get(_topic(release.datastream))) is not None:
                what = (blur, sample.every_ns if sample else None)
                orders.setdefault(what, []).append(
                    _screen(offer, release.id, release.datastream, heard[offer.id].edges)
                )
    cameras = {
        _topic(d): (d, tuple(Order(_topic(d), *what, tuple(of)) for what, of in made[_topic(d)].items()))
        for d in snapshot.datastreams
        if d.kind == "camera"
    }
    return Plan(cameras, _withdrawn(snapshot))


def _topic(datastream: Datastream) -> str:
    return topics.frame(datastream.organisation, datastream.gateway, datastream.id)


def _screen(offer: Offer, release: ReleaseId, datastream: Datastream, edges: frozenset[int]) -> Screen:
    name = (offer.organisation, offer.id, datastream.id)
    return Screen(release, offer, codec.heading(topics.live(*name)), topics.status(*name), datastream.id, edges)


def _withdrawn(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(
        topic(offer.organisation, offer.id, release.datastream.id)
        for offer in snapshot.withdrawn
        for release in offer.releases
        if release.datastream.kind == "camera"
        for topic in (topics.live, topics.status)
    )
