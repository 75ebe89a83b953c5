"""GTFS-Realtime 2.0: how late buses are. Pure. https://gtfs.org/documentation/realtime/reference/"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.times import SECOND
from simulators.encoders.encoder import OneByOne, Report, noise
from simulators.encoders.protobuf import message, text, varint

if TYPE_CHECKING:
    from simulators.city import Sensor

_STOP = "next"


def _feed(sensor: Sensor, report: Report) -> bytes:
    """A trip's delay at its next stop, in seconds. The feed is a differential one: it says nothing of other trips."""
    seconds = report.time_ns // SECOND
    header = text(1, "2.0") + varint(2, 1) + varint(3, seconds)
    arrival = message(2, varint(1, round(float(report.value))))
    trip = message(1, text(1, sensor.id)) + message(2, arrival + text(4, _STOP)) + varint(4, seconds)
    return message(1, header) + message(2, text(1, sensor.id) + message(3, trip))


GTFS_RT = OneByOne(
    origin=lambda sensor: (sensor.id, f"arrival_delay.{_STOP}"),
    topic=lambda _: "trip_updates",
    payload=_feed,
    torn=noise,
)
