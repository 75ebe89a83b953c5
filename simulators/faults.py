"""What goes wrong between a sensor and the broker: silence, radio that is not heard, repetition, delay, wrong clocks, stuck
values, broken records, gateways that start anew, firmware that speaks in other units. Pure.

Each fault follows from seed, sensor and time alone, as the readings do, so that a test can say of every record whether it
had to be kept, was a repetition, or had to be refused. Clock and reboots are the gateway's, all else the sensor's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from broker.times import DAY, HOUR, MINUTE, SECOND, parse
from broker.times import text as time_text
from simulators import chance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.city import City, Payload, Sensor
    from simulators.schema import Faults, Later, Spells

Fault: TypeAlias = Literal[
    "dropout", "radio", "reboot", "duplicate", "out_of_order", "clock_skew", "stuck", "units", "malformed"
]
Break: TypeAlias = Literal["truncated", "wrong_type", "unknown_member", "not_a_number", "unknown_datastream"]
Verdict: TypeAlias = Literal["good", "duplicate", "refused"]
"""What the broker has to do with a record: keep it, take it as one it has, or refuse it."""
FAULTS: tuple[Fault, ...] = get_args(Fault)
BREAKS: tuple[Break, ...] = get_args(Break)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

AHEAD_NS = 5 * MINUTE
"""How far a record's time may lie ahead: the broker's default."""

OTHER_UNITS: Mapping[str, tuple[str, float, float]] = {
    "Cel": ("[degF]", 1.8, 32.0),
    "ug/m3": ("mg/m3", 0.001, 0.0),
    "km/h": ("m/s", 1 / 3.6, 0.0),
}
"""UCUM: what firmware may speak in instead, the factor and what is added to it."""
_NIGHT_NS = HOUR
"""When firmware is updated: 02:00 of the city's time, which is UTC+1."""
_DIGITS = 6

_Roots: TypeAlias = "Mapping[Fault, int]"
"""What chance in each fault of a sensor starts from."""
_MILLISECOND = 1_000_000
_SPELLS_TOLD_APART = 999  # milliseconds of a clock that is wrong, none of them nought
_ALONE = {"truncated", "not_a_number", "unknown_datastream"}  # these cost the whole message


@dataclass(frozen=True, slots=True)
class Departure:
    """One record as it leaves its gateway, or does not."""

    sensor: Sensor
    """As it calls itself."""
    read_ns: int
    """When it was read, by a clock that is right."""
    at_ns: int
    """Simulated time at which it leaves."""
    written_ns: int
    """The time that it carries."""
    reading: Payload | None
    """What it says, before it is cut off; None if it never leaves."""
    unit: str | None = None
    """UCUM: what the value is in."""
    faults: tuple[Fault, ...] = ()
    broken: Break | None = None
    pick: int = 0
    """Where it is cut off."""

    @property
    def datastream(self) -> str:
        return self.sensor.id

    @property
    def text(self) -> str | None:
        """It as Mitoyen's own JSON, or what is left of that; None if it never leaves."""
        if self.reading is None:
            return None
        text = written(self.reading)
        return cut(text.encode(), self.pick).decode() if self.broken == "truncated" else text

    @property
    def alone(self) -> bool:
        """Whether no other record may be in its message, as it would be refused with it."""
        return self.broken in _ALONE

    def later(self, wait_ns: int, fault: Fault) -> Departure:
        """The same record, held back by a fault."""
        return replace(self, at_ns=self.at_ns + wait_ns, faults=(*self.faults, fault))

    def verdict(self, now_ns: int, *, timed: bool = True) -> Verdict:
        """What the broker has to do with it if it comes at `now_ns`. `timed`: whether it carries its time in its format."""
        if self.broken or (timed and self.written_ns > now_ns + AHEAD_NS):
            return "refused"
        return "duplicate" if timed and "duplicate" in self.faults else "good"


written = json.JSONEncoder(separators=(",", ":")).encode
"""A record as JSON, or, where it has a number that is not finite, as what looks like it."""


def cut(payload: bytes, pick: int) -> bytes:
    """A beginning of a message."""
    return payload[: 1 + pick % (len(payload) - 1)]


class Faulty:
    """The sensors of one gateway, with the faults that are wanted."""

    def __init__(self, city: City, faults: Faults, gateway: str, breaks: Sequence[Break] = BREAKS) -> None:
        """`gateway` names whose clock it is; `breaks`: what can be broken in its format."""
        self._city = city
        self._faults = faults
        self._kinds = [kind for kind in (faults.malformed.kinds if faults.malformed else ()) if kind in breaks]
        self._clock, self._power = (
            chance.draw(city.seed, chance.named(fault), chance.named(gateway)) for fault in ("clock_skew", "reboot")
        )

    def departures(self, sensor: Sensor, start_ns: int, end_ns: int) -> Iterator[Departure]:
        """What becomes of the readings from `start_ns` (which counts) to `end_ns` (which does not), in the order of reading.

        Some leave after `end_ns`.
        """
        own = {fault: chance.draw(self._city.seed, chance.named(fault), chance.named(sensor.id)) for fault in FAULTS}
        for reading in self._city.readings(sensor, start_ns, end_ns):
            read_ns = parse(str(reading["time"]))
            lost = self._lost(own, read_ns)
            if lost:
                yield Departure(sensor, read_ns, read_ns, read_ns, None, faults=(lost,))
            else:
                yield from self._sent(sensor, own, read_ns, reading)

    def rebooted(self, start_ns: int, end_ns: int) -> bool:
        """Whether the gateway has come back from `start_ns` (which counts) to `end_ns` (which does not)."""
        reboot = self._faults.reboot
        if reboot is None:
            return False
        first = end_ns - (end_ns - 1 - self._power) % reboot.lasting - 1
        ends = range(first, start_ns - 1, -reboot.lasting)
        return any(self._off(end - 1) and not self._off(end) for end in ends)

    def _off(self, time_ns: int) -> bool:
        return _spell(self._faults.reboot, self._power, time_ns) is not None

    def _lost(self, own: _Roots, read_ns: int) -> Fault | None:
        """Why a reading of this moment never leaves; None if it does."""
        if _spell(self._faults.dropout, own["dropout"], read_ns) is not None:
            return "dropout"
        if self._off(read_ns):
            return "reboot"
        radio = self._faults.radio
        return "radio" if radio is not None and chance.uniform(own["radio"], read_ns) < radio.rate else None

    def _sent(self, sensor: Sensor, own: _Roots, read_ns: int, reading: Payload) -> Iterator[Departure]:
        faults: tuple[Fault, ...] = ()
        unit = sensor.unit
        stuck = _spell(self._faults.stuck, own["stuck"], read_ns)
        if stuck is not None and sensor.kind == "measurement":
            reading, faults = {**reading, "value": self._value_at(sensor, stuck)}, (*faults, "stuck")
        if unit is not None and unit in OTHER_UNITS and self._updated(own["units"], read_ns):
            unit, value = _in_other_unit(unit, float(reading["value"]))
            reading, faults = {**reading, "value": value}, (*faults, "units")
        skew_ns = self._skew_ns(read_ns)
        if skew_ns:
            reading, faults = {**reading, "time": time_text(read_ns + skew_ns)}, (*faults, "clock_skew")
        leaving = Departure(sensor, read_ns, read_ns, read_ns + skew_ns, reading, unit, faults)
        broken = self._break(own["malformed"], read_ns)
        if broken:
            yield _broken(leaving, reading, broken, chance.draw(own["malformed"], read_ns, 2))
        else:
            yield from self._on_the_way(leaving, own, read_ns)

    def _updated(self, root: int, read_ns: int) -> bool:
        """Whether the firmware that came in the last night speaks in other units."""
        units = self._faults.units
        night = (read_ns - _NIGHT_NS) // DAY
        return units is not None and _drawn(root, night) < units.rate

    def _on_the_way(self, leaving: Departure, own: _Roots, read_ns: int) -> Iterator[Departure]:
        late_ns = _wait_ns(self._faults.out_of_order, own["out_of_order"], read_ns)
        if late_ns:
            leaving = leaving.later(late_ns, "out_of_order")
        yield leaving
        again_ns = _wait_ns(self._faults.duplicate, own["duplicate"], read_ns)
        if again_ns and leaving.written_ns - read_ns <= AHEAD_NS:  # else the first might be refused and this one not
            yield leaving.later(again_ns, "duplicate")

    def _value_at(self, sensor: Sensor, spell_ns: int) -> bool | int | float | str:
        """What a sensor says that is stuck since `spell_ns`."""
        return next(self._city.readings(sensor, spell_ns, spell_ns + sensor.interval_s * SECOND))["value"]

    def _skew_ns(self, read_ns: int) -> int:
        """By how much the gateway's clock is ahead (above 0) or behind.

        The milliseconds differ from spell to spell: a clock that is set back would else give two readings one time.
        """
        skew = self._faults.clock_skew
        spell = _spell(skew, self._clock, read_ns)
        if skew is None or spell is None:
            return 0
        pick = chance.draw(self._clock, spell, 1)
        by_ns = skew.by[pick % len(skew.by)]
        sign = 1 if chance.draw(pick) % 2 else -1
        return sign * by_ns + (1 + spell // skew.lasting % _SPELLS_TOLD_APART) * _MILLISECOND

    def _break(self, root: int, read_ns: int) -> Break | None:
        malformed = self._faults.malformed
        if malformed is None or not self._kinds or chance.uniform(root, read_ns) >= malformed.rate:
            return None
        return self._kinds[chance.draw(root, read_ns, 1) % len(self._kinds)]


def _spell(spells: Spells | None, root: int, time_ns: int) -> int | None:
    """When the spell began that this moment falls in; None if all is well."""
    if spells is None:
        return None
    began_ns = time_ns - (time_ns - root) % spells.lasting  # else all would fail in the same second
    return began_ns if _drawn(root, began_ns) < spells.rate else None


_drawn = lru_cache(4096)(chance.uniform)  # the readings of one spell ask for the same again and again


def _wait_ns(later: Later | None, root: int, read_ns: int) -> int:
    """How long a record of this moment is kept back; 0 if it is not."""
    if later is None or chance.uniform(root, read_ns) >= later.rate:
        return 0
    return _MILLISECOND * (1 + chance.draw(root, read_ns, 1) % (later.up_to // _MILLISECOND))


def _in_other_unit(unit: str, value: float) -> tuple[str, float]:
    other, factor, more = OTHER_UNITS[unit]
    return other, round(value * factor + more, _DIGITS)


def _broken(leaving: Departure, reading: Payload, kind: Break, pick: int) -> Departure:
    """The same record as something that the broker can't take."""
    sensor, said = leaving.sensor, "value" if "value" in reading else "epc"
    match kind:
        case "truncated":
            pass  # where it is written: what a beginning is depends on the format
        case "wrong_type":
            reading = {**reading, said: None}  # type: ignore[dict-item]  # which many send where they have nothing to say
        case "unknown_member":
            reading = {**reading, "battery": 3.6}
        case "not_a_number":
            reading = {**reading, "value" if said == "value" else "rssi": nan}
        case "unknown_datastream":
            sensor = replace(sensor, id=f"{sensor.id}-unknown")
    faults: tuple[Fault, ...] = (*leaving.faults, "malformed")
    return replace(leaving, sensor=sensor, reading=reading, faults=faults, broken=kind, pick=pick)
