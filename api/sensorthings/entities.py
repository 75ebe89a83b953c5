"""The eight kinds of entities, what each has, and a graph of them. Pure. 18-088, 8.2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from api.sensorthings.values import Value
from broker.points import Cursor


@dataclass(frozen=True, slots=True)
class Relation:
    to: str
    """The set of what it leads to."""
    many: bool


@dataclass(frozen=True, slots=True)
class Kind:
    set: str
    """Its name in addresses, such as Things."""
    one: str
    """Its name in relations to one, such as Thing."""
    fields: tuple[str, ...]
    mandatory: frozenset[str]
    relations: Mapping[str, Relation]


def _kind(one: str, plural: str, fields: str, relations: str, optional: str = "properties") -> Kind:
    names = tuple(fields.split())
    leads = {name: Relation(name if name in _SETS else _PLURAL[name], many=name in _SETS) for name in relations.split()}
    return Kind(plural, one, names, frozenset(names) - frozenset(optional.split()), leads)


_PLURAL = {
    "Thing": "Things",
    "Location": "Locations",
    "HistoricalLocation": "HistoricalLocations",
    "Datastream": "Datastreams",
    "Sensor": "Sensors",
    "ObservedProperty": "ObservedProperties",
    "Observation": "Observations",
    "FeatureOfInterest": "FeaturesOfInterest",
}
_SETS = frozenset(_PLURAL.values())

_KINDS = (
    _kind("Thing", "Things", "name description properties", "Datastreams Locations HistoricalLocations"),
    _kind("Location", "Locations", "name description encodingType location properties", "Things HistoricalLocations"),
    _kind("HistoricalLocation", "HistoricalLocations", "time", "Thing Locations"),
    _kind(
        "Datastream",
        "Datastreams",
        "name description unitOfMeasurement observationType observedArea phenomenonTime resultTime properties",
        "Thing Sensor ObservedProperty Observations",
        "observedArea phenomenonTime resultTime properties",
    ),
    _kind("Sensor", "Sensors", "name description encodingType metadata properties", "Datastreams"),
    _kind("ObservedProperty", "ObservedProperties", "name definition description properties", "Datastreams"),
    _kind(
        "Observation",
        "Observations",
        "phenomenonTime result resultTime resultQuality validTime parameters",
        "Datastream FeatureOfInterest",
        "resultQuality validTime parameters",
    ),
    _kind(
        "FeatureOfInterest", "FeaturesOfInterest", "name description encodingType feature properties", "Observations"
    ),
)
KINDS: Mapping[str, Kind] = {kind.set: kind for kind in _KINDS}
"""By set."""
OBSERVATIONS = "Observations"


@dataclass(slots=True, eq=False)
class Entity:
    """One thing that is known; what it has is JSON, its times `Moment` or `Interval`."""

    kind: Kind
    id: int
    fields: dict[str, Value]
    related: dict[str, tuple[Entity, ...]] = field(default_factory=dict)
    """What each relation leads to, to one or to many alike; observations are not among it, but read when they are asked for."""
    at: Cursor | None = None
    """Of an observation: its place in its datastream."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which observations of a datastream: those that begin at `start <= t < end` (ns since 1970)."""

    start: int
    end: int
    after: Cursor | None = None
    newest_first: bool = False
    likely: int = 101
    """How many of them will be asked for, as far as is known: as many are read at first. 101 are a usual page and the one that tells of more."""


class Observations(Protocol):
    """Where observations are."""

    def read(self, datastream: Entity, span: Span) -> Iterator[Entity]:
        """Those of a span, in order of time and then of what tells those of one time apart; read in pages, as far as they are asked for."""

    def find(self, number: int) -> Entity | None:
        """The one with this id."""

    def count(self, datastream: Entity, span: Span) -> int:
        """How many a span has."""

    def instants(self, datastream: Entity) -> bool:
        """Whether each of its observations is of one moment, and not of a period."""


@dataclass(slots=True)
class Graph:
    """All that a caller may see."""

    sets: dict[str, dict[int, Entity]]
    """By set and id, without Observations; in the order of their ids."""
    observations: Observations

    def datastreams(self) -> list[Entity]:
        return list(self.sets["Datastreams"].values())
