"""One request, answered: an address and its options over a graph. Pure over the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from api.sensorthings import address as addresses
from api.sensorthings import options as asked
from api.sensorthings.address import Address, Step
from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Graph
from api.sensorthings.options import Options
from api.sensorthings.question import Page, Question, datastreams_of
from api.sensorthings.render import Document, Writer, json
from broker.errors import Malformed, NotFound

_REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
_ENTITIES = "thing location historical-location datastream sensor observed-property observation feature-of-interest"
_REQUEST = (
    "status-code query-status-code orderby order expand select count top skip filter built-in-filter-operations "
    "built-in-query-functions pagination"
)
CONFORMANCE = [
    *(_REQUIREMENT + f"datamodel/{name}/{part}" for name in _ENTITIES.split() for part in ("properties", "relations")),
    _REQUIREMENT + "datamodel/entity-control-information/common-control-information",
    *(
        _REQUIREMENT + "resource-path/" + name
        for name in ("resource-path-to-entities", "resource-path-to-properties", "resource-path-to-associationlink")
    ),
    *(_REQUIREMENT + "request-data/" + name for name in _REQUEST.split()),
    _REQUIREMENT + "data-array/data-array",
]
"""What is built (18-088, annex A), and nothing else."""
_MQTT = _REQUIREMENT + "receive-updates-via-mqtt/receive-updates"


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: a document, a text, or None where what was asked for is null."""

    body: Document | str | None
    media_type: str = "application/json"


@dataclass(slots=True)
class Service:
    """`root`: the address of the service without a slash at its end; `now`: ns since 1970."""

    graph: Graph
    root: str
    now: int
    endpoints: Sequence[str] = ()
    """Where observations are heard over MQTT."""

    def answer(self, path: str, query: str) -> Answer:
        """Raises Malformed (400), NotFound (404) and Refused."""
        options = asked.parse(query)
        if not path:
            return Answer(self._root())
        address = addresses.parse(path)
        asked.check(options, address.kind)
        if address.many:
            return self._set(address, options, path)
        return self._one(address, options)

    def _root(self) -> Document:
        sets: list[object] = [{"name": name, "url": f"{self.root}/{name}"} for name in KINDS]
        if not self.endpoints:
            return {"value": sets, "serverSettings": {"conformance": CONFORMANCE}}
        heard: Document = {_MQTT: {"endpoints": list(self.endpoints)}}
        return {"value": sets, "serverSettings": {"conformance": [*CONFORMANCE, _MQTT], **heard}}

    def _set(self, address: Address, options: Options, path: str) -> Answer:
        *before, last = address.steps
        page = self._page(self._reached(before), last, options)
        writer, more = self._writer(), self._more(path, options, page)
        if address.form == "ref":
            return Answer(writer.references(page, more))
        match options.format:
            case "dataArray":
                if address.kind.set != OBSERVATIONS:
                    raise Malformed("$resultFormat=dataArray is for Observations")
                return Answer(writer.data_array(page, options, more))
            case "GeoJSON":
                return Answer(writer.geojson(page, options, address.kind), "application/geo+json")
            case "csv":
                return Answer(writer.table(page, options, address.kind), "text/csv; charset=utf-8; header=present")
        return Answer(writer.page(page, options, more))

    def _one(self, address: Address, options: Options) -> Answer:
        entity = self._reached(address.steps)
        if entity is None:
            raise NotFound("there is no such entity")
        writer = self._writer()
        if address.form == "ref":
            return Answer({"@iot.selfLink": writer.link(entity)})
        if not address.field:
            return Answer(writer.entity(entity, options))
        return _field(entity, address)

    def _writer(self) -> Writer:
        return Writer(self.root, self._expanded)

    def _reached(self, steps: Sequence[Step]) -> Entity | None:
        """The one entity that steps lead to, from the root on. Raises NotFound if one of them leads nowhere."""
        at: Entity | None = None
        for step in steps:
            found = self._all(at, step, only=step.id)
            if not found:
                raise NotFound(f"there is no such {step.kind.one}")
            at = found[0]
        return at

    def _all(self, at: Entity | None, step: Step, only: int | None) -> list[Entity]:
        """What a step leads to, by its id if one is given; of Observations, only by id."""
        if step.kind.set == OBSERVATIONS:
            one = self.graph.observations.find(only) if only is not None else None
            own = one is not None and (
                at is None or at in (*one.related["Datastream"], *one.related["FeatureOfInterest"])
            )
            return [one] if one is not None and own else []
        if at is None:
            known = self.graph.sets[step.name]
            return [known[only]] if only in known else [] if only is not None else list(known.values())
        found = at.related.get(step.name, ())
        return [one for one in found if only is None or one.id == only]

    def _page(self, at: Entity | None, step: Step, options: Options) -> Page:
        question = Question(self.graph, step.kind, options, self.now)
        if step.kind.set != OBSERVATIONS:
            return question.of(self._all(at, step, None))
        if at is None:
            return question.of_observations(self.graph.datastreams())
        feature = at if at.kind.set == "FeaturesOfInterest" else None
        return question.of_observations(datastreams_of(self.graph, at), feature)

    def _expanded(self, entity: Entity, relation: str, options: Options) -> Page:
        leads = entity.kind.relations[relation]
        if not leads.many:
            return Page(list(entity.related.get(relation, ())))
        return self._page(entity, Step(relation, KINDS[leads.to], many=True, id=None), options)

    def _more(self, path: str, options: Options, page: Page) -> str | None:
        if page.more is None:
            return None
        again = [pair for pair in options.written if pair[0] not in ("$skip", "$skiptoken")]
        if "$top" not in dict(again) and "$skip" in page.more:
            again.append(("$top", str(options.page)))
        pairs = [*again, *page.more.items()]
        return f"{self.root}/{path}?" + "&".join(f"{name}={quote(value, safe=_PLAIN)}" for name, value in pairs)


_PLAIN = "$(),:;=/'*@"


def _field(entity: Entity, address: Address) -> Answer:
    value = entity.fields.get(str(address.field[0]))
    for part in address.field[1:]:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            raise NotFound(f"there is no {part!r} in it")
    if value is None:
        return Answer(None)
    written = json(value)
    if address.form != "value":
        return Answer({str(address.field[-1]): written})
    text = written if isinstance(written, str) else msgspec.json.encode(written).decode()
    return Answer(text, "text/plain; charset=utf-8")
