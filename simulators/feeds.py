"""The feeds of a simulation, one a gateway. Pure but for the recordings, which are read as they are played."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from simulators import truth
from simulators.camera import Camera, Film
from simulators.city import City
from simulators.encoders.make import make
from simulators.faults import Faulty
from simulators.feed import Clock, Feed, Tape
from simulators.loading import carry
from simulators.schema import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.city import Sensor
    from simulators.faults import Departure, Verdict
    from simulators.simulation import Gateway, Simulation

Tell: TypeAlias = "Callable[[dict[str, Any]], None]"
"""Hears each row of what was really the case."""


def feeds(simulation: Simulation, clock: Clock, tell: Tell | None = None) -> dict[str, tuple[Gateway, Feed]]:
    """By `organisation/gateway`. Raises Malformed if a recording or the choice of sensors is."""
    city = City(simulation.seed, simulation.sensors)
    carried = carry(simulation, city)
    begin_ns = clock.origin_ns - simulation.backfill
    found: dict[str, tuple[Gateway, Feed]] = {}
    for gateway in simulation.gateways:
        name = f"{gateway.organisation}/{gateway.id}"
        encoder = make(gateway.format)
        faults = gateway.faults or simulation.faults or (Faults() if tell else None)
        faulty = Faulty(city, faults, gateway.prefix, encoder.breaks) if faults else None
        found[name] = (
            gateway,
            Feed(
                gateway.prefix,
                city,
                carried[gateway.prefix],
                _tapes(simulation, gateway, clock.started_ns),
                films=[
                    Film(
                        Camera(simulation.seed, camera.datastream),
                        f"frame/{name}/{camera.datastream}",
                        camera.every,
                        tell,
                    )
                    for camera in simulation.cameras
                    if (camera.organisation, camera.gateway) == (gateway.organisation, gateway.id)
                ],
                position_ns=begin_ns,
                encoder=encoder,
                faulty=faulty,
                tell=partial(_told, tell, city, name) if tell else None,
            ),
        )
    return found


def _told(tell: Tell, city: City, gateway: str, sensor: Sensor, one: Departure, verdict: Verdict | None) -> None:
    tell(truth.row(city, gateway, sensor, one, verdict))


def _tapes(simulation: Simulation, gateway: Gateway, started_ns: int) -> list[Tape]:
    return [
        Tape(
            recording.datastream,
            recording.play,
            started_ns=started_ns,
            speed=recording.speed,
            keep_times=recording.keep_times,
            loop=recording.loops,
        )
        for recording in simulation.recordings
        if (recording.organisation, recording.gateway) == (gateway.organisation, gateway.id)
    ]
