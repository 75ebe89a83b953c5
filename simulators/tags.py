"""Which RFID tags pass a read point: the city's own things, and the things of people. Pure.

People's things follow habits (the same few pass the same gate at the same hour), because it is habits that
give a pseudonym away: a privacy profile tested on tags drawn at random would look better than it is.
"""

from __future__ import annotations

from simulators import chance

ASSET_PREFIX = "urn:epc:id:sgtin:0614141."
"""The city's things. 0614141 is the company prefix of the examples in GS1's EPC Tag Data Standard."""

_ASSET_CLASSES = (112345, 112346, 112347)  # trees, bins, tools: indicator digit 1 and an item reference
_ASSETS = 900  # of each class; a crew meets the same thing again within days
_PEOPLES_PREFIXES = ("9521141", "9524321", "9528080")  # 952 is GS1's for demonstrations: nobody's real things
_THINGS = 1500
_KINDS = 20  # of things that a maker sells
_REGULARS = 12  # things with a habit, by read point, hour and kind of day
_HABIT = 0.6  # share of people's reads that are habits


def asset(seed: int, number: int) -> str:
    """The EPC of one of the city's things."""
    picked = chance.draw(seed, 1, number)
    return f"{ASSET_PREFIX}{_ASSET_CLASSES[picked % 3]}.{1 + (picked >> 8) % _ASSETS}"


def passer_by(seed: int, read_point: int, hour: int, pick: int, *, weekend: bool) -> str:
    """The EPC of a thing of people's: mostly one of the regulars of this read point at this hour."""
    if chance.uniform(seed, 2, pick) < _HABIT:
        number = chance.draw(seed, 3, read_point, hour, int(weekend), pick % _REGULARS)
    else:
        number = pick
    return _thing(seed, number % _THINGS)


def read_point(number: int) -> str:
    """An SGLN of the city's: EPCIS names read points by location numbers."""
    return f"urn:epc:id:sgln:0614141.{number % 100_000:05d}.{number // 100_000}"


def _thing(seed: int, number: int) -> str:
    prefix = _PEOPLES_PREFIXES[number % len(_PEOPLES_PREFIXES)]
    return f"urn:epc:id:sgtin:{prefix}.{number // 100:06d}.{1 + chance.draw(seed, 4, number) % 10**9}"


def standing(number: int) -> str:
    """The EPC of the city's thing of that number, each another."""
    return f"{ASSET_PREFIX}{_ASSET_CLASSES[number % 3]}.{1 + number // 3}"


def sold(number: int) -> str:
    """The EPC of something that was sold to somebody, each number another. Makers count: who knows one EPC can try all others."""
    maker, nth = _PEOPLES_PREFIXES[number % 3], number // 3
    return f"urn:epc:id:sgtin:{maker}.{100_000 + nth % _KINDS:06d}.{1 + nth // _KINDS}"
