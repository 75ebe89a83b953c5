"""What one gateway has to send by now, as MQTT messages. No sockets and no clock: the time is an argument.

A feed is a position in time, not a queue. The city's readings follow from the time alone, so after an outage
of any length nothing is missing and nothing had to be kept, but for the few records that a fault holds back;
what is due is handed out in slices that fit in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from broker.times import SECOND
from broker.times import text as time_text
from simulators.faults import FAULTS, VERDICTS, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulators.city import City, Payload, Sensor
    from simulators.faults import Departure, Faulty
    from simulators.recording import Record

PACK = 50
"""Records in one message at most; a message then stays below 10 KiB."""

_SLICE_NS = 600 * SECOND  # neighbouring sensors catch up side by side, and a slice of 80 sensors is below 1 MiB
_TAPE_SLICE = 1_000  # records of one recording handed out at once
_APART_NS = 1_000  # two records of one moment must not replace one another
_LAST_GAP_NS = 60 * SECOND  # before a recording of one record begins again


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns real time into the city's: from the past at `speed`, and with real time once it has caught up.

    So it is never ahead, which the broker would refuse.
    """

    started_ns: int
    origin_ns: int
    speed: float

    def simulated(self, now_ns: int) -> int:
        return min(self.origin_ns + int((now_ns - self.started_ns) * self.speed), now_ns)


class Tape:
    """A recording being played: which of its records are due, and the time that each is sent with."""

    def __init__(
        self,
        datastream: str,
        play: Callable[[], Iterator[Record]],
        *,
        started_ns: int,
        speed: float,
        keep_times: bool,
        loop: bool,
    ) -> None:
        """`play` opens the recording from its beginning. Its first record is due at `started_ns`."""
        self.datastream = datastream
        self._play = play
        self._speed = speed
        self._keep_times = keep_times
        self._loop = loop
        self._started_ns = started_ns
        self._stamped_ns = 0
        self._pass_ns = 0
        self._last_ns = 0
        self._gap_ns = _LAST_GAP_NS
        self._rest = play()
        self._next: Record | None = next(self._rest)

    @property
    def ended(self) -> bool:
        return self._next is None

    def behind(self, now_ns: int) -> bool:
        return self._next is not None and self._due_ns(self._next) < now_ns

    def due(self, now_ns: int) -> list[Payload]:
        """The next records due before `now_ns`, at most a slice. Raises Malformed as the recording does."""
        found: list[Payload] = []
        while self._next is not None and len(found) < _TAPE_SLICE and self._due_ns(self._next) < now_ns:
            found.append({"time": time_text(self._stamp(self._next)), "value": self._next.value})
            self._advance(self._next)
        return found

    def _due_ns(self, record: Record) -> int:
        return self._started_ns + int((self._pass_ns + record.offset_ns) / self._speed)

    def _stamp(self, record: Record) -> int:
        if self._keep_times:
            return record.time_ns
        self._stamped_ns = max(self._due_ns(record), self._stamped_ns + _APART_NS)
        return self._stamped_ns

    def _advance(self, played: Record) -> None:
        self._gap_ns = played.offset_ns - self._last_ns or self._gap_ns
        self._last_ns = played.offset_ns
        self._next = next(self._rest, None)
        if self._next is None and self._loop:
            self._pass_ns += played.offset_ns + self._gap_ns
            self._last_ns = 0
            self._rest = self._play()
            self._next = next(self._rest)


class Feed:
    """All that one gateway sends: its sensors of the city and its recordings."""

    def __init__(
        self,
        prefix: str,
        city: City,
        sensors: Sequence[Sensor],
        tapes: Sequence[Tape],
        *,
        position_ns: int,
        faulty: Faulty | None = None,
    ) -> None:
        """`prefix` is the topic without the datastream; readings from `position_ns` on are sent, by way of `faulty`."""
        self._prefix = prefix
        self._city = city
        self._sensors = sensors
        self._tapes = tapes
        self.position_ns = position_ns
        """Simulated time before which every reading was handed out."""
        self.begun_ns = position_ns
        self._faulty = faulty
        self._held: dict[str, list[Departure]] = {}
        """By sensor, what was read and leaves later."""
        self.verdicts: Counter[str] = Counter(dict.fromkeys(VERDICTS, 0) if faulty else {})
        """What the broker has to do with the records that were handed out."""
        self.faults: Counter[str] = Counter(dict.fromkeys(FAULTS, 0) if faulty else {})
        """The records that each fault was done to, those included that it keeps from leaving."""

    @property
    def ended(self) -> bool:
        return not self._sensors and all(tape.ended for tape in self._tapes)

    def behind(self, simulated_ns: int, now_ns: int) -> bool:
        """Whether another slice is due."""
        readings = bool(self._sensors) and self.position_ns < simulated_ns
        return readings or any(tape.behind(now_ns) for tape in self._tapes)

    def due(self, simulated_ns: int, now_ns: int) -> list[Message]:
        """The next slice of what is due before `simulated_ns` (the city) and `now_ns` (recordings).

        Each is handed out once, a datastream's oldest first. Raises Malformed if a recording turns out to be.
        """
        begin, end = self.position_ns, min(self.position_ns + _SLICE_NS, simulated_ns)
        messages: list[Message] = []
        if end > begin:
            for sensor in self._sensors:
                if self._faulty is None:
                    messages += self._packed(sensor.id, map(written, self._city.readings(sensor, begin, end)))
                else:
                    messages += self._leaving(sensor, self._faulty.departures(sensor, begin, end), end, now_ns)
            self.position_ns = end
        for tape in self._tapes:
            played = tape.due(now_ns)
            messages += self._packed(tape.datastream, map(written, played))
            if self._faulty is not None:
                self.verdicts["good"] += len(played)
        return messages

    def _leaving(self, sensor: Sensor, departures: Iterable[Departure], end_ns: int, now_ns: int) -> Iterator[Message]:
        """What leaves before `end_ns`, in that order; the rest is held."""
        waiting = [*self._held.pop(sensor.id, ()), *departures]
        self._held[sensor.id] = [one for one in waiting if one.at_ns >= end_ns]
        leaving = sorted((one for one in waiting if one.at_ns < end_ns), key=attrgetter("at_ns"))
        sent = [one for one in leaving if one.text is not None]
        self.faults.update(fault for one in leaving for fault in one.faults)
        self.verdicts.update(one.verdict(now_ns) for one in sent)
        yield from self._packed(sensor.id, [one.text for one in sent if not one.alone])
        for one in sent:
            if one.alone:
                yield from self._packed(one.datastream, [one.text])

    def _packed(self, datastream: str, records: Iterable[str]) -> Iterator[Message]:
        """`records`: as JSON."""
        rest = list(records)
        for first in range(0, len(rest), PACK):
            pack = rest[first : first + PACK]
            body = pack[0] if len(pack) == 1 else f"[{','.join(pack)}]"
            yield Message(f"{self._prefix}/{datastream}", body.encode(), len(pack))
