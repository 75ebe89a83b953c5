"""Zigbee2MQTT: a device's state, `zigbee2mqtt/<friendly name>`. Pure.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html . Neither unit nor time stands in the message: units are
in the `exposes` of the retained list `bridge/devices`, so that is remembered; `last_seen` is a time where the owner set it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.reading import About, Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Json, Read

_NO_VALUES = ("last_seen", "update", "device", "elapsed")
"""Members of a state that observe nothing."""
_DEEPEST = 8
"""Features within features of what a device exposes."""


def reader(custom: Custom) -> Read:
    return _Bridge(custom).read


@dataclass(slots=True)
class _Bridge:
    """What the device list said, by friendly name and property."""

    custom: Custom
    units: dict[tuple[str, str], units.Unit] = field(default_factory=dict)

    def read(self, topic: str, payload: bytes, _arrived: int) -> Understood:
        _, _, name = topic.partition("/")
        if name == "bridge/devices":
            return Understood((), self._learn(foreign.parse(payload)))
        if name.startswith("bridge/") or name.rpartition("/")[2] in ("availability", "set", "get"):
            return Understood()
        if not payload:
            return Understood()  # a retained state that is taken back
        state = foreign.record(foreign.parse(payload), "a state")
        time = self._last_seen(state)
        observed = {member: found for member, found in state.items() if member not in _NO_VALUES}
        return Understood(
            [
                Reading(name, member, value, time, *self.units.get((name, member), units.NO_UNIT))
                for member, value in foreign.scalars(observed)
            ]
        )

    def _learn(self, found: object) -> list[About]:
        self.units.clear()
        told: list[About] = []
        for one in foreign.records(found, "bridge/devices") if found != [] else []:
            device = foreign.record(one, "a device")
            name, definition = foreign.text(device, "friendly_name"), foreign.part(device, "definition")
            if name is None or not definition:
                continue  # the coordinator, or a device that is still interviewed
            words = [foreign.text(definition, "vendor"), foreign.text(definition, "model")]
            told += foreign.about(name, foreign.text(device, "description"), " ".join(w for w in words if w))
            for member, unit in _exposed(definition.get("exposes")):
                self.units[name, member] = units.ucum(unit)
        return told

    def _last_seen(self, state: Json) -> int | None:
        seen = state.get("last_seen")
        if isinstance(seen, str):
            return moments.parse(seen, self.custom.zone)
        number = foreign.real(state, "last_seen")
        return None if number is None else moments.since_1970(number, 1_000_000)


def _exposed(found: object, prefix: str = "", deepest: int = _DEEPEST) -> Iterator[tuple[str, str]]:
    """(property, unit) of what has a unit; a composite's features lie below its own property."""
    if not isinstance(found, list) or not deepest:
        return
    for one in found:
        if not isinstance(one, dict):
            continue
        member, unit = foreign.text(one, "property"), foreign.text(one, "unit")
        path = ".".join(word for word in (prefix, member) if word)
        if member and unit:
            yield path, unit
        yield from _exposed(one.get("features"), path, deepest - 1)
