"""What several offers of one datastream tell together. Pure.

Whoever accepts two offers sees both. Guarantee: both together tell no more than one of them does alone, as far as that can be seen
from their profiles:

    people counted twice     one grid: the same windows, the same operators before them, the same groups; or a total beside its read
                             points or districts, from which complementary suppression keeps what is withheld
    people named twice       the same operators, else the finer time, field or epoch of each completes the other
    named and counted        allowed, since `k` counts only those who are named nowhere
    windows, rounding, steps a grid of one offer is part of the other's: lengths divide each other
    noise                    one budget for all, and nothing exact beside it
    cells                    of one resolution, or of a datastream whose place is private, whose cells are nested

It does not see what is known elsewhere, nor that two datastreams are about the same people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from broker.errors import Refused
from broker.model import Datastream, Offer
from broker.privacy.profile import (
    Aggregate,
    Delay,
    GeneraliseLocation,
    Operator,
    Profile,
    Quantise,
    RoundTime,
    Sample,
    Suppress,
)


class _Pair(NamedTuple):
    """A profile that is new, one that stands, and whether both offers are of the same datastreams."""

    new: Profile
    standing: Profile
    same: bool


def check_together(new: Offer, standing: Iterable[Offer]) -> None:
    """Raises Refused, with the reason, if `new` and an offer that stands tell more together than each alone."""
    own = {release.datastream.stream: release.datastream for release in new.releases}
    for offer in standing:
        others = {release.datastream.stream for release in offer.releases}
        pair = _Pair(new.profile, offer.profile, own.keys() == others)
        for stream in sorted(own.keys() & others):
            for reason, detail in _objections(pair, own[stream]):
                raise Refused(reason, f"datastream {own[stream].id}, together with the offer {offer.id}: {detail}")


def _objections(pair: _Pair, datastream: Datastream) -> Iterator[tuple[str, str]]:
    of_people = datastream.personal_data or datastream.kind == "rfid"
    new, standing = pair.new.aggregate, pair.standing.aggregate
    if new is not None and standing is not None:
        if of_people or new.k is not None or standing.k is not None:
            yield from _objections_to_counts(pair, new, standing)
    elif pair.new.pseudonymise and pair.standing.pseudonymise and pair.new.operators != pair.standing.operators:
        yield "names_differ", "people would be named in two ways that complete each other: offer the same operators"
    yield from _objections_to_noise(pair)
    yield from _objections_to_grids(pair)
    if datastream.location_h3 is None:
        yield from _objections_to_cells(pair)


def _objections_to_counts(pair: _Pair, new: Aggregate, standing: Aggregate) -> Iterator[tuple[str, str]]:
    if new.window != standing.window:
        yield (
            "windows_differ",
            f"windows of {new.window} and {standing.window} tell by subtraction of parts with fewer than k: choose {standing.window}",
        )
    if new.by != standing.by and ("cell" in (new.by, standing.by) or "datastream" not in (new.by, standing.by)):
        yield "groups_differ", f"groups by {new.by} and by {standing.by} tell by subtraction of smaller ones"
    if new.by == standing.by and new.districts != standing.districts:
        yield "groups_differ", "districts that are cut otherwise tell by subtraction of smaller ones: choose the same"
    if "cell" in (new.by, standing.by) and not pair.same:
        yield (
            "groups_differ",
            "cells of other datastreams tell by subtraction of single ones: offer the same datastreams",
        )
    if _computing(pair.new) != _computing(pair.standing):
        yield (
            "operators_differ",
            "one group would be told in two ways that complete each other: choose the same operators",
        )


def _objections_to_noise(pair: _Pair) -> Iterator[tuple[str, str]]:
    new, standing = pair.new.noise, pair.standing.noise
    if new is not None and standing is not None:
        if (new.budget, new.per) != (standing.budget, standing.per):
            yield "budgets_differ", f"one budget is for all offers: choose {standing.budget} per {standing.per}"
    elif (new is not None and not pair.standing.pseudonymise) or (standing is not None and not pair.new.pseudonymise):
        yield "exact_beside_noisy", "what one hides with noise the other tells without"


def _computing(profile: Profile) -> list[tuple[bool, Operator]]:
    """The operators on which the numbers depend, and whether each stands before the windows."""
    idle = (Aggregate, Delay, Suppress) if profile.by_cell else (Aggregate, Delay, Suppress, GeneraliseLocation)
    before = profile.before_windows
    return [(op in before, op) for op in profile.operators if not isinstance(op, idle)]


def _objections_to_grids(pair: _Pair) -> Iterator[tuple[str, str]]:
    for what, one, other in _steps(pair):
        small, large = sorted((one, other))
        if large % small:
            yield "grids_differ", f"{what}: neither grid is part of the other, so both together are finer than each"


def _steps(pair: _Pair) -> Iterator[tuple[str, Decimal, Decimal]]:
    """What both have a grid of, and how wide each is."""
    new, standing = pair.new, pair.standing
    if new.aggregate and standing.aggregate:
        yield "aggregate", Decimal(new.aggregate.window_ns), Decimal(standing.aggregate.window_ns)
    rounding = new.find(RoundTime), standing.find(RoundTime)
    if rounding[0] and rounding[1]:
        yield "round_time", Decimal(rounding[0].to_ns), Decimal(rounding[1].to_ns)
    sampling = new.find(Sample), standing.find(Sample)
    if sampling[0] and sampling[1]:
        yield "sample", Decimal(sampling[0].every_ns), Decimal(sampling[1].every_ns)
    stepping = new.find(Quantise), standing.find(Quantise)
    if stepping[0] and stepping[1]:
        yield "quantise", Decimal(repr(stepping[0].step)), Decimal(repr(stepping[1].step))


def _objections_to_cells(pair: _Pair) -> Iterator[tuple[str, str]]:
    cells = pair.new.find(GeneraliseLocation), pair.standing.find(GeneraliseLocation)
    hidden = [profile.find(Suppress) for profile in (pair.new, pair.standing)]
    if any(one is not None and "location" in one.fields for one in hidden):
        return
    if cells[0] and cells[1] and cells[0].h3 != cells[1].h3:
        yield (
            "cells_differ",
            f"cells of h3 {cells[0].h3} and {cells[1].h3} overlap at their edges: choose {cells[1].h3}, or give a location_h3",
        )
