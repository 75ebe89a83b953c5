"""Where a datastream is said to stand. Pure. Cells are those of H3 (https://h3geo.org)."""

from __future__ import annotations

import h3

from broker.place import Place
from broker.privacy.profile import GeneraliseLocation, Profile, Suppress

DECIMALS = 6
"""Of degrees: 0.1 m, finer than any cell's centre needs."""


def place_of(place: Place | None, profile: Profile) -> Place | None:
    """Where a datastream is said to stand under this profile."""
    hidden = profile.find(Suppress)
    if place is None or (hidden is not None and "location" in hidden.fields):
        return None
    cell = profile.find(GeneraliseLocation)
    if cell is None:
        return place
    latitude, longitude = h3.cell_to_latlng(h3.latlng_to_cell(place.latitude, place.longitude, cell.h3))
    return Place(round(longitude, DECIMALS), round(latitude, DECIMALS))
