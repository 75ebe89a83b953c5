"""Taking values out of JSON that others shaped. Pure.

Firmware leaves members out, adds some, and writes numbers as texts, so everything is looked at before it is used: what is not
as expected raises Malformed, and nothing else is ever raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec
import numpy as np

from broker.entry import Refusal
from broker.errors import Malformed
from broker.place import Place
from broker.points import Value
from broker.reading import About, Reading, TagRead, Understood

Json: TypeAlias = Mapping[str, object]
Item: TypeAlias = Reading | TagRead | Refusal
Read: TypeAlias = Callable[[str, bytes, int], Understood]
"""(topic, payload, arrived) -> what was understood. Raises what EXPECTED lists, and nothing else."""

EXPECTED = (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a payload that is not as its format says makes a reader raise."""
DEEPEST = 32
"""Objects within objects: devices nest four or five."""
_NUMBER = re.compile(r"-?\d{1,300}(?:(\.\d{1,300})?([eE][+-]?\d{1,3})?)", re.ASCII)
_decode = msgspec.json.Decoder().decode


def parse(payload: bytes) -> object:
    """Any JSON. Raises what EXPECTED lists."""
    return _decode(payload)


def record(found: object, what: str) -> Json:
    """An object. Raises Malformed."""
    if not isinstance(found, dict):
        raise Malformed(f"{what}: expected a JSON object")
    return found


def part(of: Json, name: str) -> Json:
    """A member that is an object, or an empty one where it is left out, null or something else."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def text(of: Json, name: str) -> str | None:
    """A member that is a text and says something, or None."""
    found = of.get(name)
    return found if isinstance(found, str) and found else None


def real(of: Json, name: str) -> float | None:
    """A member that is a number, or None. Raises Malformed for one that is too large to be reckoned with."""
    found = of.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    try:
        float(found)
    except OverflowError:
        raise Malformed(f"{name}: expected a number below 1.8e308, which is what 64 bits hold") from None
    return found


def whole(of: Json, name: str) -> int | None:
    """A member that is an integer, or None."""
    found = of.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def records(found: object, what: str) -> list[object]:
    """An array's elements, or the one that is none. Raises Malformed for an empty array."""
    if isinstance(found, list):
        if not found:
            raise Malformed(f"{what}: an empty array, expected at least one")
        return found
    return [found]


def scalars(found: object, prefix: str = "", *, deepest: int = DEEPEST) -> Iterator[tuple[str, Value]]:
    """The values within objects and arrays, each with the names (places from 0) that lead to it, joined by dots. Null is no value."""
    if isinstance(found, bool | int | float | str):
        yield prefix, found
    elif isinstance(found, dict | list) and deepest:
        for name, inner in found.items() if isinstance(found, dict) else enumerate(found):
            if name != "":  # what has no name can't be adopted
                yield from scalars(inner, f"{prefix}.{name}" if prefix else str(name), deepest=deepest - 1)


def number(written: str) -> int | float | None:
    """The number that a text is, as JSON writes one; None if it is something else."""
    found = _NUMBER.fullmatch(written)
    if found is None:
        return None
    return float(written) if found[1] or found[2] else int(written)


def value(found: object) -> Value | None:
    """A value as it is, but a number where a text is one; None for what is neither."""
    if isinstance(found, str):
        as_number = number(found)
        return found if as_number is None else as_number
    return found if isinstance(found, bool | int | float) else None


def shortest(single: float) -> float:
    """A float of 32 bits with the digits that it has: 12.1, and not 12.100000381469727."""
    return float(str(np.float32(single)))


def place(longitude: object, latitude: object) -> Place | None:
    """A place on Earth; None for anything else, and for 0, 0, which is what a receiver without a fix says."""
    if isinstance(longitude, bool) or isinstance(latitude, bool):
        return None
    if not isinstance(longitude, int | float) or not isinstance(latitude, int | float):
        return None
    if (longitude, latitude) == (0, 0) or not (abs(longitude) <= 180 and abs(latitude) <= 90):  # noqa: PLR2004 - degrees
        return None
    return Place(longitude, latitude)


def geojson(found: object) -> Place | None:
    """The place of a GeoJSON Point."""
    if not isinstance(found, dict) or found.get("type") != "Point":
        return None
    coordinates = found.get("coordinates")
    return place(*coordinates[:2]) if isinstance(coordinates, list) and len(coordinates) > 1 else None


def about(device: str, name: str | None = None, model: str | None = None, place: Place | None = None) -> list[About]:
    """What a device tells of itself; nothing if that is only that it is there."""
    return [About(device, name, model, place)] if name or model or place else []


def each(found: list[object], read: Callable[[object], list[Item]]) -> list[Item]:
    """What is read of each element; one that can't be read is refused in its place, and the others are taken."""
    items: list[Item] = []
    for index, element in enumerate(found):
        try:
            items += read(element)
        except EXPECTED as error:
            items.append(Refusal(index, str(error)))
    return items
