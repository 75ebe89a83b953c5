"""Home Assistant's MQTT statestream: `<base>/<domain>/<entity>/<attribute>`, one value a topic. Pure.

https://www.home-assistant.io/integrations/mqtt_statestream/ . The state is what was observed; attributes come on topics of their
own, texts in quotes, of which unit, name and place are remembered. `last_updated` comes after the state that it is of, and is
not taken for the time of the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from broker.reading import Custom, Reading, Understood
from gateways import foreign, units
from gateways.foreign import Read

_NOTHING = ("unavailable", "unknown", "")
"""States that say that there is none."""
_MOST = 10_000
"""Entities that are remembered; a home has hundreds."""
_LEVELS = 3
"""Domain, entity and attribute end a topic."""


def reader(_: Custom) -> Read:
    return _Stream().read


@dataclass(slots=True)
class _Stream:
    """What attributes said before, by entity."""

    unit: dict[str, units.Unit] = field(default_factory=dict)
    longitude: dict[str, object] = field(default_factory=dict)

    def read(self, topic: str, payload: bytes, _arrived: int) -> Understood:
        levels = topic.split("/")
        if len(levels) < _LEVELS:
            entity, attribute = "", "state"
        else:
            entity, attribute = ".".join(levels[-3:-1]), levels[-1]
        found = _value(payload)
        if attribute == "state":
            return self._state(entity, found)
        known = entity in self.unit or entity in self.longitude
        if not known and len(self.unit) + len(self.longitude) >= _MOST:
            return Understood()
        if attribute == "unit_of_measurement" and isinstance(found, str):
            self.unit[entity] = units.ucum(found)
        elif attribute == "friendly_name" and isinstance(found, str):
            return Understood((), foreign.about(entity, found))
        elif attribute == "longitude":
            self.longitude[entity] = found
        elif attribute == "latitude":
            place = foreign.place(self.longitude.get(entity), found)
            return Understood((), foreign.about(entity, place=place))
        return Understood()

    def _state(self, entity: str, found: object) -> Understood:
        value = foreign.value(found)
        if value is None or value in _NOTHING:
            return Understood()
        unit = self.unit.get(entity, units.NO_UNIT) if not isinstance(value, str | bool) else units.NO_UNIT
        return Understood([Reading(entity, "state", value, None, *unit)])


def _value(payload: bytes) -> object:
    """JSON where it is, else the text that it is: states are sent without quotes by some versions."""
    try:
        return foreign.parse(payload)
    except msgspec.DecodeError:
        return payload.decode()
