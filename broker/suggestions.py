"""What devices say that no datastream takes, for their owners to make datastreams of. Pure; in memory, since a device speaks again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from broker.model import Kind
from broker.placing import Streams, Unplaced
from broker.points import Value
from broker.reading import TAG, About, Reading

MOST = 1_000
"""Of one gateway that are kept: the ones that came first, for a gateway that makes names up must not push out real ones."""


class Suggestion(msgspec.Struct):
    """One property of one device, as it was heard last."""

    device: str
    property: str
    kind: Kind
    value: Value
    unit: str | None
    unit_known: bool
    first: int
    """Arrival, ns since 1970; likewise `last`."""
    last: int
    heard: int
    name: str | None = None
    model: str | None = None
    longitude: float | None = None
    latitude: float | None = None


class Suggestions:
    """By organisation and gateway."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], dict[tuple[str, str], Suggestion]] = {}
        self._told: dict[tuple[str, str], dict[str, About]] = {}

    def note(
        self, gateway: tuple[str, str], unplaced: Iterable[Unplaced], about: Iterable[About], arrived: int
    ) -> None:
        """Take note of what no datastream took, and of what devices tell of themselves: often on another message."""
        known = self._of.setdefault(gateway, {})
        for item in unplaced:
            named = (item.device, item.property if isinstance(item, Reading) else TAG)
            if (before := known.get(named)) is not None or len(known) < MOST:
                known[named] = _suggestion(item, named, before, arrived)
        devices = self._told.setdefault(gateway, {})
        for told in about:
            if told.device in devices or len(devices) < MOST:
                devices[told.device] = told

    def of(self, gateway: tuple[str, str], streams: Streams) -> list[Suggestion]:
        """What is still to be made a datastream of, by device and property."""
        found = [one for named, one in sorted(self._of.get(gateway, {}).items()) if named not in streams]
        told = self._told.get(gateway, {})
        return [_described(one, told.get(one.device)) for one in found]


def _suggestion(item: Unplaced, named: tuple[str, str], before: Suggestion | None, arrived: int) -> Suggestion:
    first, heard = (before.first, before.heard) if before else (arrived, 0)
    return Suggestion(
        *named,
        kind="measurement" if isinstance(item, Reading) else "rfid",
        value=item.value if isinstance(item, Reading) else item.epc,
        unit=item.unit if isinstance(item, Reading) else None,
        unit_known=not isinstance(item, Reading) or item.unit_known,
        first=first,
        last=arrived,
        heard=heard + 1,
    )


def _described(one: Suggestion, told: About | None) -> Suggestion:
    if told is None:
        return one
    place = told.place
    return msgspec.structs.replace(
        one,
        name=told.name,
        model=told.model,
        longitude=place.longitude if place else None,
        latitude=place.latitude if place else None,
    )
