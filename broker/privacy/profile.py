"""Privacy profiles: which operators there are, and which profile suits which datastream. Pure.

A profile is a name and a list of operators, applied in order; none at all is `raw`. It is checked as a whole when an offer is
made, so that what is served later needs no more questions. What each operator guarantees is said at its class.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from pydantic import Field

from broker import times
from broker.errors import Refused
from broker.statistics import Statistic

LEAST_GROUP = 5
"""Fewer distinct people than this are no group (the interface's floor for personal data)."""
LONGEST_WINDOW = times.parse_duration("P31D")
"""A window is computed in memory at its end; a month of one-second data is 2.7 million points, about 200 MB."""
LONGEST_DELAY = times.parse_duration("P366D")
"""What is delayed waits as an entry a second with data: a year is 31 million at worst."""
FINEST_CELL = 15
"""H3's finest resolution: cells of 0.9 m²."""

Hideable: TypeAlias = Literal["location", "read_point", "antenna", "rssi"]


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


@dataclass(frozen=True, slots=True)
class RoundTime:
    """No time is finer than `to`: t' = t - t mod to. Records of one rounded time are one record: the last wins."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["round_time"]
    to: str

    @property
    def to_ns(self) -> int:
        return times.parse_duration(self.to)


@dataclass(frozen=True, slots=True)
class Delay:
    """Nothing is released before it is `by` old: t + by <= now, live and in history."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["delay"]
    by: str

    @property
    def by_ns(self) -> int:
        return times.parse_duration(self.by)


@dataclass(frozen=True, slots=True)
class Sample:
    """At most one record of every interval of `every`: the first that came. Intervals begin at multiples since 1970."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["sample"]
    every: str

    @property
    def every_ns(self) -> int:
        return times.parse_duration(self.every)


@dataclass(frozen=True, slots=True)
class GeneraliseLocation:
    """The centre of the H3 cell of this resolution in place of the place: all places of a cell are one (https://h3geo.org)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["generalise_location"]
    h3: Annotated[int, Field(ge=0, le=FINEST_CELL)]


@dataclass(frozen=True, slots=True)
class Suppress:
    """These are left out."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["suppress"]
    fields: Annotated[tuple[Hideable, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Quantise:
    """Values are multiples of `step`: v' = step · round(v / step), halves to even."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["quantise"]
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Clip:
    """Values lie between the bounds: v' = min(max(v, min), max)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["clip"]
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None


Operator: TypeAlias = (
    Aggregate | Pseudonymise | RoundTime | Delay | Sample | GeneraliseLocation | Suppress | Quantise | Clip
)
_Kind = TypeVar("_Kind", bound=Operator)


@dataclass(frozen=True, slots=True)
class Profile:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    operators: tuple[Annotated[Operator, Field(discriminator="op")], ...]

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """The operator of this kind, if the profile has one."""
        return next((op for op in self.operators if isinstance(op, kind)), None)

    @property
    def aggregate(self) -> Aggregate | None:
        return self.find(Aggregate)

    @property
    def pseudonymise(self) -> Pseudonymise | None:
        return self.find(Pseudonymise)

    @property
    def delay_ns(self) -> int:
        delay = self.find(Delay)
        return delay.by_ns if delay else 0

    @property
    def at_once(self) -> bool:
        """Whether each record can be released as it comes, by itself: without waiting and without a look at others."""
        return not any(isinstance(op, Aggregate | Delay | Sample) for op in self.operators)

    @property
    def before_windows(self) -> tuple[Operator, ...]:
        """What is done to points: all of it, or what comes before they are aggregated."""
        if self.aggregate is None:
            return self.operators
        return self.operators[: self.operators.index(self.aggregate)]

    @property
    def after_windows(self) -> tuple[Operator, ...]:
        """What is done to windows."""
        if self.aggregate is None:
            return ()
        return self.operators[self.operators.index(self.aggregate) + 1 :]

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
    yield from _objections_to_order(profile)
    for operator in profile.operators:
        yield from _objections_to(operator, datastream, windows=profile.aggregate is not None)
    if datastream.personal_data and not (profile.pseudonymise or profile.aggregate):
        yield "personal_data_raw", "personal data is never offered raw; pseudonymise or aggregate it"


_NEVER_BEFORE: tuple[tuple[type[Operator], type[Operator], str], ...] = (
    (Quantise, Aggregate, "statistics of quantised values are finer than the step: quantise after aggregate"),
    (Quantise, Clip, "a bound need not be a multiple of the step: clip before quantise"),
    (Sample, RoundTime, "rounding moves a record into another interval: round_time before sample"),
)
"""(what, before what, why not): the later would cancel what the earlier guarantees."""
_NEVER_WITH: tuple[tuple[type[Operator], type[Operator], str], ...] = (
    (Aggregate, RoundTime, "windows have fixed times: choose another window"),
    (Aggregate, Sample, "a window is one record already"),
    (Aggregate, Pseudonymise, "a window names nobody"),
)


def _objections_to_order(profile: Profile) -> Iterator[tuple[str, str]]:
    kinds = [type(op) for op in profile.operators]
    for kind in kinds:
        if kinds.count(kind) > 1:
            yield "profile_order", f"a profile has each operator once: {profile.operators[kinds.index(kind)].op}"
    for earlier, later, why in _NEVER_BEFORE:
        if earlier in kinds and later in kinds and kinds.index(earlier) < kinds.index(later):
            yield "profile_order", why
    for one, other, why in _NEVER_WITH:
        if one in kinds and other in kinds:
            yield "profile_order", why


def _objections_to(operator: Operator, datastream: Subject, *, windows: bool) -> Iterator[tuple[str, str]]:
    match operator:
        case Aggregate():
            yield from _objections_to_aggregate(operator, datastream)
        case RoundTime(to=duration) | Sample(every=duration) | Pseudonymise(rotate=duration):
            times.parse_duration(duration)
        case Delay() if operator.by_ns > LONGEST_DELAY:
            yield "delay_too_long", "a delay is at most P366D"
        case Suppress():
            known = _OF_TAG_READS if datastream.kind == "rfid" and not windows else frozenset()
            if unknown := set(operator.fields) - known - {"location"}:
                yield "no_such_field", f"its records have no {', '.join(sorted(unknown))}"
        case Clip():
            yield from _objections_to_clip(operator)
        case _:
            pass
    yield from _objections_to_kind(operator, datastream, windows=windows)


def _objections_to_kind(operator: Operator, datastream: Subject, *, windows: bool) -> Iterator[tuple[str, str]]:
    tags = datastream.kind == "rfid"
    if isinstance(operator, Pseudonymise) and not tags:
        yield "no_tags", "pseudonymise is for tag reads"
    if isinstance(operator, Sample) and tags:
        yield "no_numbers", "sample is for measurements: of tag reads it would choose whose to show"
    if isinstance(operator, Quantise | Clip) and tags and not windows:
        yield "no_numbers", f"{operator.op} is for numbers, and tag reads have none"


_OF_TAG_READS = frozenset({"read_point", "antenna", "rssi"})


def _objections_to_clip(operator: Clip) -> Iterator[tuple[str, str]]:
    low = -math.inf if operator.min is None else operator.min
    high = math.inf if operator.max is None else operator.max
    if (operator.min is None and operator.max is None) or low > high:
        yield "no_bounds", "clip needs a min, a max or both, the min not above the max"


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
