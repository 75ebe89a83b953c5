"""The file of `mitoyen simulate FILE`, as pydantic checks it: which city is played, through which gateways, and which recordings
with it.

Paths are relative to the file's own folder, so that a simulation can be moved with its recordings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from broker.errors import Malformed
from broker.times import SECOND
from simulators.encoders.make import FormatName
from simulators.recording import Record, records
from simulators.schema import Duration, Faults, Id, Moment, Rate, Span, Strict, Zone, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mqtt(Strict):
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


class Gateway(Strict):
    """One connection, with the rights of one registered gateway."""

    organisation: Id
    id: Id
    mqtt: Mqtt = Mqtt()
    format: FormatName = Field("json", description="what its devices speak; as it was registered")
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


class Recording(Strict):
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
            zone=zone_of(self.zone),
        )


class Camera(Strict):
    """A camera that sends pictures of a street, drawn, by way of a gateway."""

    organisation: Id
    gateway: Id
    datastream: Id
    every: Span = Field(10 * SECOND, description="of the city's time (ISO 8601)")


class Listener(Strict):
    """Where something of the city's own listens, for whoever asks."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(ge=1, le=65535)


class Reader(Listener):
    """An RFID reader that speaks LLRP, at one of the read points that the population walks past."""

    port: int = Field(5084, ge=1, le=65535)
    read_point: int = Field(0, ge=0, description="its number; 0 to 2 are the busiest, where most work")


class People(Strict):
    """Who walks through the city, past the readers."""

    residents: int = Field(5_000, ge=1, le=1_000_000)
    visitors: int = Field(250, ge=0, le=100_000, description="of a day")
    things: int = Field(300, ge=0, le=100_000, description="trees and street furniture with tags, which stand still")
    read_points: int = Field(120, ge=1, le=1_000)
    stolen: Rate = Field(0.0, description="share of the bicycles that somebody else rides off with, of four weeks")


class Broker(Strict):
    """Where organisations are registered that bring their hardware with them."""

    http: str = Field("http://127.0.0.1:8080", pattern=r"^https?://[^/]+$")
    operator_key_file: Path


class Simulation(Strict):
    """The whole file."""

    seed: int = 0
    sensors: int = Field(46, ge=0, le=100_000, description="of the city; 46 are of every theme")
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
    start: Moment | None = Field(
        None, description="the city's time at the start, in place of start_ago (RFC 3339); it may not lie ahead"
    )
    gateways: tuple[Gateway, ...] = ()
    owners: int = Field(
        0, ge=0, le=200, description="deal the city's own gateways, in formats of their own, to so many organisations"
    )
    broker: Broker | None = Field(None, description="where the dealt ones are registered, with all that they have")
    recordings: tuple[Recording, ...] = ()
    cameras: tuple[Camera, ...] = ()
    people: People = People()
    readers: tuple[Reader, ...] = ()
    bikes: Listener | None = Field(
        None, description="a server of the city's bicycle stations, in GBFS: /2.3/gbfs.json and /3.0/gbfs.json"
    )
    faults: Faults | None = Field(None, description="of all gateways that have none of their own")

    @field_validator("gateways")
    @classmethod
    def _each_once(cls, gateways: tuple[Gateway, ...]) -> tuple[Gateway, ...]:
        prefixes = [gateway.prefix for gateway in gateways]
        for prefix in prefixes:
            if prefixes.count(prefix) > 1:
                raise ValueError(f"gateway {prefix.removeprefix('in/')} is there twice")
        return gateways

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not (self.gateways or self.owners or self.readers or self.bikes):
            raise ValueError("expected gateways, or owners whom the city's are dealt to, or readers, or bikes")
        if self.start is not None and self.start_ago:
            raise ValueError("give start or start_ago, not both")
        if self.owners and self.gateways:
            raise ValueError("give gateways, or owners whom the city's own are dealt to, not both")
        if self.speed > 1 and not self.start_ago and self.start is None:
            raise ValueError(
                f"speed {self.speed:g} would run ahead of the present, which the broker refuses: let"
                " start_ago say how far in the past to start, such as P1D"
            )
        for reader in self.readers:
            if reader.read_point >= self.people.read_points:
                raise ValueError(f"read point {reader.read_point}: expected 0 to {self.people.read_points - 1}")
        return self

    @model_validator(mode="after")
    def _connected(self) -> Self:
        known = {gateway.prefix for gateway in self.gateways}
        for what, all_of in (("camera", self.cameras), ("recording", self.recordings)):
            for one in all_of:
                if f"in/{one.organisation}/{one.gateway}" not in known:
                    raise ValueError(f"{what} {one.datastream}: no gateway {one.organisation}/{one.gateway}")
        return self
