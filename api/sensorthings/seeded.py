"""A throw-away graph that may be written to, for conformance suites that seed what they read. In memory; gone when the process ends.

Only `mitoyen up --sensorthings-write` has it, on loopback. It has no offers and no agreements: nothing that was ingested is in it.
18-088, 10: deep inserts, links by `@iot.id`, and a FeatureOfInterest made of the Thing's Location where an Observation names none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from api.sensorthings import values
from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Graph, Kind, Span
from api.sensorthings.values import Moment, Value
from broker.errors import Malformed

Body: TypeAlias = Mapping[str, object]

_INVERSE = {
    ("Things", "Datastreams"): "Thing",
    ("Things", "Locations"): "Things",
    ("Things", "HistoricalLocations"): "Thing",
    ("Locations", "Things"): "Locations",
    ("Locations", "HistoricalLocations"): "Locations",
    ("HistoricalLocations", "Thing"): "HistoricalLocations",
    ("HistoricalLocations", "Locations"): "HistoricalLocations",
    ("Datastreams", "Thing"): "Datastreams",
    ("Datastreams", "Sensor"): "Datastreams",
    ("Datastreams", "ObservedProperty"): "Datastreams",
    ("Sensors", "Datastreams"): "Sensor",
    ("ObservedProperties", "Datastreams"): "ObservedProperty",
}
"""What each relation is called from the other side. Observations are found by their datastream, and keep no place in it."""
_NEEDED = {
    "Datastreams": ("Thing", "Sensor", "ObservedProperty"),
    "Observations": ("Datastream",),
    "HistoricalLocations": ("Thing",),
}
_GONE_WITH = {
    "Things": ("Datastreams", "HistoricalLocations"),
    "Sensors": ("Datastreams",),
    "ObservedProperties": ("Datastreams",),
}
_TIMES = frozenset({"phenomenonTime", "resultTime", "validTime", "time"})


@dataclass(slots=True)
class Seeded:
    """Entities as they were posted. One thread at a time."""

    sets: dict[str, dict[int, Entity]] = field(default_factory=lambda: {name: {} for name in KINDS})
    _ids: dict[str, Iterator[int]] = field(default_factory=lambda: {name: itertools.count(1) for name in KINDS})

    def graph(self) -> Graph:
        return Graph({name: found for name, found in self.sets.items() if name != OBSERVATIONS}, _Observations(self))

    def create(self, kind: Kind, body: Body, now: int, of: tuple[Entity, str] | None = None) -> Entity:
        """Make an entity with all that its body brings along; `of`: whose relation it was posted to. Raises Malformed, and then nothing was made."""
        made: list[Entity] = []
        try:
            entity = self._make(kind, body, now, made, of)
        except Malformed:
            for one in reversed(made):
                self._remove(one)
            raise
        return entity

    def update(self, entity: Entity, body: Body) -> None:
        """Change what the body names. Raises Malformed; entities are linked in it, not made."""
        links = {name: value for name, value in body.items() if name in entity.kind.relations}
        for name, value in links.items():
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, dict) or set(one) != {"@iot.id"}:
                    raise Malformed(f"{name}: expected links, such as {{'@iot.id': 1}}")
        fields = self._fields(entity.kind, body)
        for name, value in links.items():
            self._relate(entity, name, value, 0, [])
        entity.fields |= fields

    def delete(self, entity: Entity) -> None:
        """Remove an entity with what can't be without it."""
        for relation in _GONE_WITH.get(entity.kind.set, ()):
            for one in entity.related.get(relation, ()):
                self.delete(one)
        if entity.kind.set in ("Datastreams", "FeaturesOfInterest"):
            for one in list(self.sets[OBSERVATIONS].values()):
                if entity in (*one.related["Datastream"], *one.related["FeatureOfInterest"]):
                    self._remove(one)
        self._remove(entity)

    def _make(
        self, kind: Kind, body: Body, now: int, made: list[Entity], of: tuple[Entity, str] | None = None
    ) -> Entity:
        fields = self._fields(kind, body)
        if kind.set == OBSERVATIONS:
            fields = {"phenomenonTime": Moment(now), "resultTime": None} | fields
        missing = [name for name in kind.fields if name in kind.mandatory and name not in fields]
        if missing:
            raise Malformed(f"{kind.one}: expected {', '.join(missing)}")
        entity = Entity(kind, next(self._ids[kind.set]), fields)
        self.sets[kind.set][entity.id] = entity
        made.append(entity)
        if of is not None:
            self._link_from(of[0], of[1], entity)
        for name, value in body.items():
            if name in kind.relations:
                self._relate(entity, name, value, now, made)
        self._complete(entity, now, made)
        return entity

    def _fields(self, kind: Kind, body: Body) -> dict[str, Value]:
        unknown = set(body) - set(kind.fields) - set(kind.relations) - {"@iot.id", "id"}
        if unknown:
            raise Malformed(f"{kind.one} has no {min(unknown)!r}")
        return {name: _value(name, value) for name, value in body.items() if name in kind.fields}

    def _relate(self, entity: Entity, relation: str, value: object, now: int, made: list[Entity]) -> None:
        leads = entity.kind.relations[relation]
        to = KINDS[leads.to]
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise Malformed(f"{relation}: expected an entity or its @iot.id")
            if set(one) == {"@iot.id"}:
                other = self.sets[to.set].get(one["@iot.id"])
                if other is None:
                    raise Malformed(f"{relation}: there is no {to.one} {one['@iot.id']!r}")
                self._link_from(entity, relation, other)
            else:
                self._make(to, one, now, made, (entity, relation))

    def _link_from(self, one: Entity, relation: str, other: Entity) -> None:
        back = _INVERSE.get((one.kind.set, relation))
        if relation == "Observations":
            other.related["Datastream" if one.kind.set == "Datastreams" else "FeatureOfInterest"] = (one,)
            return
        _link(one, relation, other)
        if back is not None:
            _link(other, back, one)

    def _complete(self, entity: Entity, now: int, made: list[Entity]) -> None:
        """What 18-088 asks for where it was left out, and what may not be left out."""
        for relation in _NEEDED.get(entity.kind.set, ()):
            if not entity.related.get(relation):
                raise Malformed(f"{entity.kind.one}: expected its {relation}")
        match entity.kind.set:
            case "Things" if entity.related.get("Locations"):
                self._note_location(entity, now, made)
            case "Locations":
                for thing in entity.related.get("Things", ()):
                    if thing not in made:
                        thing.related["Locations"] = (entity,)
                        self._note_location(thing, now, made)
            case "Observations":
                self._observe(entity, made)

    def _note_location(self, thing: Entity, now: int, made: list[Entity]) -> None:
        past = Entity(KINDS["HistoricalLocations"], next(self._ids["HistoricalLocations"]), {"time": Moment(now)})
        self.sets["HistoricalLocations"][past.id] = past
        made.append(past)
        self._link_from(past, "Thing", thing)
        for location in thing.related["Locations"]:
            self._link_from(past, "Locations", location)

    def _observe(self, observation: Entity, made: list[Entity]) -> None:
        datastream = observation.related["Datastream"][0]
        if not observation.related.get("FeatureOfInterest"):
            observation.related["FeatureOfInterest"] = (self._feature(datastream, made),)
        features = datastream.related.get("FeatureOfInterest", ())
        if observation.related["FeatureOfInterest"][0] not in features:
            datastream.related["FeatureOfInterest"] = (*features, *observation.related["FeatureOfInterest"])
        when = observation.fields["phenomenonTime"]
        start = when.ns if isinstance(when, Moment) else when.start if isinstance(when, values.Interval) else 0
        observation.at = (start, f"{observation.id:020d}")

    def _feature(self, datastream: Entity, made: list[Entity]) -> Entity:
        locations = datastream.related["Thing"][0].related.get("Locations", ())
        if not locations:
            raise Malformed("Observation: expected its FeatureOfInterest, for the Thing has no Location to make it of")
        name = f"Generated using location details: {locations[0].fields['name']}"
        for known in self.sets["FeaturesOfInterest"].values():
            if known.fields["name"] == name and known.fields["feature"] == locations[0].fields["location"]:
                return known
        encoding = locations[0].fields["encodingType"]
        feature = locations[0].fields["location"]
        body: Body = {"name": name, "description": name, "encodingType": encoding, "feature": feature}
        return self._make(KINDS["FeaturesOfInterest"], body, 0, made)

    def _remove(self, entity: Entity) -> None:
        self.sets[entity.kind.set].pop(entity.id, None)
        for found in entity.related.values():
            for other in found:
                for name, back in other.related.items():
                    other.related[name] = tuple(one for one in back if one is not entity)


def _link(one: Entity, relation: str, other: Entity) -> None:
    known = one.related.get(relation, ())
    many = one.kind.relations[relation].many
    one.related[relation] = (*known, other) if many and other not in known else known if many else (other,)


def _value(name: str, value: object) -> Value:
    if name in _TIMES and isinstance(value, str):
        return values.time(value)
    if name == "name" and not isinstance(value, str):
        raise Malformed("name: expected a text")
    return value


@dataclass(slots=True)
class _Observations:
    seeded: Seeded

    def read(self, datastream: Entity, span: Span) -> Iterator[Entity]:
        own = [one for one in self.seeded.sets[OBSERVATIONS].values() if datastream in one.related["Datastream"]]
        placed = sorted(
            ((one.at, one) for one in own if one.at is not None), key=lambda of: of[0], reverse=span.newest_first
        )
        for at, one in placed:
            passed = span.after is not None and (at >= span.after if span.newest_first else at <= span.after)
            if span.start <= at[0] < span.end and not passed:
                yield one

    def find(self, number: int) -> Entity | None:
        return self.seeded.sets[OBSERVATIONS].get(number)

    def count(self, datastream: Entity, span: Span) -> int:
        return sum(1 for _ in self.read(datastream, span))

    def instants(self, datastream: Entity) -> bool:  # noqa: ARG002 - any may be of a period
        return False
