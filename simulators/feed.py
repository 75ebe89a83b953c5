"""What one gateway has to send by now, as MQTT messages. No sockets and no clock: the time is an argument.

A feed is a position in time, not a queue. The city's readings follow from the time alone, so after an outage
of any length nothing is missing and nothing had to be kept, but for the few records that a fault holds back;
what is due is handed out in slices that fit in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from broker.times import SECOND, parse
from broker.times import text as time_text
from simulators.encoders.encoder import Report
from simulators.encoders.own import JSON, PACK
from simulators.faults import FAULTS, VERDICTS, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulators.camera import Film
    from simulators.city import City, Payload, Sensor
    from simulators.encoders.encoder import Encoder, Said
    from simulators.faults import Departure, Faulty, Verdict
    from simulators.recording import Record

Tell: TypeAlias = "Callable[[Sensor, Departure, Verdict | None], None]"
"""What became of a record, and what the broker has to do with it; None: it never left."""

_SLICE_NS = 600 * SECOND  # neighbouring sensors catch up side by side, and a slice of 80 sensors is below 1 MiB
_TAPE_SLICE = 1_000  # records of one recording handed out at once
_APART_NS = 1_000  # two records of one moment must not replace one another
_LAST_GAP_NS = 60 * SECOND  # before a recording of one record begins again


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    records: int
    qos: Literal[0, 1] = 1


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
    """All that one gateway sends: its sensors of the city and its recordings, as its format has it, and its cameras' pictures."""

    def __init__(
        self,
        prefix: str,
        city: City,
        sensors: Sequence[Sensor],
        tapes: Sequence[Tape],
        *,
        films: Sequence[Film] = (),
        position_ns: int,
        encoder: Encoder = JSON,
        faulty: Faulty | None = None,
        tell: Tell | None = None,
    ) -> None:
        """`prefix` is the topic without the datastream; readings from `position_ns` on are sent, by way of `faulty`.

        `tell` hears what became of each record, if it comes by way of `faulty`.
        """
        self._prefix = prefix
        self._city = city
        self._sensors = sensors
        self._tapes = tapes
        self._films = films
        self._of_the_city = bool(sensors or films)
        self.position_ns = position_ns
        """Simulated time before which every reading was handed out."""
        self.begun_ns = position_ns
        self._encoder = encoder
        self._greeted = False
        self._faulty = faulty
        self._tell = tell
        self._held: dict[str, list[Departure]] = {}
        """By sensor, what was read and leaves later."""
        self.verdicts: Counter[str] = Counter(dict.fromkeys(VERDICTS, 0) if faulty else {})
        """What the broker has to do with the records that were handed out."""
        self.faults: Counter[str] = Counter(dict.fromkeys(FAULTS, 0) if faulty else {})
        """The records that each fault was done to, those included that it keeps from leaving."""

    @property
    def commands(self) -> str | None:
        """The topic filter of what its devices are told."""
        return None if self._encoder.commands is None else f"{self._prefix}/{self._encoder.commands}"

    @property
    def ended(self) -> bool:
        return not self._of_the_city and all(tape.ended for tape in self._tapes)

    def greet(self) -> None:
        """What comes before any report is said once more: the gateway has started, or was asked to."""
        self._greeted = False

    def behind(self, simulated_ns: int, now_ns: int) -> bool:
        """Whether another slice is due."""
        readings = self._of_the_city and self.position_ns < simulated_ns
        return readings or any(tape.behind(now_ns) for tape in self._tapes)

    def due(self, simulated_ns: int, now_ns: int) -> list[Message]:
        """The next slice of what is due before `simulated_ns` (the city) and `now_ns` (recordings).

        Each is handed out once, a datastream's oldest first. Raises Malformed if a recording turns out to be.
        """
        begin, end = self.position_ns, min(self.position_ns + _SLICE_NS, simulated_ns)
        messages: list[Message] = []
        if end > begin:
            messages += self._greeting(begin, end)
            messages += (
                self._observed(begin, end) if self._faulty is None else self._left(self._faulty, begin, end, now_ns)
            )
            for film in self._films:
                messages += [Message(film.topic, jpeg, 0, qos=0) for jpeg in film.due(begin, end)]
            self.position_ns = end
        for tape in self._tapes:
            played = tape.due(now_ns)
            messages += _packed(f"{self._prefix}/{tape.datastream}", list(map(written, played)))
            if self._faulty is not None:
                self.verdicts["good"] += len(played)
        return messages

    def _greeting(self, begin_ns: int, end_ns: int) -> list[Message]:
        if self._greeted and not (self._faulty and self._faulty.rebooted(begin_ns, end_ns)):
            return []
        self._greeted = True
        return [self._message(said) for said in self._encoder.greeting(self._sensors, begin_ns)]

    def _observed(self, begin_ns: int, end_ns: int) -> Iterator[Message]:
        """What all sensors say, if nothing goes wrong."""
        return self._said([
            Report(sensor, parse(str(reading["time"])), reading, sensor.unit)
            for sensor in self._sensors
            for reading in self._city.readings(sensor, begin_ns, end_ns)
        ])  # fmt: skip

    def _left(self, faulty: Faulty, begin_ns: int, end_ns: int, now_ns: int) -> Iterator[Message]:
        """What leaves before `end_ns` of what was read by then; what travels alone comes last."""
        sent: list[Departure] = []
        for sensor in self._sensors:
            sent += self._leaving(sensor, faulty.departures(sensor, begin_ns, end_ns), end_ns, now_ns)
        yield from self._said([_report(one) for one in sent if not one.alone])
        for one in sent:
            if one.alone:
                yield from self._said([_report(one)], one)

    def _leaving(self, sensor: Sensor, departures: Iterable[Departure], end_ns: int, now_ns: int) -> list[Departure]:
        """A sensor's records that leave before `end_ns`, in that order; the rest is held."""
        waiting = [*self._held.pop(sensor.id, ()), *departures]
        self._held[sensor.id] = [one for one in waiting if one.at_ns >= end_ns]
        leaving = sorted((one for one in waiting if one.at_ns < end_ns), key=attrgetter("at_ns"))
        self.faults.update(fault for one in leaving for fault in one.faults)
        for one in leaving:
            self._note(sensor, one, now_ns)
        return [one for one in leaving if one.reading is not None]

    def _note(self, sensor: Sensor, one: Departure, now_ns: int) -> None:
        verdict = None if one.reading is None else one.verdict(now_ns, timed=self._encoder.timed)
        if verdict is not None:
            self.verdicts[verdict] += 1
        if self._tell is not None:
            self._tell(sensor, one, verdict)

    def _said(self, reports: Sequence[Report], broken: Departure | None = None) -> Iterator[Message]:
        for said in self._encoder.messages(reports):
            if broken is not None and broken.broken == "truncated":
                yield self._message(said._replace(payload=self._encoder.torn(said.payload, broken.pick)))
            else:
                yield self._message(said)

    def _message(self, said: Said) -> Message:
        return Message(f"{self._prefix}/{said.topic}", said.payload, said.records)


def _report(one: Departure) -> Report:
    assert one.reading is not None
    return Report(one.sensor, one.written_ns, one.reading, one.unit)


def _packed(topic: str, records: Sequence[str]) -> Iterator[Message]:
    """`records`: as JSON."""
    for first in range(0, len(records), PACK):
        pack = records[first : first + PACK]
        body = pack[0] if len(pack) == 1 else f"[{','.join(pack)}]"
        yield Message(topic, body.encode(), len(pack))
