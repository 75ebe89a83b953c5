"""Releases as SensorThings entities: what a caller may read, and nothing that is not in it.

A Datastream is a release. Releases of one offer at one place share a Thing, a Location and a FeatureOfInterest; those that observe the same share an
ObservedProperty. Nothing is shared between offers, so that an entity never tells of one that the caller can't see. Ids are the registry's numbers of
releases, of what is shared the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from api.sensorthings import numbers
from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Span
from api.sensorthings.numbered import Numbers
from api.sensorthings.values import Interval, Moment, Value
from broker import licence, times
from broker.model import Offer, Release
from broker.place import Place
from broker.points import Point
from broker.privacy.location import place_of
from broker.store.protocol import Store

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
ANY = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
PAGE = 1_000
GROWS = 4  # times as many are read each time that more are asked for than were likely


@dataclass(slots=True)
class ReleasedObservations:
    """Those of the releases in a graph, from the store of what was released."""

    store: Store
    ids: Numbers
    releases: dict[int, tuple[Release, Offer]]
    """By number."""
    known: dict[int, Entity]
    """Their Datastreams, likewise."""
    still: Callable[[Offer, int], None]
    """Told of each page that is read, and of how many observations it has; raises when it may no longer be read."""

    def read(self, datastream: Entity, span: Span) -> Iterator[Entity]:
        release, offer = self.releases[datastream.id]
        size, after = min(span.likely, PAGE), span.after
        while True:
            page = self.store.read(
                release.stream, span.start, span.end, after=after, limit=size, newest_first=span.newest_first
            )
            self.still(offer, len(page))
            yield from observations(self.ids, datastream, page)
            if len(page) < size:
                return
            size, after = min(size * GROWS, PAGE), page[-1].cursor

    def find(self, number: int) -> Entity | None:
        named = numbers.named(number)
        datastream = self.known.get(named.release) if named is not None else None
        if named is None or datastream is None:
            return None
        place = (named.time, "") if isinstance(named, numbers.At) else self.ids.place(named.release, named.number)
        if place is None:
            return None
        release, offer = self.releases[named.release]
        found = self.store.read(release.stream, place[0], place[0] + 1, limit=PAGE)
        self.still(offer, 1)
        return next(observations(self.ids, datastream, [point for point in found if point.cursor == place]), None)

    def count(self, datastream: Entity, span: Span) -> int:
        release, offer = self.releases[datastream.id]
        self.still(offer, 0)
        return self.store.count(release.stream, span.start, span.end)

    def instants(self, datastream: Entity) -> bool:
        return self.releases[datastream.id][1].profile.aggregate is None


def observations(ids: Numbers, datastream: Entity, points: Sequence[Point]) -> Iterator[Entity]:
    """Released points of a datastream as its Observations. Raises StoreUnavailable."""
    related = {"Datastream": (datastream,), "FeatureOfInterest": datastream.related["FeatureOfInterest"]}
    for number, point in zip(ids.of(datastream.id, [p.cursor for p in points]), points, strict=True):
        yield Entity(KINDS[OBSERVATIONS], number, _observed(point), dict(related), at=point.cursor)


def _observed(point: Point) -> dict[str, Value]:
    extra: dict[str, Value] = msgspec.json.decode(point.extra) if point.extra else {}
    until = extra.pop("until", None)
    end = times.parse(until) if isinstance(until, str) else None
    return {
        "phenomenonTime": Moment(point.time) if end is None else Interval(point.time, end),
        "result": point.value,
        "resultTime": Moment(point.time if end is None else end),
        **({"parameters": extra} if extra else {}),
    }


def graph(releases: Iterable[tuple[Release, Offer]]) -> dict[str, dict[int, Entity]]:
    """The entities of these releases, by set and id, in the order of their ids."""
    made = _Making({name: {} for name in KINDS if name != OBSERVATIONS})
    for release, offer in sorted(releases, key=lambda one: one[0].number):
        made.add(release, offer)
    return made.sets


@dataclass(slots=True)
class _Making:
    sets: dict[str, dict[int, Entity]]
    _shared: dict[tuple[object, ...], Entity] = field(default_factory=dict)

    def add(self, release: Release, offer: Offer) -> None:
        """The Datastream of a release, with all that belongs to it."""
        datastream, number = release.datastream, release.number
        thing = self._thing(number, offer, release)
        observed = datastream.observed_property or datastream.kind
        sensor = self._make("Sensors", number, _sensor(release))
        observed_property = self._share(
            ("property", offer.id, observed), "ObservedProperties", number, _property(observed)
        )
        made = self._make("Datastreams", number, _datastream(release, offer))
        made.related = {
            "Thing": (thing,),
            "Sensor": (sensor,),
            "ObservedProperty": (observed_property,),
            "FeatureOfInterest": (self._shared["feature", thing.id],),
        }
        for one in (thing, sensor, observed_property):
            one.related["Datastreams"] = (*one.related.get("Datastreams", ()), made)

    def _thing(self, number: int, offer: Offer, release: Release) -> Entity:
        place = place_of(release.datastream, offer.profile)
        name: tuple[object, ...] = ("thing", offer.id, place if place is not None else number)
        if name in self._shared:
            return self._shared[name]
        made = self._share(name, "Things", number, _thing(release, place))
        self._shared["feature", made.id] = self._make("FeaturesOfInterest", number, _feature(made, place))
        if place is not None:
            location = self._make("Locations", number, _location(made, place))
            past = self._make("HistoricalLocations", number, {"time": Moment(offer.created)})
            made.related |= {"Locations": (location,), "HistoricalLocations": (past,)}
            location.related = {"Things": (made,), "HistoricalLocations": (past,)}
            past.related = {"Thing": (made,), "Locations": (location,)}
        return made

    def _share(self, name: tuple[object, ...], kind: str, number: int, fields: dict[str, Value]) -> Entity:
        if name not in self._shared:
            self._shared[name] = self._make(kind, number, fields)
        return self._shared[name]

    def _make(self, kind: str, number: int, fields: dict[str, Value]) -> Entity:
        made = self.sets[kind][number] = Entity(KINDS[kind], number, fields)
        return made


def _thing(release: Release, place: Place | None) -> dict[str, Value]:
    where = f"{place.longitude}, {place.latitude}" if place else release.datastream.id
    return {
        "name": f"{release.datastream.organisation} at {where}" if place else release.datastream.id,
        "description": release.datastream.theme or "A place where something is observed",
        "properties": {"organisation": release.datastream.organisation, "offer": release.offer},
    }


def _location(thing: Entity, place: Place) -> dict[str, Value]:
    return {
        "name": thing.fields["name"],
        "description": "Where it stands, as precisely as its offer says",
        "encodingType": "application/geo+json",
        "location": _point(place),
    }


def _feature(thing: Entity, place: Place | None) -> dict[str, Value]:
    return {
        "name": thing.fields["name"],
        "description": "What surrounds it",
        "encodingType": "application/geo+json",
        "feature": _point(place) if place else None,
    }


def _point(place: Place) -> dict[str, Value]:
    return {"type": "Point", "coordinates": [place.longitude, place.latitude]}


def _sensor(release: Release) -> dict[str, Value]:
    return {
        "name": release.datastream.id,
        "description": f"What makes {release.datastream.kind} observations of {release.datastream.id}",
        "encodingType": "text/plain",
        "metadata": "",
    }


def _property(observed: str) -> dict[str, Value]:
    return {"name": observed, "definition": observed if ":" in observed else "", "description": observed}


def _datastream(release: Release, offer: Offer) -> dict[str, Value]:
    datastream = release.datastream
    counted = offer.profile.aggregate is not None and offer.profile.aggregate.statistics[0] == "count"
    unit = "1" if counted else datastream.unit
    place = place_of(datastream, offer.profile)
    return {
        "name": datastream.id,
        "description": datastream.description or datastream.observed_property or datastream.id,
        "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": f"http://unitsofmeasure.org/ucum.html#{unit}"}
        if unit
        else {"name": None, "symbol": None, "definition": None},
        "observationType": MEASUREMENT if unit else ANY,
        **({"observedArea": _point(place)} if place else {}),
        "properties": {
            "release": release.id,
            "offer": offer.id,
            "topic": f"live/{offer.organisation}/{offer.id}/{datastream.id}",
            "profile": offer.profile.name,
            "licence": offer.terms.licence,
            "licenceUri": licence.uri(offer.terms.licence),
            "attribution": offer.terms.attribution,
            "access": offer.terms.access,
            **({"theme": datastream.theme} if datastream.theme else {}),
        },
    }
