"""Which profile suits which datastream, and why not. Pure.

An offer is checked whole when it is made: an order of operators that cancels a guarantee, a statistic that would show one person,
a group that can't be counted. What is accepted here needs no more questions later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from broker import times
from broker.errors import Refused
from broker.place import Place
from broker.privacy.profile import (
    LEAST_GROUP,
    LONGEST_DELAY,
    LONGEST_WINDOW,
    Aggregate,
    Blur,
    Clip,
    Delay,
    GeneraliseLocation,
    Noise,
    Operator,
    Profile,
    Pseudonymise,
    Quantise,
    RoundTime,
    Sample,
    Suppress,
)
from broker.statistics import Statistic

LEAST_FOR: dict[Statistic, int] = {"median": 10, "p95": 100, "min": 100, "max": 100}
"""The least `k` for a statistic that is some single record's value: half of 10 lie beyond a median, 5 of 100 beyond the 95th
percentile; an extreme is always one record, so it is told only of crowds (a floor, not a guarantee)."""


class Subject(Protocol):
    """What of a datastream decides whether a profile suits it."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> Literal["measurement", "rfid", "camera"]: ...
    @property
    def personal_data(self) -> bool: ...
    @property
    def privacy_unit(self) -> str | None: ...
    @property
    def privacy_unit_id(self) -> str | None: ...
    @property
    def place(self) -> Place | None: ...
    @property
    def location_h3(self) -> int | None: ...
    @property
    def unit(self) -> str | None: ...


def check(profile: Profile, datastreams: Sequence[Subject]) -> None:
    """Raises Refused, with the reason, if these may not be offered under `profile`, and Malformed for a bad duration."""
    for datastream in datastreams:
        for reason, detail in _objections(profile, datastream):
            raise Refused(reason, f"datastream {datastream.id}: {detail}")
    if profile.by_cell and len({_counted_alike(one) for one in datastreams}) > 1:
        raise Refused(
            "not_alike", "datastreams of one cell are counted together: they need one kind, unit and privacy unit"
        )


def tags_are_units(datastream: Subject) -> bool:
    """Whether each tag stands for one person."""
    return datastream.kind == "rfid" and datastream.privacy_unit in (None, "tag") and datastream.privacy_unit_id is None


def _counted_alike(datastream: Subject) -> tuple[object, ...]:
    return (
        datastream.kind,
        datastream.unit,
        datastream.personal_data,
        datastream.privacy_unit,
        tags_are_units(datastream),
    )


def _objections(profile: Profile, datastream: Subject) -> Iterator[tuple[str, str]]:
    yield from _objections_to_order(profile)
    if datastream.kind == "camera":
        yield from _objections_to_camera(profile)
        return
    yield from _objections_to_epochs(profile)
    for operator in profile.operators:
        yield from _objections_to(operator, datastream, profile)
    if datastream.personal_data and not (profile.pseudonymise or profile.aggregate):
        yield "personal_data_raw", "personal data is never offered raw; pseudonymise or aggregate it"


_NEVER_BEFORE: tuple[tuple[type[Operator], type[Operator], str], ...] = (
    (Quantise, Aggregate, "statistics of quantised values are finer than the step: quantise after aggregate"),
    (Quantise, Clip, "a bound need not be a multiple of the step: clip before quantise"),
    (Quantise, Noise, "noise comes first: then what is rounded is noisy already"),
    (Noise, Aggregate, "noise is for windows: aggregate before"),
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


def _objections_to_epochs(profile: Profile) -> Iterator[tuple[str, str]]:
    rounding, names = profile.find(RoundTime), profile.pseudonymise
    if rounding is not None and names is not None and names.rotate_ns % rounding.to_ns:
        yield (
            "grids_differ",
            "a name that changes within a rounded time tells a finer one: rotate by a multiple of round_time",
        )


def _objections_to(operator: Operator, datastream: Subject, profile: Profile) -> Iterator[tuple[str, str]]:
    windows = profile.aggregate is not None
    match operator:
        case Aggregate():
            yield from _objections_to_aggregate(operator, datastream)
            yield from _objections_to_groups(profile, operator, datastream)
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
        case Noise():
            yield from _objections_to_noise(operator, profile)
        case _:
            pass
    yield from _objections_to_kind(operator, datastream, profile)


_READ_POINT_TELLS = "a read point tells the place that generalise_location coarsens: suppress read_point"


def _objections_to_kind(operator: Operator, datastream: Subject, profile: Profile) -> Iterator[tuple[str, str]]:
    windows, hidden = profile.aggregate is not None, profile.find(Suppress)
    tags = datastream.kind == "rfid"
    if isinstance(operator, Blur):
        yield "no_pictures", "blur is for cameras"
    if isinstance(operator, Pseudonymise):
        yield from _objections_to_trips(operator, datastream)
        if not tags:
            yield "no_tags", "pseudonymise is for tag reads"
    if (
        isinstance(operator, GeneraliseLocation)
        and tags
        and not windows
        and not (hidden and "read_point" in hidden.fields)
    ):
        yield "raw_beside_coarse", _READ_POINT_TELLS
    if isinstance(operator, Sample) and tags:
        yield "no_numbers", "sample is for measurements: of tag reads it would choose whose to show"
    if isinstance(operator, Quantise | Clip) and tags and not windows:
        yield "no_numbers", f"{operator.op} is for numbers, and tag reads have none"


def _objections_to_camera(profile: Profile) -> Iterator[tuple[str, str]]:
    blur = profile.find(Blur)
    if blur is None or not (blur.faces and blur.plates):
        yield "personal_data_raw", "a camera's pictures are personal data: blur both faces and plates"
    for operator in profile.operators:
        match operator:
            case Blur() | GeneraliseLocation():
                pass
            case Sample(every=duration):
                times.parse_duration(duration)
            case Suppress():
                if unknown := set(operator.fields) - {"location"}:
                    yield "no_such_field", f"a picture has no {', '.join(sorted(unknown))}"
            case Delay():
                yield (
                    "not_for_pictures",
                    "delay would have pictures kept, and they are held in memory only: sample them",
                )
            case Aggregate():
                yield (
                    "not_for_pictures",
                    "there is no detector of people or vehicles that could be counted instead of shown",
                )
            case _:
                yield "not_for_pictures", f"{operator.op} is for records with values, and a picture has none"


_OF_TAG_READS = frozenset({"read_point", "antenna", "rssi", "biz_step"})


def _objections_to_clip(operator: Clip) -> Iterator[tuple[str, str]]:
    low = -math.inf if operator.min is None else operator.min
    high = math.inf if operator.max is None else operator.max
    if (operator.min is None and operator.max is None) or low > high:
        yield "no_bounds", "clip needs a min, a max or both, the min not above the max"


def _objections_to_noise(noise: Noise, profile: Profile) -> Iterator[tuple[str, str]]:
    times.parse_duration(noise.per)
    if noise.epsilon > noise.budget:
        yield "budget_too_small", f"a budget of {noise.budget} never pays for a window of epsilon {noise.epsilon}"
    if profile.aggregate is None:
        yield "profile_order", "noise is for windows: aggregate before"
        return
    if unknown := set(profile.aggregate.statistics) - {"count", "sum", "mean"}:
        yield "no_mechanism", f"noise is for count, sum and mean, not for {', '.join(sorted(unknown))}"
    bounds = next((op for op in profile.before_windows if isinstance(op, Clip)), None)
    unbounded = bounds is None or bounds.min is None or bounds.max is None or bounds.min == bounds.max == 0
    if unbounded and set(profile.aggregate.statistics) != {"count"}:
        yield (
            "no_bounds",
            "noise on a sum or a mean needs clip with min and max before aggregate, which say what one record can do",
        )
    if any(isinstance(op, Clip) for op in profile.after_windows):
        yield "profile_order", "clip before aggregate: it bounds what one record can do"


def _objections_to_aggregate(aggregate: Aggregate, datastream: Subject) -> Iterator[tuple[str, str]]:
    if aggregate.window_ns > LONGEST_WINDOW:
        yield "window_too_long", "a window is at most P31D"
    if not aggregate.statistics or len(set(aggregate.statistics)) != len(aggregate.statistics):
        yield "no_statistics", "name at least one statistic, and each once"
    if datastream.kind == "rfid" and set(aggregate.statistics) != {"count"}:
        yield "no_numbers", "tag reads have no numbers: their only statistic is count"
    if datastream.personal_data or aggregate.k is not None:
        yield from _objections_to_k(aggregate, datastream)


def _objections_to_k(aggregate: Aggregate, datastream: Subject) -> Iterator[tuple[str, str]]:
    k = aggregate.k or 0
    if datastream.privacy_unit_id is None and not tags_are_units(datastream):
        yield (
            "privacy_unit_unknown",
            "its records don't say which privacy unit they are of, so k can't be counted: give a privacy_unit_id",
        )
    if datastream.personal_data and k < LEAST_GROUP:
        yield "k_too_small", f"personal data is aggregated over k of at least {LEAST_GROUP}"
    if datastream.privacy_unit_id is not None and k > 1 and aggregate.by != "cell":
        yield "k_unreachable", "all its records are of one privacy unit: aggregate by cell, together with others"
    for statistic in aggregate.statistics:
        if k < LEAST_FOR.get(statistic, 0):
            yield "k_too_small", f"{statistic} shows a single record: it needs k of at least {LEAST_FOR[statistic]}"


def _objections_to_groups(profile: Profile, aggregate: Aggregate, datastream: Subject) -> Iterator[tuple[str, str]]:
    hidden = profile.find(Suppress)
    yield from _objections_to_districts(aggregate)
    if aggregate.by == "cell":
        if not any(isinstance(op, GeneraliseLocation) for op in profile.before_windows):
            yield "no_cell", "by cell: say how large a cell is, with generalise_location before aggregate"
        if datastream.place is None:
            yield "no_place", "by cell: a datastream without a location is in none"
        cell = profile.find(GeneraliseLocation)
        if cell is not None and datastream.location_h3 is not None and cell.h3 > datastream.location_h3:
            yield "place_private", f"by cell: its place is private, choose h3 of at most {datastream.location_h3}"
        if hidden is not None and "location" in hidden.fields:
            yield "profile_order", "by cell: what is grouped by can't be left out"
    if aggregate.by in ("read_point", "district"):
        if any(isinstance(op, GeneraliseLocation) for op in profile.operators):
            yield "raw_beside_coarse", _READ_POINT_TELLS
        if datastream.kind != "rfid":
            yield "no_read_points", f"by {aggregate.by} is for tag reads"


def _objections_to_districts(aggregate: Aggregate) -> Iterator[tuple[str, str]]:
    names = [district.name for district in aggregate.districts]
    points = [point for district in aggregate.districts for point in district.read_points]
    if (aggregate.by == "district") != bool(names):
        yield "no_districts", "by district: name the districts and their read points, and only then"
    if len(set(names)) < len(names) or len(set(points)) < len(points):
        yield "districts_overlap", "each district has one name, and each read point is in one district at most"


def _objections_to_trips(names: Pseudonymise, datastream: Subject) -> Iterator[tuple[str, str]]:
    if names.gap is not None and names.gap_ns >= names.rotate_ns:
        yield (
            "gap_too_long",
            f"a gap of {names.gap} never comes before names change anyway: choose one below {names.rotate}",
        )
    if names.cut_m is not None and names.gap is None:
        yield "no_trips", "cut_m: say what ends a trip, with gap"
    if names.cut_m is not None and datastream.place is None:
        yield "no_place", "cut_m: distances are between datastreams, and one without a location is nowhere"


def may_share(profile: Profile, datastream: Subject) -> bool:
    """Whether offers with this profile see one computed stream.

    Not where pseudonyms differ by offer, not for personal data, which an offer shows only from its own beginning, and not by
    cell, where what is computed depends on all datastreams of the offer.
    """
    return not (datastream.personal_data or datastream.kind != "measurement" or profile.pseudonymise or profile.by_cell)
