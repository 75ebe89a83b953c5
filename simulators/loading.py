"""From the file of `mitoyen simulate FILE` to a simulation that can be played.

Everything is checked before anything connects: a simulation that stops after an hour because of a misspelt
sensor helps nobody.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import yaml
from pydantic import ValidationError

from broker.errors import Malformed
from simulators.city import City, Sensor
from simulators.dealing import deal
from simulators.encoders.make import can_say
from simulators.simulation import Gateway, Simulation

EXAMPLE = """\
seed: 7              # the same seed is the same city, to the last digit
sensors: 46          # a larger city contains the smaller one
speed: 1             # of the city's clock; above 1 it must start in the past: start_ago: P1D
backfill: PT30M      # readings of the last half hour are sent at once, then it goes on live
gateways:
  - organisation: air-agency
    id: air-1        # carries the city's sensors of this gateway; `sensors` chooses others
    mqtt: {host: 127.0.0.1, port: 1883, username: air-1, password_file: air-1.password}
  - organisation: roads
    id: roads-1
    mqtt: {host: 127.0.0.1, port: 1883, username: roads-1, password_file: roads-1.password}
    sensors: ["flow-*", "speed-1", "laeq-*"]
recordings:
  - organisation: roads
    gateway: roads-1
    datastream: recorded-speed
    file: recordings/speed_6005.csv
    time_column: timestamp
    value_column: value
    zone: America/Chicago  # what the recorded times without a zone mean
    speed: 60              # five minutes between records become five seconds
# cameras:             # a drawn street; its datastream is of the kind camera
#   - {organisation: roads, gateway: roads-1, datastream: square, every: PT10S}
# people: {residents: 5000, visitors: 250, things: 300, stolen: 0.02}  # who walks past the readers; things stand still
# readers:             # RFID readers that speak LLRP, for whoever drives them
#   - {port: 5084, read_point: 0}
# bikes: {port: 8091}  # the city's bicycle stations in GBFS: /2.3/gbfs.json, /3.0/gbfs.json
# faults:              # what goes wrong; a gateway may have `faults` of its own instead
#   dropout: {rate: 0.01, lasting: PT10M}       # a sensor is silent, for this share of the time
#   radio: {rate: 0.02}                         # a record is not heard
#   reboot: {rate: 0.01, lasting: PT2M}         # a gateway is off, and greets anew
#   units: {rate: 0.01}                         # a night's firmware makes a sensor speak in another unit for a day
#   stuck: {rate: 0.01, lasting: PT30M}         # a value repeats
#   clock_skew: {rate: 0.02, lasting: PT1H, by: [PT2M, PT10M]}  # a gateway's clock, ahead or behind by one of these
#   duplicate: {rate: 0.02, up_to: PT5M}        # a record is sent once more
#   out_of_order: {rate: 0.05, up_to: PT2M}     # a record is kept back
#   malformed: {rate: 0.001}                    # a record that must be refused
"""


def load(file: Path, *, connects: bool = True, **instead: object) -> Simulation:
    """The simulation of a file, checked as far as it can be without connecting; `instead`: members in place of the file's.

    Unless it `connects`, no password is needed. Raises Malformed.
    """
    try:
        found: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(f"{file}: {error}") from error
    except yaml.YAMLError as error:
        raise Malformed(f"{file}: is not YAML: {error}") from error
    try:
        if isinstance(found, dict):
            asked = {name: value for name, value in instead.items() if value is not None}
            if "speed" in asked and not {"start", "start_ago"} & found.keys():
                asked["start_ago"] = "P1D"  # else it would run ahead of the present
            found = found | asked
        simulation = _placed(_dealt(Simulation.model_validate(found)), file.parent)
    except ValidationError as error:
        raise Malformed(f"{file}:\n{_explained(error)}") from error
    try:
        for gateway in simulation.gateways if connects else ():
            gateway.mqtt.secret()
        check(simulation)
    except Malformed as error:
        raise Malformed(f"{file}: {error}") from error
    return simulation


def check(simulation: Simulation) -> None:
    """What a schema cannot say.

    Raises Malformed if a recording does not begin well, a sensor does not exist or has no words in its gateway's format, or two
    sources share a datastream.
    """
    carried = carry(simulation, City(simulation.seed, simulation.sensors))
    taken = {f"{prefix}/{sensor.id}" for prefix, sensors in carried.items() for sensor in sensors}
    for recording in simulation.recordings:
        next(recording.play())
        topic = f"in/{recording.organisation}/{recording.gateway}/{recording.datastream}"
        if topic in taken:
            raise Malformed(f"recording {recording.datastream}: something else is sent to {topic} already")
        taken.add(topic)


def carry(simulation: Simulation, city: City) -> dict[str, tuple[Sensor, ...]]:
    """Which of the city's sensors each gateway carries, by `Gateway.prefix`. Raises Malformed if none."""
    carried: dict[str, tuple[Sensor, ...]] = {}
    for gateway in simulation.gateways:
        matches = partial(_belongs, gateway)
        carried[gateway.prefix] = tuple(filter(matches, city.sensors))
        for pattern in gateway.sensors or ():
            if not any(fnmatchcase(sensor.id, pattern) for sensor in city.sensors):
                raise Malformed(f"gateway {gateway.id}: no sensor of the city is called {pattern!r}")
        if gateway.sensors is None and not carried[gateway.prefix]:
            known = ", ".join(sorted({sensor.gateway for sensor in city.sensors}))
            raise Malformed(f"gateway {gateway.id}: give its sensors; only {known} have sensors of their own")
        for sensor in carried[gateway.prefix]:
            if not can_say(gateway.format, sensor):
                raise Malformed(f"gateway {gateway.id}: {gateway.format} has no words for the sensor {sensor.id}")
    return carried


def _belongs(gateway: Gateway, sensor: Sensor) -> bool:
    if gateway.sensors is None:
        return sensor.gateway == gateway.id
    return any(fnmatchcase(sensor.id, pattern) for pattern in gateway.sensors)


def _dealt(simulation: Simulation) -> Simulation:
    """With the gateways that are dealt to owners."""
    if not simulation.owners:
        return simulation
    dealt = deal(City(simulation.seed, simulation.sensors), simulation.owners)
    gateways = tuple(Gateway(organisation=one.organisation, id=one.gateway, format=one.format) for one in dealt)
    return simulation.model_copy(update={"gateways": gateways})


def _placed(simulation: Simulation, folder: Path) -> Simulation:
    """With paths relative to the folder."""
    gateways = tuple(
        gateway.model_copy(update={"mqtt": gateway.mqtt.model_copy(update={"password_file": folder / path})})
        if (path := gateway.mqtt.password_file) is not None
        else gateway
        for gateway in simulation.gateways
    )
    recordings = tuple(
        recording.model_copy(update={"file": folder / recording.file}) for recording in simulation.recordings
    )
    broker = simulation.broker and simulation.broker.model_copy(
        update={"operator_key_file": folder / simulation.broker.operator_key_file}
    )
    return simulation.model_copy(update={"gateways": gateways, "recordings": recordings, "broker": broker})


def _explained(error: ValidationError) -> str:
    """One line a mistake: where, and what was expected; never the input, which may hold a password."""
    return "\n".join(
        f"  {'.'.join(map(str, mistake['loc'])) or 'the file'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_input=False)
    )
