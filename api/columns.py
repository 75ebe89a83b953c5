"""Releases as a table: which columns there are, and each point as a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from broker.licence import Terms
from broker.message import Form, form
from broker.model import Offer, Release
from broker.place import Place
from broker.points import Point
from broker.privacy.location import centre_of, place_of

Cell = bool | int | float | str | None
MEASURED = ("datastream", "time", "value", "unit")
"""The columns of measurements as they are."""
_decode = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class Heading:
    """What all rows of an answer have in common."""

    columns: tuple[str, ...]
    statistics: tuple[str, ...]
    terms: Terms
    about: Mapping[str, str]
    """What the answer is of: offer, profile and, if it is of one alone, release."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form of one release's rows."""

    heading: Heading
    form: Form
    place: Place | None
    """Where its datastream stands, as the profile has it."""
    by_cell: bool = False
    constant: Mapping[str, str | None] | None = None
    """What all its rows say beside time and value, where they say no more: of measurements as they are."""

    def place_of(self, point: Point) -> Place | None:
        """Where a point of it was observed, as the profile has it."""
        return centre_of(point.key) if self.by_cell else self.place

    def row(self, point: Point) -> dict[str, Cell]:
        """A point's cells by column; what it lacks is None."""
        said = _decode(self.form.message(point))
        computed = said.pop("statistics", None)
        if isinstance(computed, Mapping):
            said |= computed
        return {name: _cell(said.get(name)) for name in self.heading.columns}

    def rows(self, points: Iterable[Point]) -> list[dict[str, Cell]]:
        return [self.row(point) for point in points]


def sheets(offer: Offer, releases: Iterable[Release], statistics: tuple[str, ...] | None = None) -> list[Sheet]:
    """A sheet each, all with the columns of all; `statistics`: of their downsampling by these."""
    shown = list(releases)
    aggregate = offer.profile.aggregate
    computed = statistics if statistics is not None else tuple(aggregate.statistics) if aggregate else ()
    columns = dict.fromkeys(name for release in shown for name in _columns(offer, release, computed))
    about = {"offer": str(offer.id), "profile": offer.profile.name}
    if len(shown) == 1:
        about["release"] = shown[0].id
    heading = Heading(tuple(columns), computed, offer.terms, about)
    return [
        Sheet(
            heading,
            form(release, offer.profile, statistics),
            place_of(release.datastream, offer.profile),
            offer.profile.by_cell,
            _constant(release, heading),
        )
        for release in shown
    ]


def _constant(release: Release, heading: Heading) -> dict[str, str | None] | None:
    datastream = release.datastream
    return {"datastream": datastream.id, "unit": datastream.unit} if heading.columns == MEASURED else None


def _columns(offer: Offer, release: Release, computed: tuple[str, ...]) -> tuple[str, ...]:
    if offer.profile.by_cell:
        return ("cell", "time", "until", "value", "unit", *computed)
    if computed:
        aggregate = offer.profile.aggregate
        group = (aggregate.by,) if aggregate is not None and offer.profile.grouped else ()
        return ("datastream", *group, "time", "until", "value", "unit", *computed, "revised")
    if release.datastream.kind == "rfid":
        tag = "tag" if offer.profile.pseudonymise else "epc"
        return ("datastream", "time", tag, "read_point", "antenna", "rssi", "biz_step")
    return MEASURED


def _cell(value: object) -> Cell:
    assert value is None or isinstance(value, bool | int | float | str)
    return value
