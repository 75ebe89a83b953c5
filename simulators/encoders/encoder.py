"""What every encoder has in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from broker.times import text as time_text
from simulators.faults import Break, cut

if TYPE_CHECKING:
    from simulators.city import Payload, Sensor

Value: TypeAlias = "bool | int | float | str"


class Report(NamedTuple):
    """What a sensor says once."""

    sensor: Sensor
    time_ns: int
    said: Payload
    """As Mitoyen's own JSON has it."""
    unit: str | None
    """UCUM: what the value is in."""

    @property
    def time(self) -> str:
        return time_text(self.time_ns)

    @property
    def value(self) -> Value:
        return self.said["value"]


class Said(NamedTuple):
    """A message."""

    topic: str
    """What follows the gateway's own."""
    payload: bytes
    records: int = 1


class Encoder(Protocol):
    """One gateway's devices speaking one format, in order: some formats count their messages."""

    @property
    def timed(self) -> bool:
        """Whether records carry their time; else their arrival counts, and one that comes twice is two."""

    @property
    def breaks(self) -> Sequence[Break]:
        """What can be broken so that it must be refused."""

    @property
    def commands(self) -> str | None:
        """The topic filter, below the gateway's own, of what its devices are told; each of these asks for a greeting."""

    def origin(self, sensor: Sensor) -> tuple[str, str] | None:
        """What the format calls the sensor: device and property; None: the topic names the datastream."""

    def greeting(self, sensors: Sequence[Sensor], at_ns: int) -> Iterable[Said]:
        """What comes before any report, whenever the gateway has started: births, lists of devices, units."""

    def messages(self, reports: Sequence[Report]) -> Iterable[Said]:
        """What sensors say, the reports of each in their order."""

    def torn(self, payload: bytes, pick: int) -> bytes:
        """What is left of a message that was cut off, so that nothing of it can be read."""


compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode
"""JSON without spaces. Raises ValueError for a number that is not finite."""
_TOLD_APART: tuple[Break, ...] = ("truncated", "unknown_datastream")


def noise(payload: bytes, pick: int) -> bytes:
    """Bytes that are neither UTF-8 nor protobuf: what is cut off from either may still be one."""
    del payload
    return b"\xff" * (11 + pick % 8)


def no_greeting(sensors: Sequence[Sensor], at_ns: int) -> Iterable[Said]:
    """That of devices that just begin to speak."""
    del sensors, at_ns
    return ()


def slug(sensor: Sensor) -> str:
    """An observed property as a name without spaces or dots."""
    return sensor.observed_property.lower().replace(" ", "_").replace(".", "_")


def array(payload: Callable[[Sensor, Report], bytes]) -> Callable[[Sequence[Report]], bytes]:
    """One report as it is, several in a JSON array."""

    def several(reports: Sequence[Report]) -> bytes:
        said = [payload(report.sensor, report) for report in reports]
        return said[0] if len(said) == 1 else b"[" + b",".join(said) + b"]"

    return several


@dataclass(frozen=True, slots=True)
class OneByOne:
    """A format without memory in which each report is a message."""

    origin: Callable[[Sensor], tuple[str, str] | None]
    topic: Callable[[Sensor], str]
    payload: Callable[[Sensor, Report], bytes]
    greeting: Callable[[Sequence[Sensor], int], Iterable[Said]] = no_greeting
    torn: Callable[[bytes, int], bytes] = cut
    timed: bool = True
    breaks: Sequence[Break] = _TOLD_APART
    commands: str | None = None

    def messages(self, reports: Sequence[Report]) -> Iterable[Said]:
        return [Said(self.topic(report.sensor), self.payload(report.sensor, report)) for report in reports]


@dataclass(frozen=True, slots=True)
class Packed:
    """A format without memory that takes several reports in one message, of whatever sensors have one topic."""

    origin: Callable[[Sensor], tuple[str, str] | None]
    topic: Callable[[Sensor], str]
    payload: Callable[[Sequence[Report]], bytes]
    most: int
    """Reports in one message: it then stays below 10 KiB."""
    once: bool = False
    """Whether a message is a picture of the moment, in which each sensor is once."""
    greeting: Callable[[Sequence[Sensor], int], Iterable[Said]] = no_greeting
    torn: Callable[[bytes, int], bytes] = cut
    timed: bool = True
    breaks: Sequence[Break] = _TOLD_APART
    commands: str | None = None

    def messages(self, reports: Sequence[Report]) -> Iterator[Said]:
        for (topic, _), together in self._together(reports).items():
            for first in range(0, len(together), self.most):
                pack = together[first : first + self.most]
                yield Said(topic, self.payload(pack), len(pack))

    def _together(self, reports: Sequence[Report]) -> dict[tuple[str, int], list[Report]]:
        """Those that may be in one message, by their topic, and by their turn where it has each sensor once."""
        found: dict[tuple[str, int], list[Report]] = {}
        turns: Counter[str] = Counter()
        for report in reports:
            turn = turns[report.sensor.id]
            turns[report.sensor.id] += self.once
            found.setdefault((self.topic(report.sensor), turn), []).append(report)
        return found
