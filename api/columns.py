"""A release as a table: which columns it has, and each point as a row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from broker.message import Form, form
from broker.model import Offer, Release
from broker.points import Point

Cell = bool | int | float | str | None
_decode = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class Table:
    """The form of one release's rows."""

    release: Release
    offer: Offer
    form: Form
    columns: tuple[str, ...]
    statistics: tuple[str, ...]

    def row(self, point: Point) -> dict[str, Cell]:
        """A point's cells by column; what it lacks is None."""
        said = _decode(self.form.message(point))
        computed = said.pop("statistics", None)
        if isinstance(computed, Mapping):
            said |= computed
        return {name: _cell(said.get(name)) for name in self.columns}

    def rows(self, points: Iterable[Point]) -> list[dict[str, Cell]]:
        return [self.row(point) for point in points]


def table(release: Release, offer: Offer, statistics: tuple[str, ...] | None = None) -> Table:
    """The table of a release, or of its downsampling by `statistics`."""
    aggregate = offer.profile.aggregate
    computed = statistics if statistics is not None else tuple(aggregate.statistics) if aggregate else ()
    if computed:
        columns = ("datastream", "time", "until", "value", "unit", *computed)
    elif release.datastream.kind == "rfid":
        tag = "tag" if offer.profile.pseudonymise else "epc"
        columns = ("datastream", "time", tag, "read_point", "antenna", "rssi")
    else:
        columns = ("datastream", "time", "value", "unit")
    return Table(release, offer, form(release, offer.profile, statistics), columns, computed)


def _cell(value: object) -> Cell:
    assert value is None or isinstance(value, bool | int | float | str)
    return value
