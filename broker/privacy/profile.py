"""Privacy profiles: which operators there are, and which profile suits which datastream. Pure.

A profile is a name and a list of operators, applied in order; none at all is `raw`. It is checked when an offer is made,
so that what is served later needs no more questions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from broker import times
from broker.errors import Refused
from broker.statistics import Statistic

LEAST_GROUP = 5
"""Fewer distinct people than this are no group (the interface's floor for personal data)."""
LONGEST_WINDOW = times.parse_duration("P31D")
"""A window is computed in memory at its end; a month of one-second data is 2.7 million points, about 200 MB."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Statistics of fixed windows of event time in place of the points."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["aggregate"]
    window: str
    """ISO 8601 duration; windows begin at its multiples since 1970-01-01T00:00:00Z."""
    statistics: tuple[Statistic, ...]
    by: Literal["datastream"] = "datastream"
    k: int | None = None
    """A window with fewer distinct privacy units than this is withheld."""

    @property
    def window_ns(self) -> int:
        return times.parse_duration(self.window)


@dataclass(frozen=True, slots=True)
class Pseudonymise:
    """A name in place of each tag's EPC, other in every offer and every epoch."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["pseudonymise"]
    rotate: str
    """ISO 8601 duration of an epoch; epochs begin at its multiples since 1970-01-01T00:00:00Z."""

    @property
    def rotate_ns(self) -> int:
        return times.parse_duration(self.rotate)


Operator: TypeAlias = Aggregate | Pseudonymise


@dataclass(frozen=True, slots=True)
class Profile:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    operators: tuple[Operator, ...]

    @property
    def aggregate(self) -> Aggregate | None:
        return next((op for op in self.operators if isinstance(op, Aggregate)), None)

    @property
    def pseudonymise(self) -> Pseudonymise | None:
        return next((op for op in self.operators if isinstance(op, Pseudonymise)), None)

    @property
    def fingerprint(self) -> str:
        """The same for profiles that compute the same, whatever they are called."""
        text = json.dumps([asdict(op) for op in self.operators], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Subject(Protocol):
    """What of a datastream decides whether a profile suits it."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> Literal["measurement", "rfid"]: ...
    @property
    def personal_data(self) -> bool: ...
    @property
    def privacy_unit(self) -> str | None: ...


def check(profile: Profile, datastream: Subject) -> None:
    """Raises Refused, with the reason, if `datastream` may not be offered under `profile`, and Malformed for a bad duration."""
    for reason, detail in _objections(profile, datastream):
        raise Refused(reason, f"datastream {datastream.id}: {detail}")


def _objections(profile: Profile, datastream: Subject) -> Iterator[tuple[str, str]]:
    if len(profile.operators) > 1:
        yield "profile_order", "a profile has one operator or none"
    if datastream.personal_data and not profile.operators:
        yield "personal_data_raw", "personal data is never offered raw; pseudonymise or aggregate it"
    if (operator := profile.pseudonymise) is not None:
        _ = operator.rotate_ns
        if datastream.kind != "rfid":
            yield "no_tags", "pseudonymise is for tag reads"
    if (aggregate := profile.aggregate) is not None:
        yield from _objections_to_aggregate(aggregate, datastream)


def _objections_to_aggregate(aggregate: Aggregate, datastream: Subject) -> Iterator[tuple[str, str]]:
    if aggregate.window_ns > LONGEST_WINDOW:
        yield "window_too_long", "a window is at most P31D"
    if not aggregate.statistics or len(set(aggregate.statistics)) != len(aggregate.statistics):
        yield "no_statistics", "name at least one statistic, and each once"
    tags = datastream.kind == "rfid"
    if tags and set(aggregate.statistics) != {"count"}:
        yield "no_numbers", "tag reads have no numbers: their only statistic is count"
    if aggregate.k is not None and not tags:
        yield "no_privacy_unit", "k counts distinct tags, and a measurement does not say whose it is"
    if datastream.personal_data:
        if not tags or datastream.privacy_unit not in (None, "tag"):
            yield (
                "privacy_unit_unknown",
                "its records do not say which privacy unit they belong to, so k can't be counted",
            )
        elif (aggregate.k or 0) < LEAST_GROUP:
            yield "k_too_small", f"personal data is aggregated over k of at least {LEAST_GROUP}"


def may_share(profile: Profile, datastream: Subject) -> bool:
    """Whether offers with this profile see one computed stream.

    Not where pseudonyms differ by offer, and not for personal data, which an offer shows only from its own beginning.
    """
    return not (datastream.personal_data or datastream.kind == "rfid" or profile.pseudonymise)
