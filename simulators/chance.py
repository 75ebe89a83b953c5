"""Chance without state: a number drawn by its name, at any time and in any order. Pure.

A generator would have to be advanced, and then what a sensor said at noon would depend on who asked before.
The mixing is SplitMix64's finaliser (Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195), once
for each part.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Integers: TypeAlias = "NDArray[np.int64 | np.uint64]"
Floats: TypeAlias = "NDArray[np.float64]"
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 2.0**-53  # a float holds 53 bits


def named(name: str) -> int:
    """A number for a name, the same on every machine (Python's own hash differs at each start)."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def draw(*parts: int) -> int:
    """64 bits that look random and follow from the parts alone."""
    state = 0
    for part in parts:
        state = ((state ^ (part & _MASK)) + _GOLDEN) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def uniform(*parts: int) -> float:
    """Evenly between 0 and 1, both excluded."""
    return ((draw(*parts) >> 11) + 0.5) * _UNIT


def normal(*parts: int) -> float:
    """Mean 0, standard deviation 1 (Box and Muller 1958)."""
    first = draw(*parts)
    radius = math.sqrt(-2.0 * math.log(((first >> 11) + 0.5) * _UNIT))
    return radius * math.cos(2.0 * math.pi * uniform(first))


def poisson(mean: float, *parts: int) -> int:
    """How often something happens that happens `mean` times on average. For small means: it counts up."""
    left = uniform(*parts)
    chance, count = math.exp(-mean), 0
    while left > chance > _UNIT:
        left -= chance
        count += 1
        chance *= mean / count
    return count


def draws(*parts: Integers | int) -> Integers:
    """`draw` of many at once, entry by entry, as unsigned 64 bits: columns and single numbers, as numpy broadcasts them."""
    state = np.zeros(1, np.uint64)
    for part in parts:
        column = np.uint64(part & _MASK) if isinstance(part, int) else part.astype(np.uint64)
        state = (state ^ column) + np.uint64(_GOLDEN)  # arrays wrap around at 64 bits, as the mask does
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state


def uniforms(*parts: Integers | int) -> Floats:
    """`uniform` of many at once."""
    return ((draws(*parts) >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT


def normals(*parts: Integers | int) -> Floats:
    """`normal` of many at once."""
    first = draws(*parts)
    radius = np.sqrt(-2.0 * np.log(((first >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT))
    return radius * np.cos(2.0 * np.pi * uniforms(first))
