"""Where a datastream is said to stand. Pure. Cells are those of H3 (https://h3geo.org).

Guarantee: whoever is told a place learns one cell, and every place in it looks the same: told(p) = centre(cell(p, r)). Where the
owner declared a place private to resolution f, no r is finer than f, and a coarser cell is computed from the cell of f, so that
several offers together say no more than the finest of them (H3's cells of two resolutions overlap at their edges). Assumes that
more people live in the cell than stand out in it: see the sizes in `docs/privacy.md`.
"""

from __future__ import annotations

from typing import Protocol

import h3

from broker.place import Place
from broker.privacy.profile import GeneraliseLocation, Profile, Suppress

DECIMALS = 6
"""Of degrees: 0.1 m, finer than any cell's centre needs."""


COARSE = Profile("district", (GeneraliseLocation("generalise_location", 7),))
"""How everyone is told where a sensor stands that nobody offers: by cells of some 5 km², a district."""


class Standing(Protocol):
    """What stands somewhere: a datastream."""

    @property
    def place(self) -> Place | None: ...
    @property
    def location_h3(self) -> int | None: ...


def place_of(datastream: Standing, profile: Profile) -> Place | None:
    """Where a datastream is said to stand under this profile."""
    hidden = profile.find(Suppress)
    if datastream.place is None or (hidden is not None and "location" in hidden.fields):
        return None
    cell = cell_of(datastream, profile)
    return datastream.place if cell is None else centre_of(cell)


def cell_of(datastream: Standing, profile: Profile) -> str | None:
    """The cell that stands for its place under this profile; None if the place itself does, or if it has none."""
    place, finest = datastream.place, datastream.location_h3
    wanted = profile.find(GeneraliseLocation)
    if place is None or (wanted is None and finest is None):
        return None
    resolution = wanted.h3 if wanted is not None else finest
    if finest is None:
        return str(h3.latlng_to_cell(place.latitude, place.longitude, resolution))
    own = h3.latlng_to_cell(place.latitude, place.longitude, finest)
    return str(own if wanted is None or wanted.h3 >= finest else h3.cell_to_parent(own, wanted.h3))


def centre_of(cell: str) -> Place:
    """The centre of a cell."""
    latitude, longitude = h3.cell_to_latlng(cell)
    return Place(round(longitude, DECIMALS), round(latitude, DECIMALS))
