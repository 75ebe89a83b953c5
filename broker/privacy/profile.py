"""Privacy profiles: which operators there are. Pure.

A profile is a name and a list of operators, applied in order; none at all is `raw`. `suitability.py` checks it as a whole when an
offer is made, so that what is served later needs no more questions. What each operator guarantees is said at its class.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import Field

from broker import times
from broker.statistics import Statistic
from broker.vision.level import LevelName

LEAST_GROUP = 5
"""Fewer distinct people than this are no group (the interface's floor for personal data)."""
LONGEST_WINDOW = times.parse_duration("P31D")
"""A window is computed in memory at its end; a month of one-second data is 2.7 million points, about 200 MB."""
LONGEST_DELAY = times.parse_duration("P366D")
"""What is delayed waits as an entry a second with data: a year is 31 million at worst."""
LONGEST_CUT_M = 100_000
"""More than any city is wide: nothing would be left."""
FINEST_CELL = 15
"""H3's finest resolution: cells of 0.9 m²."""

Hideable: TypeAlias = Literal["location", "read_point", "antenna", "rssi", "biz_step"]


@dataclass(frozen=True, slots=True)
class District:
    """Read points that their owner takes together."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: Annotated[str, Field(min_length=1, max_length=63)]
    read_points: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Statistics of fixed windows of event time in place of the points."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["aggregate"]
    window: str
    """ISO 8601 duration; windows begin at its multiples since 1970-01-01T00:00:00Z."""
    statistics: tuple[Statistic, ...]
    by: Literal["datastream", "cell", "read_point", "district"] = "datastream"
    """A group a window: each datastream's, each read point's, each district's, or of all datastreams of the offer in one H3 cell together."""
    k: Annotated[int, Field(ge=1)] | None = None
    """A group with fewer distinct privacy units than this is withheld, and others with it where it could be computed from them."""
    districts: tuple[District, ...] = ()
    """By district: which there are. All read points that are in none are one group without a name."""

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
    gap: str | None = None
    """ISO 8601: a tag that was not read for longer than this has another name from then on, so that a name is of one trip (see `trips.py`)."""
    cut_m: Annotated[float, Field(gt=0, le=LONGEST_CUT_M, allow_inf_nan=False)] | None = None
    """Metres around where a trip began and ended of which nothing is shown: home and work."""

    @property
    def rotate_ns(self) -> int:
        return times.parse_duration(self.rotate)

    @property
    def gap_ns(self) -> int:
        return times.parse_duration(self.gap or self.rotate)

    @property
    def by_trip(self) -> bool:
        """Whether what is shown depends on the other reads of the epoch, so that it is released when that is over."""
        return self.gap is not None or self.cut_m is not None


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


@dataclass(frozen=True, slots=True)
class Noise:
    """Windows are drawn once, with noise that hides any one unit; epsilons add up to at most the budget (see `noise.py`)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["noise"]
    epsilon: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    """Of each window."""
    budget: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
    """Of the datastream, for all windows that begin in a period, of all its offers."""
    per: str = "P1D"
    """The period, an ISO 8601 duration; periods begin at its multiples since 1970-01-01T00:00:00Z."""
    bound: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Of each unit at most so many records of a window count: the first."""

    @property
    def per_ns(self) -> int:
        return times.parse_duration(self.per)


Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Blur:
    """Wherever a face or a plate is found, and in every mask, pictures are of one colour that nothing of what is there has part in."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    op: Literal["blur"]
    faces: bool = True
    plates: bool = True
    level: LevelName = "normal"
    """How thoroughly it is looked."""
    masks: Annotated[
        tuple[Annotated[tuple[tuple[Share, Share], ...], Field(min_length=3, max_length=64)], ...], Field(max_length=16)
    ] = ()
    """Polygons that are always covered, of (x, y) in shares of the picture's width and height."""
    soft: bool = False
    """Whether the colour is blurred together with what is around it: how it looks, and nothing else."""


Operator: TypeAlias = (
    Aggregate
    | Pseudonymise
    | RoundTime
    | Delay
    | Sample
    | GeneraliseLocation
    | Suppress
    | Quantise
    | Clip
    | Noise
    | Blur
)
_Kind = TypeVar("_Kind", bound=Operator)


@dataclass(frozen=True)
class Profile:
    """What is asked of it with each record is found once, so it has no slots."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    operators: tuple[Annotated[Operator, Field(discriminator="op")], ...]

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """The operator of this kind, if the profile has one."""
        return next((op for op in self.operators if isinstance(op, kind)), None)

    @cached_property
    def aggregate(self) -> Aggregate | None:
        return self.find(Aggregate)

    @cached_property
    def pseudonymise(self) -> Pseudonymise | None:
        return self.find(Pseudonymise)

    @cached_property
    def by_cell(self) -> bool:
        return self.aggregate is not None and self.aggregate.by == "cell"

    @cached_property
    def noise(self) -> Noise | None:
        return self.find(Noise)

    @cached_property
    def grouped(self) -> bool:
        """Whether a window may have several points, one a group."""
        return self.aggregate is not None and self.aggregate.by != "datastream"

    @cached_property
    def delay_ns(self) -> int:
        delay = self.find(Delay)
        return delay.by_ns if delay else 0

    @cached_property
    def at_once(self) -> bool:
        """Whether each record can be released as it comes, by itself: without waiting and without a look at others."""
        return not self.by_trip and not any(isinstance(op, Aggregate | Delay | Sample) for op in self.operators)

    @cached_property
    def by_trip(self) -> bool:
        """Whether an epoch is released as a whole, trip by trip."""
        return self.pseudonymise is not None and self.pseudonymise.by_trip

    @cached_property
    def before_windows(self) -> tuple[Operator, ...]:
        """What is done to points: all of it, or what comes before they are aggregated."""
        if self.aggregate is None:
            return self.operators
        return self.operators[: self.operators.index(self.aggregate)]

    @cached_property
    def after_windows(self) -> tuple[Operator, ...]:
        """What is done to windows."""
        if self.aggregate is None:
            return ()
        return self.operators[self.operators.index(self.aggregate) + 1 :]

    @cached_property
    def fingerprint(self) -> str:
        """The same for profiles that compute the same, whatever they are called."""
        text = json.dumps([asdict(op) for op in self.operators], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
