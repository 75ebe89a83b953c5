"""What an address asks for behind its `?`: $select, $expand, $orderby, $top, $skip, $count, $filter, $resultFormat. Pure. 18-088, 9.3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, get_args
from urllib.parse import unquote_plus

from api.sensorthings import condition, syntax
from api.sensorthings.entities import KINDS, Kind
from api.sensorthings.syntax import Expression
from broker.errors import Malformed

Format: TypeAlias = Literal["dataArray", "GeoJSON", "csv"]
FORMATS: tuple[str, ...] = get_args(Format)
CONTROL = ("id", "@iot.id", "@iot.selfLink")
LARGEST = 10_000
"""What $top is cut to: the interface's figure for a page."""
USUAL = 100


@dataclass(frozen=True, slots=True)
class Order:
    term: Expression
    descending: bool


@dataclass(frozen=True, slots=True)
class Expand:
    relation: str
    options: Options


@dataclass(frozen=True, slots=True)
class Options:
    select: tuple[str, ...] | None = None
    expand: tuple[Expand, ...] = ()
    order: tuple[Order, ...] = ()
    top: int | None = None
    skip: int | None = None
    count: bool | None = None
    filter: Expression | None = None
    format: Format | None = None
    token: str | None = None
    """Where an earlier page's nextLink goes on."""
    written: tuple[tuple[str, str], ...] = ()
    """All of it as it was written: what a nextLink repeats."""

    @property
    def page(self) -> int:
        """How many entities a page has at most."""
        return USUAL if self.top is None else min(self.top, LARGEST)


NONE = Options()


def parse(query: str) -> Options:
    """Of an address' query as it came. Raises Malformed."""
    found = NONE
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise Malformed(f"{unquote_plus(name)[:40]!r}: expected name=value")
        found = _with(found, unquote_plus(name), unquote_plus(value))
    return found


def check(options: Options, kind: Kind) -> None:
    """Raises Malformed if an option names what entities of this kind don't have."""
    for name in options.select or ():
        if name not in (*CONTROL, *kind.fields, *kind.relations):
            raise Malformed(
                f"$select: {kind.one} has no {name!r}: expected {', '.join((*kind.fields, *kind.relations))}"
            )
    for order in options.order:
        condition.check(order.term, kind)
    if options.filter is not None:
        condition.check(options.filter, kind)
    for expand in options.expand:
        relation = kind.relations.get(expand.relation)
        if relation is None:
            raise Malformed(f"$expand: {kind.one} has no {expand.relation!r}: expected {', '.join(kind.relations)}")
        check(expand.options, KINDS[relation.to])


def _with(options: Options, name: str, value: str) -> Options:
    options = replace(options, written=(*options.written, (name, value)))
    match name:
        case "$select":
            return replace(options, select=tuple(part.strip() for part in split(value, ",")))
        case "$expand":
            return replace(options, expand=merged((*options.expand, *map(_expand, split(value, ",")))))
        case "$orderby":
            return replace(options, order=tuple(map(_order, split(value, ","))))
        case "$top" | "$skip":
            number = _number(name, value)
            return replace(options, top=number) if name == "$top" else replace(options, skip=number)
        case "$count":
            if value not in ("true", "false"):
                raise Malformed(f"$count: expected true or false, not {value[:20]!r}")
            return replace(options, count=value == "true")
        case "$filter":
            return replace(options, filter=syntax.parse(value))
        case "$resultFormat":
            return replace(options, format=_format(value))
        case "$skiptoken":
            return replace(options, token=value)
    raise Malformed(f"{name[:40]!r}: there is no such option")


def _format(value: str) -> Format:
    for known in get_args(Format):
        if value.lower() == known.lower():
            return known  # type: ignore[no-any-return]  # get_args forgets what it is of
    raise Malformed(f"$resultFormat: expected {', '.join(FORMATS)}, not {value[:20]!r}")


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or not value.isascii() or len(value) > 18:  # noqa: PLR2004 - digits that 64 bits hold
        raise Malformed(f"{name}: expected a number from 0 on, not {value[:20]!r}")
    return int(value)


def _order(text: str) -> Order:
    term, _, direction = text.strip().rpartition(" ")
    if direction in ("asc", "desc") and term:
        return Order(syntax.parse(term), direction == "desc")
    return Order(syntax.parse(text), descending=False)


def _expand(text: str) -> Expand:
    """`Relation/Other(…)`: options stand behind the last."""
    path, inner = text.strip(), ""
    if "(" in path:
        if not path.endswith(")"):
            raise Malformed(f"$expand: {text[:60]!r}: expected a closing bracket at its end")
        path, inner = path[: path.index("(")], path[path.index("(") + 1 : -1]
    options = NONE
    for pair in filter(None, split(inner, ";")):
        name, _, value = pair.partition("=")
        options = _with(options, name.strip(), value)
    first, *rest = path.split("/")
    for name in reversed(rest):
        options = Options(expand=(Expand(name, options),))
    return Expand(first, options)


def merged(expands: tuple[Expand, ...]) -> tuple[Expand, ...]:
    """Each relation once: what is asked of it in several places comes together."""
    found: dict[str, Options] = {}
    for expand in expands:
        found[expand.relation] = _together(found.get(expand.relation, NONE), expand.options)
    return tuple(Expand(relation, options) for relation, options in found.items())


def _together(one: Options, other: Options) -> Options:
    both = replace(one, expand=merged((*one.expand, *other.expand)))
    given = {f.name: getattr(other, f.name) for f in fields(other) if f.name != "expand"}
    missing = {name: value for name, value in given.items() if value and not getattr(one, name)}
    return replace(both, **missing)


def split(text: str, at: str) -> Iterator[str]:
    """The parts between separators, but for those within brackets or quotes. Raises Malformed."""
    depth, quoted, begin = 0, False, 0
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == at and not depth:
            yield text[begin:place]
            begin = place + 1
    if depth or quoted:
        raise Malformed(f"{text[:60]!r}: expected every bracket and quote to be closed")
    yield text[begin:]
