"""Choosing, ordering and paging: options and a graph in, a page out. Pure over the graph; observations are read as far as they are needed.

Observations come in order of their datastream and time, or of time across datastreams, and go on behind a cursor: page 10,000 costs what page 1
does. Any other order has to see them all, and is refused past a stated number.
"""

from __future__ import annotations

import base64
import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec

from api.sensorthings import condition
from api.sensorthings.condition import Condition, conjuncts, paths
from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Graph, Kind, Span
from api.sensorthings.options import Options, Order
from api.sensorthings.syntax import Binary, Expression, Literal, Path
from api.sensorthings.values import Interval, Moment, Value
from broker import times
from broker.errors import Malformed, Refused
from broker.points import Cursor

MOST_SORTED = 100_000
"""Observations that are ordered by what they are not stored in order of, or joined to a filter on datastreams."""
LONGEST_PERIOD = 31 * times.DAY
"""Of an observation: a window is no longer (`broker/privacy/profile.py`)."""
_TIMES = (("phenomenonTime",), ("resultTime",))
_ON_DATASTREAM = frozenset({"Datastream", "FeatureOfInterest"})
_EARLIER = {"lt", "le", "eq"}
_LATER = {"gt", "ge", "eq"}
_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}

Token: TypeAlias = tuple[int, int, str]
"""A datastream's id, and a place in it."""


@dataclass(frozen=True, slots=True)
class Page:
    entities: list[Entity]
    count: int | None = None
    more: dict[str, str] | None = None
    """The options with which the next page is asked for; None: this is the last."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one set."""

    graph: Graph
    kind: Kind
    options: Options
    now: int

    def of(self, entities: Sequence[Entity]) -> Page:
        """A page of entities that are known, in the order of their ids unless another is asked for."""
        chosen = self._chosen(entities)
        skip, size = self.options.skip or 0, self.options.page
        page = _sorted(chosen, self.options.order, self.now)[skip : skip + size]
        more = {"$skip": str(skip + size)} if len(chosen) > skip + size and size else None
        return Page(page, len(chosen) if self.options.count else None, more)

    def of_observations(self, datastreams: Sequence[Entity], feature: Entity | None = None) -> Page:
        """A page of the observations of these datastreams; with a feature, of those that are of it."""
        wanted = _Wanted.of(self.graph, self.options, datastreams, self.now)
        if feature is not None and not wanted.single:
            wanted = replace(wanted, rest=(*wanted.rest, lambda one: feature in one.related["FeatureOfInterest"]))
        count = self._count(wanted) if self.options.count else None
        if not self.options.page:
            return Page([], count)
        order = _time_order(self.options.order)
        found = self._by_time(wanted, order) if order is not None else self._by_anything(wanted)
        return replace(found, count=count)

    def _chosen(self, entities: Sequence[Entity]) -> list[Entity]:
        if self.options.filter is None:
            return list(entities)
        if condition.reads_observations(self.options.filter):
            return self._chosen_by_observations(entities)
        holds = Condition(self.options.filter, self.now).holds
        return [entity for entity in entities if holds(entity)]

    def _chosen_by_observations(self, entities: Sequence[Entity]) -> list[Entity]:
        assert self.options.filter is not None
        if self.kind.set not in ("Datastreams", "FeaturesOfInterest"):
            raise Refused(
                "filter_too_wide", "Observations can be asked for in filters of Datastreams and FeaturesOfInterest."
            )
        holds, left, chosen = Condition(self.options.filter, self.now).holds, MOST_SORTED, []
        for entity in entities:
            of = list(itertools.islice(self._all_of(entity), left + 1))
            left -= len(of)
            if left < 0:
                raise Refused("filter_too_wide", f"This filter reads more than {MOST_SORTED} observations: narrow it.")
            joined = Entity(entity.kind, entity.id, entity.fields, {**entity.related, OBSERVATIONS: tuple(of)})
            if holds(joined):
                chosen.append(entity)
        return chosen

    def _all_of(self, entity: Entity) -> Iterator[Entity]:
        everything = Span(times.EARLIEST, times.LATEST)
        for datastream in datastreams_of(self.graph, entity):
            yield from self.graph.observations.read(datastream, everything)

    def _count(self, wanted: _Wanted) -> int:
        if not wanted.rest:
            return sum(self.graph.observations.count(one, wanted.span) for one in wanted.datastreams)
        return sum(
            wanted.holds(one)
            for datastream in wanted.datastreams
            for one in self.graph.observations.read(datastream, wanted.span)
        )

    def _by_time(self, wanted: _Wanted, order: _TimeOrder) -> Page:
        after = _token(self.options.token) if self.options.token else None
        found: Iterator[Entity] = filter(wanted.holds, self._in_order(wanted, order, after))
        if after is None and self.options.skip:
            found = itertools.islice(found, self.options.skip, None)
        size = self.options.page
        page = list(itertools.islice(found, size + 1))
        more = {"$skiptoken": _written(page[size - 1])} if len(page) > size else None
        return Page(page[:size], more=more)

    def _in_order(self, wanted: _Wanted, order: _TimeOrder, after: Token | None) -> Iterator[Entity]:
        likely = (self.options.skip or 0) + self.options.page + 1
        if order.across:  # each has its share, and hardly one more than twice of it
            likely = max(2, 2 * likely // max(1, len(wanted.datastreams)))

        def read(datastream: Entity, begin: Cursor | None) -> Iterator[Entity]:
            span = replace(wanted.span, after=begin, newest_first=order.newest_first, likely=likely)
            return self.graph.observations.read(datastream, span)

        if order.across:
            streams = [read(one, _resumed(one, after, order)) for one in wanted.datastreams]
            return heapq.merge(*streams, key=order.key)
        datastreams = list(reversed(wanted.datastreams)) if order.newest_first else list(wanted.datastreams)
        if after is not None:
            passed = [one.id > after[0] if order.newest_first else one.id < after[0] for one in datastreams]
            datastreams = [one for one, gone in zip(datastreams, passed, strict=True) if not gone]
        return itertools.chain.from_iterable(
            read(one, after[1:] if after is not None and one.id == after[0] else None) for one in datastreams
        )

    def _by_anything(self, wanted: _Wanted) -> Page:
        everything = itertools.chain.from_iterable(
            self.graph.observations.read(one, wanted.span) for one in wanted.datastreams
        )
        found = list(itertools.islice(everything, MOST_SORTED + 1))
        if len(found) > MOST_SORTED:
            raise Refused(
                "order_too_wide",
                f"More than {MOST_SORTED} observations would be ordered: order by phenomenonTime, or filter by it.",
            )
        rest = replace(self.options, filter=None, count=None)
        return Question(self.graph, self.kind, rest, self.now).of(list(filter(wanted.holds, found)))


@dataclass(frozen=True, slots=True)
class _TimeOrder:
    """An order in which observations rest: by datastream and time, or by time `across` datastreams."""

    newest_first: bool
    across: bool

    def key(self, entity: Entity) -> _Key:
        assert entity.at is not None
        return _Key((*entity.at[:1], entity.related["Datastream"][0].id, entity.at[1]), self.newest_first)


@dataclass(slots=True, eq=False)
class _Key:
    """Sorts the other way round where the newest come first."""

    place: tuple[int, int, str]
    newest_first: bool

    def __lt__(self, other: _Key) -> bool:
        return other.place < self.place if self.newest_first else self.place < other.place


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A filter on observations, taken apart: which datastreams, which span of time, and what else must hold."""

    graph: Graph
    datastreams: Sequence[Entity]
    span: Span
    rest: tuple[Callable[[Entity], bool], ...] = ()

    @classmethod
    def of(cls, graph: Graph, options: Options, datastreams: Sequence[Entity], now: int) -> _Wanted:
        wanted = cls(graph, datastreams, Span(times.EARLIEST, times.LATEST))
        for part in conjuncts(options.filter) if options.filter is not None else ():
            wanted = wanted.narrowed(part, now)
        return wanted

    def narrowed(self, part: Expression, now: int) -> _Wanted:
        holds = Condition(part, now).holds
        known = _ON_DATASTREAM if self.single else _ON_DATASTREAM - {"FeatureOfInterest"}
        if all(path.parts[0] in known for path in paths(part)) and not condition.reads_observations(part):
            return replace(self, datastreams=[one for one in self.datastreams if holds(_stub(one))])
        start, end, exact = _bounds(part)
        exact = exact and all(map(self.graph.observations.instants, self.datastreams))
        span = Span(max(self.span.start, start), min(self.span.end, end))
        if exact:
            return replace(self, span=span)
        return replace(self, span=span, rest=(*self.rest, holds))

    @property
    def single(self) -> bool:
        """Whether all observations of each datastream are of one feature."""
        return all(len(one.related.get("FeatureOfInterest", ())) == 1 for one in self.datastreams)

    def holds(self, observation: Entity) -> bool:
        return all(holds(observation) for holds in self.rest)


def datastreams_of(graph: Graph, entity: Entity) -> list[Entity]:
    """Whose observations an entity has: a datastream's own, a feature's by what it is a feature of."""
    if entity.kind.set == "Datastreams":
        return [entity]
    return [one for one in graph.datastreams() if entity in one.related.get("FeatureOfInterest", ())]


def _stub(datastream: Entity) -> Entity:
    """An observation of which only its datastream is known."""
    related = {"Datastream": (datastream,), "FeatureOfInterest": datastream.related.get("FeatureOfInterest", ())}
    return Entity(KINDS[OBSERVATIONS], 0, {}, related)


def _bounds(part: Expression) -> tuple[int, int, bool]:
    """Between which beginnings (ns) observations lie of which it holds; whether it holds of all instants that lie there."""
    everything = (times.EARLIEST, times.LATEST, False)
    if not isinstance(part, Binary) or part.operator not in _EARLIER | _LATER:
        return everything
    name, operator, other = part.left, part.operator, part.right
    if isinstance(other, Path):
        name, operator, other = other, _SWAPPED.get(operator, operator), part.left
    if not isinstance(name, Path) or not isinstance(other, Literal) or name.parts not in _TIMES:
        return everything
    period = _period(other.value)
    if period is None:
        return everything
    slack = LONGEST_PERIOD if name.parts == ("resultTime",) else 0  # of a window it is its end
    start = period[0] - slack + (operator == "gt" and not slack) if operator in _LATER else times.EARLIEST
    end = period[1] + (operator != "lt") if operator in _EARLIER else times.LATEST
    return start, end, isinstance(other.value, Moment) and not slack


def _period(value: Value) -> tuple[int, int] | None:
    match value:
        case Moment(ns):
            return ns, ns
        case Interval(start, end):
            return start, end
    return None


def _time_order(order: Sequence[Order]) -> _TimeOrder | None:
    """The order of time that is asked for, or None if it is another."""
    if not order:
        return _TimeOrder(newest_first=False, across=False)
    first = order[0]
    if first.term == Path(("phenomenonTime",)):
        return _TimeOrder(first.descending, across=True) if len(order) == 1 or _by_id(order[1:]) else None
    return _TimeOrder(first.descending, across=False) if _by_id(order) else None


def _by_id(order: Sequence[Order]) -> bool:
    return len(order) == 1 and isinstance(order[0].term, Path) and order[0].term.parts[0] in condition.ID


def _resumed(datastream: Entity, after: Token | None, order: _TimeOrder) -> Cursor | None:
    """Where a datastream goes on, when what was seen last of all is `after`."""
    if after is None:
        return None
    number, time, key = after
    if datastream.id == number:
        return time, key
    later = datastream.id > number if not order.newest_first else datastream.id < number
    # of the same moment, those of datastreams that come later are still to be seen
    if order.newest_first:
        return (time + 1, "") if later else (time, "")
    return (time - 1, _LAST_KEY) if later else (time, _LAST_KEY)


_LAST_KEY = "\U0010ffff" * 4
_Decoder = msgspec.json.Decoder(tuple[int, int, str])


def _written(entity: Entity) -> str:
    assert entity.at is not None
    token = msgspec.json.encode((entity.related["Datastream"][0].id, *entity.at))
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _token(text: str) -> Token:
    try:
        return _Decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, msgspec.DecodeError) as error:
        raise Malformed("$skiptoken: expected one that an earlier page gave") from error


def _sorted(entities: list[Entity], order: Sequence[Order], now: int) -> list[Entity]:
    for one in reversed(order):
        value = Condition(one.term, now).value
        entities = sorted(entities, key=_sort_key(value), reverse=one.descending)
    return entities


def _sort_key(value: Callable[[Entity], Value]) -> Callable[[Entity], tuple[int, object]]:
    """Values of one kind by themselves, other kinds apart; what is not there comes first."""

    def key(entity: Entity) -> tuple[int, object]:
        found = value(entity)
        match found:
            case None:
                return 0, 0
            case bool() | int() | float():
                return 1, found
            case str():
                return 2, found
            case Moment(ns):
                return 3, (ns, ns)
            case Interval(start, end):
                return 3, (start, end)
        return 4, str(found)

    return key
