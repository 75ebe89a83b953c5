"""Where things stand. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the ground: WGS 84, degrees, longitude first as in GeoJSON (RFC 7946)."""

    longitude: float
    latitude: float
