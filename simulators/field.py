"""A random landscape that changes with time, known everywhere at once. Pure.

Neighbouring sensors must agree more than distant ones, and noon must not depend on whether morning was asked
for. A sum of seeded cosine waves over x, y and t has both: it approaches a Gaussian process with a squared
exponential covariance (random Fourier features, Rahimi and Recht 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sqrt

from simulators import chance

_WAVES = 24  # enough that no single wave can be seen in the sum; the cost of a reading is proportional


@dataclass(frozen=True, slots=True)
class Series:
    """A field at one place: mean 0, variance 1, smooth in time."""

    waves: tuple[tuple[float, float], ...]
    """Angular frequency (rad/h) and phase (rad) of each wave."""

    def at(self, hours: float) -> float:
        return sqrt(2.0 / _WAVES) * sum([cos(turn * hours + phase) for turn, phase in self.waves])


@dataclass(frozen=True, slots=True)
class Field:
    """Correlation falls to 0.61 over `length_km` in space, and over `span_h` in time."""

    waves: tuple[tuple[float, float, float, float], ...]
    """East and north (rad/km), time (rad/h) and phase (rad) of each wave."""

    def place(self, east_km: float, north_km: float) -> Series:
        return Series(tuple((turn, phase + e * east_km + n * north_km) for e, n, turn, phase in self.waves))


def grow(seed: int, name: str, *, length_km: float, span_h: float) -> Field:
    """The field of that name in the city of that seed."""
    root = chance.draw(seed, chance.named(name))
    return Field(
        tuple(
            (
                chance.normal(root, wave, 0) / length_km,
                chance.normal(root, wave, 1) / length_km,
                chance.normal(root, wave, 2) / span_h,
                chance.uniform(root, wave, 3) * 2.0 * pi,
            )
            for wave in range(_WAVES)
        )
    )
