"""What goes wrong between a sensor and the broker: silence, repetition, delay, wrong clocks, stuck values, broken records. Pure.

Each fault follows from seed, sensor and time alone, as the readings do, so that a test can say of every record whether it
had to be kept, was a repetition, or had to be refused. A gateway's clock is the gateway's, all else the sensor's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from broker.times import MINUTE, SECOND, parse
from broker.times import text as time_text
from simulators import chance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulators.city import City, Payload, Sensor
    from simulators.simulation import Faults, Later, Spells

Fault: TypeAlias = Literal["dropout", "duplicate", "out_of_order", "clock_skew", "stuck", "malformed"]
Break: TypeAlias = Literal["truncated", "wrong_type", "unknown_member", "not_a_number", "unknown_datastream"]
Verdict: TypeAlias = Literal["good", "duplicate", "refused"]
"""What the broker has to do with a record: keep it, take it as one it has, or refuse it."""
FAULTS: tuple[Fault, ...] = get_args(Fault)
BREAKS: tuple[Break, ...] = get_args(Break)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

AHEAD_NS = 5 * MINUTE
"""How far a record's time may lie ahead: the broker's default."""

_Roots: TypeAlias = "Mapping[Fault, int]"
"""What chance in each fault of a sensor starts from."""
_MILLISECOND = 1_000_000
_SPELLS_TOLD_APART = 999  # milliseconds of a clock that is wrong, none of them nought
_ALONE = {"truncated", "not_a_number", "unknown_datastream"}  # these cost the whole message


@dataclass(frozen=True, slots=True)
class Departure:
    """One record as it leaves its gateway, or does not."""

    datastream: str
    at_ns: int
    """Simulated time at which it leaves."""
    written_ns: int
    """The time that it carries."""
    text: str | None
    """Its JSON, or what is left of that; None if it never leaves."""
    faults: tuple[Fault, ...] = ()
    broken: Break | None = None

    @property
    def alone(self) -> bool:
        """Whether no other record may be in its message, as it would be refused with it."""
        return self.broken in _ALONE

    def later(self, wait_ns: int, fault: Fault) -> Departure:
        """The same record, held back by a fault."""
        return replace(self, at_ns=self.at_ns + wait_ns, faults=(*self.faults, fault))

    def verdict(self, now_ns: int) -> Verdict:
        """What the broker has to do with it if it comes at `now_ns`."""
        if self.broken or self.written_ns > now_ns + AHEAD_NS:
            return "refused"
        return "duplicate" if "duplicate" in self.faults else "good"


written = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""A record as JSON. Raises ValueError for a number that is not finite."""


class Faulty:
    """The sensors of one gateway, with the faults that are wanted."""

    def __init__(self, city: City, faults: Faults, gateway: str) -> None:
        """`gateway` names whose clock it is."""
        self._city = city
        self._faults = faults
        self._clock = chance.draw(city.seed, chance.named("clock_skew"), chance.named(gateway))

    def departures(self, sensor: Sensor, start_ns: int, end_ns: int) -> Iterator[Departure]:
        """What becomes of the readings from `start_ns` (which counts) to `end_ns` (which does not), in the order of reading.

        Some leave after `end_ns`.
        """
        own = {fault: chance.draw(self._city.seed, chance.named(fault), chance.named(sensor.id)) for fault in FAULTS}
        for reading in self._city.readings(sensor, start_ns, end_ns):
            read_ns = parse(str(reading["time"]))
            if _spell(self._faults.dropout, own["dropout"], read_ns) is not None:
                yield Departure(sensor.id, read_ns, read_ns, None, ("dropout",))
            else:
                yield from self._sent(sensor, own, read_ns, reading)

    def _sent(self, sensor: Sensor, own: _Roots, read_ns: int, reading: Payload) -> Iterator[Departure]:
        faults: tuple[Fault, ...] = ()
        stuck = _spell(self._faults.stuck, own["stuck"], read_ns)
        if stuck is not None and sensor.kind == "measurement":
            reading, faults = {**reading, "value": self._value_at(sensor, stuck)}, (*faults, "stuck")
        skew_ns = self._skew_ns(read_ns)
        if skew_ns:
            reading, faults = {**reading, "time": time_text(read_ns + skew_ns)}, (*faults, "clock_skew")
        leaving = Departure(sensor.id, read_ns, read_ns + skew_ns, written(reading), faults)
        broken = self._break(own["malformed"], read_ns)
        if broken:
            yield _broken(leaving, reading, broken, chance.draw(own["malformed"], read_ns, 2))
        else:
            yield from self._on_the_way(leaving, own, read_ns)

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
        if malformed is None or chance.uniform(root, read_ns) >= malformed.rate:
            return None
        return malformed.kinds[chance.draw(root, read_ns, 1) % len(malformed.kinds)]


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


def _broken(leaving: Departure, record: Payload, kind: Break, pick: int) -> Departure:
    """The same record as something the broker can't take."""
    datastream, text = leaving.datastream, written(record)
    said = "value" if "value" in record else "epc"
    match kind:
        case "truncated":
            text = text[: 1 + pick % (len(text) - 1)]
        case "wrong_type":
            text = written({**record, said: None})  # what many send where they have nothing to say
        case "unknown_member":
            text = written({**record, "battery": 3.6})
        case "not_a_number":
            text = json.dumps({**record, "value" if said == "value" else "rssi": nan}, separators=(",", ":"))
        case "unknown_datastream":
            datastream = f"{datastream}-unknown"
    return replace(leaving, datastream=datastream, text=text, faults=(*leaving.faults, "malformed"), broken=kind)
