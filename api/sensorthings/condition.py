"""Whether a condition holds of an entity, and what a term says of it. Pure.

A path through a relation to many stands for all that it finds: a comparison holds if it holds of one of them. `null` equals what is not there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from api.sensorthings import values
from api.sensorthings.entities import KINDS, OBSERVATIONS, Entity, Kind
from api.sensorthings.functions import FUNCTIONS, NOW, arithmetic
from api.sensorthings.syntax import Binary, Call, Expression, Listed, Literal, Path, Quantified, Unary
from api.sensorthings.values import Many, Moment, Truth, Value, each
from broker.errors import Malformed

ID = ("id", "@iot.id")
MOST_COMBINED = 100_000  # pairs that one comparison of two paths to many may try
_JSON = frozenset(
    {
        "properties",
        "unitOfMeasurement",
        "location",
        "feature",
        "observedArea",
        "parameters",
        "result",
        "metadata",
        "resultQuality",
    }
)
"""Fields that a path may go into."""

Variables: TypeAlias = Mapping[str, Entity]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on entities of one kind, checked; `now`: ns since 1970."""

    expression: Expression
    now: int

    def holds(self, entity: Entity) -> bool:
        return truth(self.value(entity)) is True

    def value(self, entity: Entity) -> Value:
        return _Evaluation(entity, {}, self.now).of(self.expression)


def check(expression: Expression, kind: Kind, variables: Mapping[str, Kind] | None = None) -> None:
    """Raises Malformed for a name that the kind does not have, or a function that there is not."""
    known = variables or {}
    match expression:
        case Path(parts):
            _check_path(parts, kind, known)
        case Quantified(_, path, variable, condition):
            found = _check_path(path.parts, kind, known)
            if found is None:
                raise Malformed(f"filter: any and all are for relations, and {path.parts[-1]} is none")
            check(condition, kind, {**known, variable: found})
        case Call(name, arguments):
            _check_call(name, len(arguments))
            for argument in arguments:
                check(argument, kind, known)
        case Listed(parts):
            for part in parts:
                check(part, kind, known)
        case Unary(_, operand):
            check(operand, kind, known)
        case Binary(_, left, right):
            check(left, kind, known)
            check(right, kind, known)


def _check_call(name: str, given: int) -> None:
    if name == NOW and not given:
        return
    function = FUNCTIONS.get(name)
    if function is None:
        raise Malformed(f"filter: there is no function {name!r}: expected {NOW} or one of {', '.join(FUNCTIONS)}")
    if not function.least <= given <= function.most:
        raise Malformed(f"filter: {name} takes {function.least} to {function.most} values, not {given}")


def _check_path(parts: tuple[str | int, ...], kind: Kind, variables: Mapping[str, Kind]) -> Kind | None:
    """The kind of what it leads to; None for a field."""
    at: Kind = kind
    rest = list(parts)
    if rest and rest[0] in variables:
        at = variables[str(rest.pop(0))]
    while rest:
        name = rest.pop(0)
        if name in at.relations:
            at = KINDS[at.relations[str(name)].to]
        elif (name in ID and not rest) or (name in at.fields and (not rest or name in _JSON)):
            return None
        else:
            raise Malformed(f"{at.one} has no {name!r}: expected id, {', '.join((*at.fields, *at.relations))}")
    return at


def reads_observations(expression: Expression) -> bool:
    """Whether it goes through a relation to Observations, which are read only when they must be."""
    match expression:
        case Path(parts):
            return OBSERVATIONS in parts
        case Quantified(_, path, _, condition):
            return OBSERVATIONS in path.parts or reads_observations(condition)
        case Call(_, parts) | Listed(parts):
            return any(map(reads_observations, parts))
        case Unary(_, operand):
            return reads_observations(operand)
        case Binary(_, left, right):
            return reads_observations(left) or reads_observations(right)
    return False


def paths(expression: Expression) -> Iterator[Path]:
    """All paths that do not begin with a variable."""
    match expression:
        case Path():
            yield expression
        case Quantified(_, path, variable, condition):
            yield path
            yield from (one for one in paths(condition) if one.parts[0] != variable)
        case Call(_, parts) | Listed(parts):
            for part in parts:
                yield from paths(part)
        case Unary(_, operand):
            yield from paths(operand)
        case Binary(_, left, right):
            yield from paths(left)
            yield from paths(right)


def conjuncts(expression: Expression) -> Iterator[Expression]:
    """What must hold together."""
    if isinstance(expression, Binary) and expression.operator == "and":
        yield from conjuncts(expression.left)
        yield from conjuncts(expression.right)
    else:
        yield expression


def truth(value: Value) -> Truth:
    """A value as a condition: only a boolean is one; of many, whether one is true."""
    if isinstance(value, Many):
        return any(one is True for one in value.found)
    return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class _Evaluation:
    entity: Entity
    variables: Variables
    now: int

    def of(self, expression: Expression) -> Value:
        match expression:
            case Literal(value):
                return value
            case Path(parts):
                return self._path(parts)
            case Unary(operator, operand):
                return self._unary(operator, operand)
            case Binary(operator, left, right):
                return self._binary(operator, left, right)
            case Call(name, arguments):
                return self._called(name, [self.of(argument) for argument in arguments])
            case Quantified():
                return self._quantified(expression)
        raise Malformed("filter: a list stands only behind in")

    def _unary(self, operator: str, operand: Expression) -> Value:
        if operator == "-":
            return _lifted(lambda x: arithmetic("mul", x, -1), self.of(operand))
        held = truth(self.of(operand))
        return None if held is None else not held

    def _binary(self, operator: str, left: Expression, right: Expression) -> Value:
        match operator:
            case "and" | "or":
                return self._logic(operator, left, right)
            case "in":
                return self._among(left, right)
            case "add" | "sub" | "mul" | "div" | "mod":
                return _lifted(lambda x, y: arithmetic(operator, x, y), self.of(left), self.of(right))
        return self._compared(operator, left, right)

    def _logic(self, operator: str, left: Expression, right: Expression) -> Truth:
        decisive = operator == "or"
        one = truth(self.of(left))
        if one is decisive:
            return decisive
        other = truth(self.of(right))
        if other is decisive:
            return decisive
        return None if one is None or other is None else not decisive

    def _compared(self, operator: str, left: Expression, right: Expression) -> Truth:
        for one, other in ((left, right), (right, left)):
            if isinstance(other, Literal) and other.value is None and operator in ("eq", "ne"):
                found = list(each(self.of(one)))
                there = any(value is not None for value in found)
                return there if operator == "ne" else not there
        return _any(lambda x, y: values.compare(operator, x, y), self.of(left), self.of(right))

    def _among(self, left: Expression, right: Expression) -> Truth:
        if isinstance(right, Listed):
            found: Value = [self.of(item) for item in right.items]
        else:
            found = self.of(right)
        lists = [one for one in each(found) if isinstance(one, list)]
        if not lists:
            return None
        return any(
            values.compare("eq", one, item) is True for one in each(self.of(left)) for of in lists for item in of
        )

    def _called(self, name: str, given: list[Value]) -> Value:
        if name == NOW:
            return Moment(self.now)
        call = FUNCTIONS[name].call
        return _lifted(lambda *of: None if None in of else call(*of), *given)

    def _quantified(self, expression: Quantified) -> Truth:
        found = self._entities(expression.path.parts)
        held = (
            truth(
                _Evaluation(self.entity, {**self.variables, expression.variable: one}, self.now).of(
                    expression.condition
                )
            )
            for one in found
        )
        return any(h is True for h in held) if expression.which == "any" else all(h is True for h in held)

    def _entities(self, parts: tuple[str | int, ...]) -> list[Entity]:
        found, rest = self._begin(parts)
        for name in rest:
            found = [other for one in found for other in one.related.get(str(name), ())]
        return found

    def _begin(self, parts: tuple[str | int, ...]) -> tuple[list[Entity], tuple[str | int, ...]]:
        variable = self.variables.get(str(parts[0])) if parts else None
        return ([self.entity], parts) if variable is None else ([variable], parts[1:])

    def _path(self, parts: tuple[str | int, ...]) -> Value:
        found, rest = self._begin(parts)
        kind, many = found[0].kind, False
        while rest and (relation := kind.relations.get(str(rest[0]))):
            found = [other for one in found for other in one.related.get(str(rest[0]), ())]
            kind, many, rest = KINDS[relation.to], many or relation.many, rest[1:]
        read = tuple(_field(one, rest) for one in found)
        return Many(read) if many else read[0] if read else None


def _field(entity: Entity, parts: tuple[str | int, ...]) -> Value:
    """A field, or what lies in it."""
    if not parts or parts[0] in ID:
        return entity.id
    value: Value = entity.fields.get(str(parts[0]))
    for part in parts[1:]:
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            return None
    return value


def _combined(given: tuple[Value, ...]) -> Iterator[tuple[Value, ...]]:
    return itertools.islice(itertools.product(*(each(value) for value in given)), MOST_COMBINED)


def _lifted(call: Callable[..., Value], *given: Value) -> Value:
    """Of each combination, where something stands for many."""
    if not any(isinstance(value, Many) for value in given):
        return call(*given)
    return Many(tuple(call(*combination) for combination in _combined(given)))


def _any(call: Callable[..., Truth], *given: Value) -> Truth:
    """True if it is of one combination; None if it can't be told of one; else False."""
    said = [call(*combination) for combination in _combined(given)]
    if True in said:
        return True
    return None if None in said else False
