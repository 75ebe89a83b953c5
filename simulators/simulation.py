"""The file of `mitoyen simulate FILE`: which city is played, through which gateways, and which recordings
with it.

Everything is checked before anything connects: a simulation that stops after an hour because of a misspelt
sensor helps nobody. Paths are relative to the file's own folder, so that a simulation can be moved with its
recordings.
"""

from __future__ import annotations

import datetime as dt
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from broker.errors import Malformed
from broker.times import MINUTE, parse_duration
from simulators.city import City, Sensor
from simulators.faults import BREAKS, Break
from simulators.recording import Record, records

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = """\
seed: 7              # the same seed is the same city, to the last digit
sensors: 40          # a larger city contains the smaller one
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
# faults:              # what goes wrong; a gateway may have `faults` of its own instead
#   dropout: {rate: 0.01, lasting: PT10M}       # a sensor is silent, for this share of the time
#   stuck: {rate: 0.01, lasting: PT30M}         # a value repeats
#   clock_skew: {rate: 0.02, lasting: PT1H, by: [PT2M, PT10M]}  # a gateway's clock, ahead or behind by one of these
#   duplicate: {rate: 0.02, up_to: PT5M}        # a record is sent once more
#   out_of_order: {rate: 0.05, up_to: PT2M}     # a record is kept back
#   malformed: {rate: 0.001}                    # a record that must be refused
"""


def _duration(value: object) -> int:
    if value in ("PT0S", 0):
        return 0
    if not isinstance(value, str):
        raise ValueError("expected an ISO 8601 duration, such as PT30M")  # noqa: TRY004 - for pydantic
    try:
        return parse_duration(value)
    except Malformed as error:
        raise ValueError(str(error)) from error


def _zone(value: str) -> str:
    try:
        _zone_of(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {value!r} is known here; expected one such as Europe/Paris") from error
    return value


def _zone_of(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else ZoneInfo(name)  # a machine may have no table of zones


Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]
Duration = Annotated[int, BeforeValidator(_duration)]
"""Written as ISO 8601, held in nanoseconds."""
Span = Annotated[Duration, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mqtt(_Strict):
    """Where a gateway connects, and as whom: what registering it answered."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(
        None, description="holds the password and nothing else, so that this file can be shown to others"
    )
    client_id_prefix: str = Field(
        "simulator",
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="client ids are PREFIX-ORGANISATION-GATEWAY; connections of one id throw each other out",
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self

    def secret(self) -> str | None:
        """The password. Raises Malformed if its file cannot be read."""
        if self.password_file is None:
            return self.password.get_secret_value() if self.password else None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Malformed(f"password_file {self.password_file}: {error}") from error


class Spells(_Strict):
    """A fault that lasts."""

    rate: Rate = Field(description="share of the time")
    lasting: Span = Field(10 * MINUTE, description="length of a spell (ISO 8601); two may follow one another")


class Skew(Spells):
    """A gateway's clock that is wrong; all its records then carry its time."""

    by: tuple[Span, ...] = Field(
        (2 * MINUTE,),
        min_length=1,
        description="by how much, ahead or behind, for each spell one of these; the broker refuses what is"
        " more than five minutes ahead of it",
    )


class Later(_Strict):
    """A fault of single records, which leave (once more) later."""

    rate: Rate = Field(description="share of the records")
    up_to: Span = Field(5 * MINUTE, description="how much later at most (ISO 8601)")


class Broken(_Strict):
    """Records that the broker must refuse."""

    rate: Rate = Field(description="share of the records")
    kinds: tuple[Break, ...] = Field(BREAKS, min_length=1, description="each as likely as the others")


class Faults(_Strict):
    """What goes wrong with the city's sensors; recordings are played as they are."""

    dropout: Spells | None = Field(None, description="a sensor is silent: its readings are lost")
    stuck: Spells | None = Field(None, description="a measuring sensor repeats the first value of the spell")
    clock_skew: Skew | None = None
    duplicate: Later | None = Field(None, description="a record is sent a second time")
    out_of_order: Later | None = Field(None, description="a record leaves later than those after it")
    malformed: Broken | None = None


class Gateway(_Strict):
    """One connection, with the rights of one registered gateway."""

    organisation: Id
    id: Id
    mqtt: Mqtt
    sensors: tuple[str, ...] | None = Field(
        None,
        description="ids of the city's sensors that it carries, `*` for any characters; left out: the"
        " sensors of the city's own gateway of this id; an empty list: none, recordings only",
    )
    faults: Faults | None = Field(None, description="in place of the whole file's")

    @property
    def prefix(self) -> str:
        """Its topic, without the datastream."""
        return f"in/{self.organisation}/{self.id}"


class Recording(_Strict):
    """A recorded file, played as one datastream."""

    organisation: Id
    gateway: Id
    datastream: Id
    file: Path
    time_column: str | None = Field(None, description="left out: `timestamp` in CSV, `time` in NDJSON")
    value_column: str = "value"
    zone: Zone = Field("UTC", description="of recorded times without a zone; an IANA name")
    speed: float = Field(
        1.0, gt=0, le=1e6, allow_inf_nan=False, description="recorded seconds played in one real second"
    )
    keep_times: bool = Field(
        default=False,
        description="false: each record is stamped with the moment at which it is due, so that it is now;"
        " true: with its recorded time",
    )
    loop: bool | None = Field(
        None,
        description="begin again at the end; left out: unless keep_times, as the same times again are the same records",
    )

    @model_validator(mode="after")
    def _no_second_pass(self) -> Self:
        if self.keep_times and self.loop:
            raise ValueError("loop with keep_times would send the same records again and change nothing")
        return self

    @property
    def loops(self) -> bool:
        return not self.keep_times if self.loop is None else self.loop

    def play(self) -> Iterator[Record]:
        """Its records from the beginning. Raises Malformed as they are read."""
        return records(
            self.file,
            time_column=self.time_column,
            value_column=self.value_column,
            zone=_zone_of(self.zone),
        )


class Simulation(_Strict):
    """The whole file."""

    seed: int = 0
    sensors: int = Field(40, ge=0, le=100_000, description="of the city; 40 are of every theme")
    speed: float = Field(
        1.0,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="the city's seconds in one real second, until it has caught up with now",
    )
    start_ago: Duration = Field(
        0,
        description="how long ago the city's clock starts (ISO 8601, as P1D); needed for a speed above 1",
    )
    backfill: Duration = Field(
        0, description="the span before the clock's start whose readings are sent at once (ISO 8601)"
    )
    gateways: tuple[Gateway, ...]
    recordings: tuple[Recording, ...] = ()
    faults: Faults | None = Field(None, description="of all gateways that have none of their own")

    @field_validator("gateways")
    @classmethod
    def _each_once(cls, gateways: tuple[Gateway, ...]) -> tuple[Gateway, ...]:
        if not gateways:
            raise ValueError("expected at least one gateway")
        prefixes = [gateway.prefix for gateway in gateways]
        for prefix in prefixes:
            if prefixes.count(prefix) > 1:
                raise ValueError(f"gateway {prefix.removeprefix('in/')} is there twice")
        return gateways

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.speed > 1 and not self.start_ago:
            raise ValueError(
                f"speed {self.speed:g} would run ahead of the present, which the broker refuses: let"
                " start_ago say how far in the past to start, such as P1D"
            )
        known = {gateway.prefix for gateway in self.gateways}
        for recording in self.recordings:
            if f"in/{recording.organisation}/{recording.gateway}" not in known:
                missing = f"{recording.organisation}/{recording.gateway}"
                raise ValueError(f"recording {recording.datastream}: no gateway {missing}")
        return self


def load(file: Path) -> Simulation:
    """The simulation of a file, checked as far as it can be without connecting. Raises Malformed."""
    try:
        found: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(f"{file}: {error}") from error
    except yaml.YAMLError as error:
        raise Malformed(f"{file}: is not YAML: {error}") from error
    try:
        simulation = _placed(Simulation.model_validate(found), file.parent)
    except ValidationError as error:
        raise Malformed(f"{file}:\n{_explained(error)}") from error
    try:
        check(simulation)
    except Malformed as error:
        raise Malformed(f"{file}: {error}") from error
    return simulation


def check(simulation: Simulation) -> None:
    """What a schema cannot say.

    Raises Malformed if a password cannot be read, a recording does not begin well, a sensor does not exist,
    or two sources share a datastream.
    """
    carried = carry(simulation, City(simulation.seed, simulation.sensors))
    taken = {f"{prefix}/{sensor.id}" for prefix, sensors in carried.items() for sensor in sensors}
    for gateway in simulation.gateways:
        gateway.mqtt.secret()
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
    return carried


def _belongs(gateway: Gateway, sensor: Sensor) -> bool:
    if gateway.sensors is None:
        return sensor.gateway == gateway.id
    return any(fnmatchcase(sensor.id, pattern) for pattern in gateway.sensors)


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
    return simulation.model_copy(update={"gateways": gateways, "recordings": recordings})


def _explained(error: ValidationError) -> str:
    """One line a mistake: where, and what was expected; never the input, which may hold a password."""
    return "\n".join(
        f"  {'.'.join(map(str, mistake['loc'])) or 'the file'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_input=False)
    )
