"""What is promised of whatever a device sends in any format: it is understood, or refused with a reason, and nothing else ever happens."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from broker import times
from broker.entry import Refusal
from broker.model import Datastream, FormatName, OrganisationId
from broker.placing import place
from broker.reading import TAG, Custom, Reading, TagRead
from gateways import formats, show, units

if TYPE_CHECKING:
    from collections.abc import Sequence

ARRIVED = times.parse("2026-11-22T20:00:00Z")


def read(name: FormatName, messages: Sequence[tuple[str, bytes]]) -> list[Reading | TagRead | Refusal]:
    """What is understood of messages in their order, shown and placed."""
    understand = formats.make(name, Custom()).understand
    items: list[Reading | TagRead | Refusal] = []
    for topic, payload in messages:
        understood = understand(topic, payload, ARRIVED)
        json.dumps(list(show.shown(understood)))
        placed = place(understood, Everything(), units.convert, ARRIVED, 0)
        assert sum(map(len, placed.points.values())) + len(placed.refusals) == len(understood.items)
        assert all(math.isfinite(p.value) for of in placed.points.values() for p in of if isinstance(p.value, float))
        items += understood.items
    return items


class Everything(Mapping[tuple[str, str], Datastream]):
    """Datastreams of whatever a device may say, in a unit that is seldom its own."""

    def __getitem__(self, named: tuple[str, str]) -> Datastream:
        kind = "rfid" if named[1] == TAG else "measurement"
        return Datastream(OrganisationId("o"), named[1], "g", kind, unit="K" if kind == "measurement" else None)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def get(self, named: tuple[str, str], _: object = None) -> Datastream:  # type: ignore[override]  # there is always one
        return self[named]


def holds(item: Reading | TagRead | Refusal) -> bool:
    """What is promised of every item."""
    if isinstance(item, Refusal):
        return bool(item.reason)
    if item.time is not None and not times.EARLIEST <= item.time < times.LATEST:
        return False
    if isinstance(item, TagRead):
        return item.epc.startswith("urn:epc:")
    return isinstance(item.value, bool | int | float | str) and bool(item.property)
