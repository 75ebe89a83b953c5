"""The filter language: text to a tree. Pure.

OData's grammar as SensorThings has it (18-088, 9.3.3.5): `or`, `and`, `not` and comparisons bind in that order, weakest first; then
`add sub`, then `mul div mod`. Time intervals, durations and geographies are literals of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from api.sensorthings import values
from broker.errors import Malformed

DEEPEST = 64  # levels of parentheses and paths: deeper than anyone writes, and less than Python's stack


@dataclass(frozen=True, slots=True)
class Literal:
    value: values.Value


@dataclass(frozen=True, slots=True)
class Path:
    """Names from an entity on, such as ("Datastream", "Thing", "name"); a number is a place in a list."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """`path/any(v: condition)` or `all`."""

    which: str
    path: Path
    variable: str
    condition: Expression


Expression: TypeAlias = Literal | Path | Unary | Binary | Listed | Call | Quantified


class Token(NamedTuple):
    kind: str
    text: str
    place: int


_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:?\d\d)?"
_LENGTH = r"P(?=[\dT])(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?"
_TOKENS = re.compile(
    rf"""
    (?P<blank>\s+)
  | (?P<geo>(?:geography|geometry)'(?:[^']|'')*')
  | (?P<duration>duration'(?:[^']|'')*')
  | (?P<interval>{_MOMENT}/{_MOMENT}|{_MOMENT}/{_LENGTH}|{_LENGTH}/{_MOMENT})
  | (?P<moment>{_MOMENT})
  | (?P<date>\d{{4}}-\d\d-\d\d)
  | (?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<text>'(?:[^']|'')*')
  | (?P<name>[^\W\d][\w.-]*|@[\w.]+)
  | (?P<sign>[(),/:\[\]-])
    """,
    re.VERBOSE,
)
_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le", "in"})
_CONSTANTS: Mapping[str, values.Value] = {"null": None, "true": True, "false": False}


def parse(text: str) -> Expression:
    """The tree of a whole condition or term. Raises Malformed, with the place and what was expected."""
    reader = _Reader(_tokens(text))
    found = reader.either()
    reader.end()
    return found


def _tokens(text: str) -> list[Token]:
    found, place = [], 0
    while place < len(text):
        match = _TOKENS.match(text, place)
        if match is None:
            raise Malformed(
                f"filter, at {place + 1}: {text[place : place + 20]!r} is neither a name, a number nor a text"
            )
        if match.lastgroup != "blank":
            found.append(Token(match.lastgroup or "", match.group(), place + 1))
        place = match.end()
    return [*found, Token("end", "", len(text) + 1)]


class _Reader:
    """Goes through tokens, one method a rule of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def end(self) -> None:
        if self._now.kind != "end":
            raise self._expected("an operator")

    def either(self) -> Expression:
        left = self._both()
        while self._word("or"):
            left = Binary("or", left, self._both())
        return left

    def _both(self) -> Expression:
        left = self._negated()
        while self._word("and"):
            left = Binary("and", left, self._negated())
        return left

    def _negated(self) -> Expression:
        if self._word("not"):
            with_depth = self._deeper()
            found = Unary("not", self._negated())
            self._depth = with_depth
            return found
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        if self._now.kind == "name" and self._now.text in _COMPARISONS:
            operator = self._next().text
            return Binary(operator, left, self._list() if operator == "in" else self._sum())
        return left

    def _list(self) -> Expression:
        if not self._sign("("):
            return self._sum()
        items = [self._sum()]
        while self._sign(","):
            items.append(self._sum())
        self._must(")")
        return Listed(tuple(items))

    def _sum(self) -> Expression:
        left = self._product()
        while operator := self._word("add", "sub"):
            left = Binary(operator, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._term()
        while operator := self._word("mul", "div", "mod"):
            left = Binary(operator, left, self._term())
        return left

    def _term(self) -> Expression:
        outer = self._deeper()
        if self._sign("-"):
            found: Expression = Unary("-", self._term())
        elif self._sign("("):
            found = self.either()
            self._must(")")
        elif self._now.kind == "name":
            found = self._named()
        else:
            found = self._literal()
        self._depth = outer
        return found

    def _literal(self) -> Expression:
        token = self._now
        if token.kind in ("end", "sign"):
            raise self._expected("a name or a value")
        self._at += 1
        return Literal(values.literal(token.kind, token.text))

    def _named(self) -> Expression:
        first = self._next().text
        if first in _CONSTANTS and not self._at_sign("/"):
            return Literal(_CONSTANTS[first])
        if self._at_sign("("):
            return Call(first.lower(), self._arguments())
        parts: list[str | int] = [first]
        while True:
            if self._sign("["):
                parts.append(self._index())
            elif self._sign("/"):
                name = self._name()
                if name in ("any", "all") and self._at_sign("("):
                    return self._quantified(name, Path(tuple(parts)))
                parts.append(name)
            else:
                return Path(tuple(parts))

    def _quantified(self, which: str, path: Path) -> Quantified:
        self._must("(")
        variable = self._name()
        self._must(":")
        condition = self.either()
        self._must(")")
        return Quantified(which, path, variable, condition)

    def _arguments(self) -> tuple[Expression, ...]:
        self._must("(")
        found: list[Expression] = []
        if not self._at_sign(")"):
            found.append(self.either())
            while self._sign(","):
                found.append(self.either())
        self._must(")")
        return tuple(found)

    def _index(self) -> int:
        if self._now.kind != "number" or not self._now.text.isdecimal():
            raise self._expected("a place in a list, from 0")
        found = int(self._next().text)
        self._must("]")
        return found

    def _name(self) -> str:
        if self._now.kind not in ("name", "number"):
            raise self._expected("a name")
        return self._next().text

    def _word(self, *words: str) -> str:
        """The operator that comes now, if it is one of these; then it is taken."""
        if self._now.kind == "name" and self._now.text in words:
            return self._next().text
        return ""

    def _at_sign(self, sign: str) -> bool:
        return self._now.kind == "sign" and self._now.text == sign

    def _sign(self, sign: str) -> bool:
        if self._at_sign(sign):
            self._at += 1
            return True
        return False

    def _must(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._expected(repr(sign))

    def _next(self) -> Token:
        token = self._now
        self._at += 1
        return token

    def _deeper(self) -> int:
        """One level down; returns the level to go back to."""
        outer = self._depth
        self._depth += 1
        if self._depth > DEEPEST:
            raise Malformed(f"filter, at {self._now.place}: more than {DEEPEST} levels deep")
        return outer

    def _expected(self, what: str) -> Malformed:
        found = repr(self._now.text) if self._now.text else "the end"
        return Malformed(f"filter, at {self._now.place}: expected {what}, found {found}")
