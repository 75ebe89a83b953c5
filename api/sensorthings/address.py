"""What an address names: a set, an entity, a relation of it, a field or what lies in it. Pure. 18-088, 9.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from api.sensorthings.entities import KINDS, Kind
from broker.errors import NotFound

Form: TypeAlias = Literal["plain", "ref", "value"]
MOST_STEPS = 16  # levels of an address: the standard's own examples have four

_SEGMENT = re.compile(r"([^()]+)(?:\((-?\d{1,20})\))?")
_INDEXED = re.compile(r"([^\[\]]+)\[(\d{1,9})\]")


@dataclass(frozen=True, slots=True)
class Step:
    """A set, or a relation of what comes before, and perhaps which one of it."""

    name: str
    kind: Kind
    many: bool
    id: int | None


@dataclass(frozen=True, slots=True)
class Address:
    steps: tuple[Step, ...]
    """None: the root."""
    field: tuple[str | int, ...] = ()
    """A field of the entity that the last step names, and what lies in it."""
    form: Form = "plain"

    @property
    def kind(self) -> Kind:
        return self.steps[-1].kind

    @property
    def many(self) -> bool:
        """Whether it names a set, and not one entity."""
        return self.steps[-1].many and self.steps[-1].id is None


def parse(path: str) -> Address:
    """Of what follows the root, decoded, without a slash around it. Raises NotFound: there is nothing at such an address."""
    segments = path.split("/") if path else []
    if len(segments) > MOST_STEPS:
        raise NotFound(f"an address has at most {MOST_STEPS} levels")
    form: Form = "plain"
    if segments and segments[-1] in ("$ref", "$value"):
        form = "ref" if segments.pop() == "$ref" else "value"
    steps: list[Step] = []
    for place, segment in enumerate(segments):
        step = _step(steps, segment)
        if step is None:
            found = Address(tuple(steps), _field(steps, segments[place:]), form)
            return _checked(found, path)
        steps.append(step)
    return _checked(Address(tuple(steps), (), form), path)


def _step(before: list[Step], segment: str) -> Step | None:
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        raise _nothing(segment)
    name, number = match.group(1), int(match.group(2)) if match.group(2) else None
    if not before:
        if name not in KINDS:
            raise NotFound(f"there is no set {name[:40]!r}: expected {', '.join(KINDS)}")
        return Step(name, KINDS[name], many=True, id=number)
    last = before[-1]
    if last.many and last.id is None:
        raise NotFound(f"{last.name} are many: expected which one, such as {last.name}(1)")
    relation = last.kind.relations.get(name)
    if relation is None:
        return None
    if number is not None and not relation.many:
        raise NotFound(f"{name} is one: expected no number behind it")
    return Step(name, KINDS[relation.to], relation.many, number)


def _field(before: list[Step], segments: list[str]) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    for segment in segments:
        match = _INDEXED.fullmatch(segment)
        parts += [match.group(1), int(match.group(2))] if match else [segment]
    kind = before[-1].kind
    if parts[0] not in kind.fields:
        raise NotFound(f"{kind.one} has no {parts[0]!r}: expected {', '.join((*kind.fields, *kind.relations))}")
    return tuple(parts)


def _checked(address: Address, path: str) -> Address:
    if address.form == "value" and not address.field:
        raise NotFound("$value is of a field")
    if address.form == "ref" and (address.field or not address.steps):
        raise NotFound("$ref is of entities")
    if any(step.id is not None and step.id < 0 for step in address.steps):
        raise _nothing(path)
    return address


def _nothing(where: str) -> NotFound:
    return NotFound(f"there is nothing at {where[:80]!r}")
