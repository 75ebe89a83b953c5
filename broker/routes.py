"""Where a message goes: from its topic to its datastream, its decoder and the releases that show it. Pure.

Compiled from the registry's snapshot at each change, so that the path of a message looks nothing up but this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from broker import message, topics
from broker.audience import Audience
from broker.entry import Decode, Decoded, Refusal
from broker.message import Form
from broker.model import Datastream, FormatName, Kind, Notice, Offer, OfferId, OrganisationId, Release
from broker.mqtt import codec
from broker.placing import Streams
from broker.registry.snapshot import Added, Snapshot


@dataclass(frozen=True, slots=True)
class Outlet:
    """A release that shows each record as it comes: what is needed to publish a point of it."""

    release: Release
    offer: Offer
    form: Form
    heading: bytes
    properties: bytes
    counted: bool = True
    """Whether what is published counts as use: of several Mosquittos at one."""


@dataclass(frozen=True, slots=True)
class Route:
    """What belongs to one input topic."""

    datastream: Datastream
    decode: Decode | None
    """None: its gateway speaks a device's own format, on that one's topics."""
    outlets: tuple[Outlet, ...]


class Foreign(NamedTuple):
    """A gateway that speaks a device's own format."""

    format: FormatName
    zone: str
    streams: Streams


@dataclass(frozen=True, slots=True)
class Routes:
    by_topic: Mapping[str, Route]
    withdrawn: frozenset[str] = frozenset()
    """Topics whose retained value is to be cleared."""
    notices: Mapping[str, bytes] = field(default_factory=dict)
    """What is retained for each application, by topic; empty where nothing stands."""
    foreign: Mapping[tuple[str, str], Foreign] = field(default_factory=dict)
    """By organisation and gateway."""
    smoothed: Mapping[str, int] = field(default_factory=dict)
    """By topic, the windows (ns) of those whose tag reads become events."""

    def at(self, mosquitto: int, heard: Mapping[OfferId, Audience], offers: Iterable[Offer]) -> Routes:
        """The same as one of several Mosquittos is told it: what nobody hears there is not published, and nothing of it is retained.

        Cells' values stay there: only the keeper knows which there are. Nobody may read them, and whoever does later is told the newest.
        """
        unheard = {
            offer.topic(release)
            for offer in offers
            if mosquitto not in heard[offer.id].edges and not offer.profile.by_cell
            for release in offer.releases
            if release.datastream.kind != "camera"
        }
        by_topic = {
            topic: replace(route, outlets=_at(mosquitto, heard, route)) for topic, route in self.by_topic.items()
        }
        return replace(self, by_topic=by_topic, withdrawn=self.withdrawn | unheard)


NOWHERE = Routes({})
_Formats: TypeAlias = dict[tuple[OrganisationId, str], FormatName]
"""By organisation and gateway."""


def _at(mosquitto: int, heard: Mapping[OfferId, Audience], route: Route) -> tuple[Outlet, ...]:
    return tuple(
        one if heard[one.offer.id].home == mosquitto else replace(one, counted=False)
        for one in route.outlets
        if mosquitto in heard[one.offer.id].edges
    )


def compile_routes(snapshot: Snapshot, decoders: Mapping[str, Decode]) -> Routes:
    """The routes of a snapshot."""
    formats: _Formats = {(g.organisation, g.id): g.format for g in snapshot.gateways}
    leading: dict[str, list[Outlet]] = {}
    for one in outlets(snapshot.offers.values()):
        leading.setdefault(one.release.datastream.stream, []).append(one)
    by_topic = {
        d.topic: Route(d, _decode(d, formats, decoders), tuple(leading.get(d.stream, ()))) for d in snapshot.datastreams
    }
    withdrawn = frozenset(
        topics.live(offer.organisation, offer.id, release.datastream.id)
        for offer in snapshot.withdrawn
        for release in offer.releases
    )
    smoothed = {
        topic: route.datastream.smooth_ns for topic, route in by_topic.items() if route.datastream.smooth_ns is not None
    }
    return Routes(by_topic, withdrawn, _notices(snapshot), _foreign(snapshot, decoders), smoothed)


def outlets(offers: Iterable[Offer]) -> Iterator[Outlet]:
    """Of all that these show as it comes."""
    for offer in offers:
        if offer.profile.at_once:
            for release in offer.releases:
                if release.datastream.kind != "camera":  # what a camera shows goes through `broker/camera/`
                    yield outlet(release, offer)


def grown(routes: Routes, added: Added, snapshot: Snapshot, decoders: Mapping[str, Decode]) -> Routes:
    """The routes of a snapshot that has this more than the one of `routes`."""
    formats: _Formats = {(g.organisation, g.id): g.format for g in snapshot.gateways}
    new = {d.topic: Route(d, _decode(d, formats, decoders), ()) for d in added.datastreams}
    by_topic = {**routes.by_topic, **new}
    for one in outlets(added.offers):
        route = by_topic[one.release.datastream.topic]
        by_topic[one.release.datastream.topic] = replace(route, outlets=(*route.outlets, one))
    foreign = dict(routes.foreign)
    for whose in {(d.organisation, d.gateway) for d in added.datastreams} & foreign.keys():
        own = {_named(d): d for d in added.datastreams if (d.organisation, d.gateway) == whose}
        foreign[whose] = foreign[whose]._replace(streams={**foreign[whose].streams, **own})
    smooth = {topic: d.datastream.smooth_ns for topic, d in new.items() if d.datastream.smooth_ns is not None}
    return replace(routes, by_topic=by_topic, foreign=foreign, smoothed={**routes.smoothed, **smooth})


def _decode(datastream: Datastream, formats: _Formats, decoders: Mapping[str, Decode]) -> Decode | None:
    if datastream.kind == "camera":
        return _no_records
    return decoders.get(formats[datastream.organisation, datastream.gateway])


def _named(datastream: Datastream) -> tuple[str, str]:
    """What its gateway's device calls it."""
    return (datastream.origin.device, datastream.origin.property) if datastream.origin else ("", datastream.id)


def _foreign(snapshot: Snapshot, decoders: Mapping[str, Decode]) -> dict[tuple[str, str], Foreign]:
    streams: dict[tuple[str, str], dict[tuple[str, str], Datastream]] = {}
    for d in snapshot.datastreams:
        streams.setdefault((d.organisation, d.gateway), {})[_named(d)] = d
    return {
        (g.organisation, g.id): Foreign(g.format, g.zone, streams.get((g.organisation, g.id), {}))
        for g in snapshot.gateways
        if g.format not in decoders
    }


def _no_records(_payload: bytes, _kind: Kind, _arrived: int) -> Decoded:
    return Decoded(
        [
            Refusal(
                0, "a camera has no records: publish its frames on frame/{organisation}/{gateway}/{datastream}", "kind"
            )
        ]
    )


def _notices(snapshot: Snapshot) -> dict[str, bytes]:
    standing: dict[str, list[Notice]] = {application.id: [] for application in snapshot.applications}
    for notice in snapshot.notices:
        if notice.application in standing:
            standing[notice.application].append(notice)
    return {topics.notices(application): message.notices(of) if of else b"" for application, of in standing.items()}


def outlet(release: Release, offer: Offer) -> Outlet:
    """What is needed to publish a release: licence and attribution travel with every message."""
    properties = (
        ("licence", offer.terms.licence),
        ("attribution", offer.terms.attribution),
        ("profile", offer.profile.name),
    )
    return Outlet(
        release,
        offer,
        message.form(release, offer.profile),
        codec.heading(topics.live(offer.organisation, offer.id, release.datastream.id)),
        codec.user_properties(properties),
    )
