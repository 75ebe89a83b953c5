"""Entities as SensorThings writes them: control information, what was selected and expanded, data arrays, GeoJSON and CSV. Pure. 18-088, 8.1 and 9.3."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Kind
from api.sensorthings.options import CONTROL, Options
from api.sensorthings.question import Page
from api.sensorthings.values import Interval, Moment, Value
from broker import times
from broker.errors import Refused

Document: TypeAlias = dict[str, object]
Expanded: TypeAlias = Callable[[Entity, str, Options], Page]
"""(entity, relation, what is asked of it) -> a page of what it leads to."""

_ALWAYS = frozenset({"resultTime"})
"""Written as null where it is not there: clients take it for mandatory."""
_GEOMETRIES = {"Locations": "location", "FeaturesOfInterest": "feature", "Datastreams": "observedArea"}


@dataclass(frozen=True, slots=True)
class Writer:
    """`root`: the address of the service without a slash at its end."""

    root: str
    expanded: Expanded

    def entity(self, entity: Entity, options: Options) -> Document:
        """One entity."""
        link = self.link(entity)
        written: Document = {}
        for name in ("@iot.selfLink", "@iot.id"):
            if options.select is None or name in options.select or (name == "@iot.id" and "id" in options.select):
                written[name] = link if name == "@iot.selfLink" else entity.id
        for name in entity.kind.fields:
            if _selected(name, options) and (name in entity.fields or name in _ALWAYS):
                written[name] = json(entity.fields.get(name))
        expands = {expand.relation: expand.options for expand in options.expand}
        for relation in entity.kind.relations:
            if relation in expands:
                written |= self._expansion(entity, relation, expands[relation])
            elif _selected(relation, options):
                written[f"{relation}@iot.navigationLink"] = f"{link}/{relation}"
        return written

    def page(self, page: Page, options: Options, next_link: str | None) -> Document:
        """A set."""
        return {**_counted(page), **_next(next_link), "value": [self.entity(one, options) for one in page.entities]}

    def references(self, page: Page, next_link: str | None) -> Document:
        """A set, by addresses alone."""
        value = [{"@iot.selfLink": self.link(one)} for one in page.entities]
        return {**_counted(page), **_next(next_link), "value": value}

    def data_array(self, page: Page, options: Options, next_link: str | None) -> Document:
        """Observations, grouped by datastream, as rows of the same components (18-088, 12)."""
        chosen = options.select or ("id", *KINDS[OBSERVATIONS].fields)
        components = ["id" if name in CONTROL else name for name in chosen if name not in KINDS[OBSERVATIONS].relations]
        components = list(dict.fromkeys(components))
        grouped: dict[int, list[Entity]] = {}
        for one in page.entities:
            grouped.setdefault(one.related["Datastream"][0].id, []).append(one)
        value = [
            {
                "Datastream@iot.navigationLink": f"{self.root}/Datastreams({number})",
                "components": components,
                "dataArray@iot.count": len(of),
                "dataArray": [[_component(one, name) for name in components] for one in of],
            }
            for number, of in grouped.items()
        ]
        return {**_counted(page), **_next(next_link), "value": value}

    def geojson(self, page: Page, options: Options, kind: Kind) -> Document:
        """Entities that have a geometry as a FeatureCollection (RFC 7946). Raises Refused for those that have none."""
        geometry = _GEOMETRIES.get(kind.set)
        if geometry is None and kind.set != OBSERVATIONS:
            raise Refused("no_geometry", f"{kind.set} have no geometry: ask for {', '.join(_GEOMETRIES)}.")
        return {
            "type": "FeatureCollection",
            **_counted(page),
            "features": [
                {
                    "type": "Feature",
                    "id": one.id,
                    "geometry": _geometry(one, geometry),
                    "properties": {n: v for n, v in self.entity(one, options).items() if n != geometry},
                }
                for one in page.entities
            ],
        }

    def table(self, page: Page, options: Options, kind: Kind) -> str:
        """CSV (RFC 4180): ids, fields, and what lies in fields as its own columns."""
        names = [n for n in ("id", *kind.fields) if options.select is None or n in options.select or n == "id"]
        rows = [
            {"id": one.id} | dict(_flat((name, json(one.fields.get(name))) for name in names if name != "id"))
            for one in page.entities
        ]
        columns = list(dict.fromkeys(name for row in rows for name in row)) or names
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def link(self, entity: Entity) -> str:
        return f"{self.root}/{entity.kind.set}({entity.id})"

    def _expansion(self, entity: Entity, relation: str, options: Options) -> Document:
        found = self.expanded(entity, relation, options)
        if not entity.kind.relations[relation].many:
            return {relation: self.entity(found.entities[0], options) if found.entities else None}
        written: Document = {}
        if found.count is not None:
            written[f"{relation}@iot.count"] = found.count
        if found.more is not None:
            more = "&".join(f"{quote(name, safe='$')}={quote(value)}" for name, value in found.more.items())
            rest = _again(options)
            written[f"{relation}@iot.nextLink"] = f"{self.link(entity)}/{relation}?{rest}{'&' if rest else ''}{more}"
        written[relation] = [self.entity(one, options) for one in found.entities]
        return written


def json(value: Value) -> object:
    """A value as JSON has it: times as ISO 8601 texts in UTC."""
    match value:
        case Moment(ns):
            return times.text(ns)
        case Interval(start, end):
            return f"{times.text(start)}/{times.text(end)}"
    return value


def _selected(name: str, options: Options) -> bool:
    return options.select is None or name in options.select


def _counted(page: Page) -> Document:
    return {} if page.count is None else {"@iot.count": page.count}


def _next(link: str | None) -> Document:
    return {} if link is None else {"@iot.nextLink": link}


def _component(entity: Entity, name: str) -> object:
    return entity.id if name == "id" else json(entity.fields.get(name))


def _geometry(entity: Entity, name: str | None) -> object:
    if name is not None:
        found = entity.fields.get(name)
    else:
        feature = entity.related.get("FeatureOfInterest", ())
        found = feature[0].fields.get("feature") if feature else None
    return found.get("geometry") if isinstance(found, dict) and found.get("type") == "Feature" else found


def _flat(pairs: Iterable[tuple[str, object]]) -> Iterable[tuple[str, object]]:
    for name, value in pairs:
        if isinstance(value, dict):
            yield from _flat((f"{name}/{inner}", of) for inner, of in value.items())
        else:
            yield name, "" if value is None else value


def _again(options: Options) -> str:
    """The options of a relation that was expanded, as an address asks for them again: as they were written."""
    return "&".join(
        f"{name}={quote(value, safe=_SAFE)}" for name, value in options.written if name not in ("$skip", "$skiptoken")
    )


_SAFE = "$(),:;=/'*"
