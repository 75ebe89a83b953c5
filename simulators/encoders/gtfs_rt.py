"""GTFS-Realtime 2.0: how late buses are. Pure. https://gtfs.org/documentation/realtime/reference/"""

from __future__ import annotations

from collections.abc import Sequence

from broker.times import SECOND
from simulators.encoders.encoder import Packed, Report, noise
from simulators.encoders.protobuf import message, text, varint

_STOP = "next"
_MOST = 100
"""Trips in one message: it then stays below 10 KiB."""


def _feed(reports: Sequence[Report]) -> bytes:
    """Trips' delays at their next stops. The feed is a differential one: it says nothing of other trips."""
    newest_s = max(report.time_ns for report in reports) // SECOND
    header = text(1, "2.0") + varint(2, 1) + varint(3, newest_s)
    return message(1, header) + b"".join(map(_entity, reports))


def _entity(report: Report) -> bytes:
    """A trip's delay, in seconds."""
    name = text(1, report.sensor.id)
    arrival = message(2, varint(1, round(float(report.value))))
    trip = message(1, name) + message(2, arrival + text(4, _STOP)) + varint(4, report.time_ns // SECOND)
    return message(2, name + message(3, trip))


GTFS_RT = Packed(
    origin=lambda sensor: (sensor.id, f"arrival_delay.{_STOP}"),
    topic=lambda _: "trip_updates",
    payload=_feed,
    most=_MOST,
    once=True,
    torn=noise,
)
