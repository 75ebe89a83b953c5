"""The file of `mitoyen gateway FILE`: which broker, which sources. Everything is checked before anything connects.

Paths are relative to the file's own folder.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from broker import times
from broker.errors import Malformed
from broker.model import FormatName
from broker.privacy.profile import Aggregate, Blur, Pseudonymise
from broker.reading import Custom, Format
from broker.settings.forms import Address, Duration
from broker.settings.pictures import PictureSettings
from broker.vision.wire import Setup
from gateways import formats
from gateways.agent.link import Login

SCHEMES = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def _without_password(value: str) -> str:
    parts = urlsplit(value)
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no name or password in an address, which is told in logs: files are for them")
    return value


def _mqtt_url(value: str) -> str:
    if urlsplit(value).scheme not in SCHEMES or not urlsplit(value).hostname:
        raise ValueError(f"expected {', '.join(f'{scheme}://HOST:PORT' for scheme in SCHEMES)}")
    return _without_password(value)


def _web_url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError("expected http://… or https://…")
    return _without_password(value)


def _camera_url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https", "rtsp", "rtsps") or not urlsplit(value).hostname:
        raise ValueError("expected http://…, https://…, rtsp://… or rtsps://…")
    return _without_password(value)


Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]
Url = Annotated[str, AfterValidator(_mqtt_url)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
CameraUrl = Annotated[str, AfterValidator(_camera_url)]
Port = Annotated[int, Field(ge=0, lt=65_536)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


class Broker(Strict):
    """Where the gateway connects, and as whom."""

    login: Path = Field(description="what `POST /api/v1/gateways` answered, mode 0600")
    url: Url | None = Field(None, description="mqtts://HOST:PORT and the like, in place of what the login says")
    ca: Path | None = Field(
        None, description="whose certificates are believed; left out: those that the system believes"
    )
    certificate: Path | None = Field(None, description="the gateway's own, for a listener that asks for it")
    key: Path | None = Field(None, description="its key")

    _paths = field_validator("login", "ca", "certificate", "key")(_from_folder)


class Outbox(Strict):
    """Where what was heard is kept until the broker has it."""

    path: Path = Field(Path("outbox.db"), validate_default=True)
    limit_mb: int = Field(512, ge=16, description="a sensor a second for a week is 60 MB")
    keep: Literal["newest", "oldest"] = Field("newest", description="what stays when it is full")

    _paths = field_validator("path")(_from_folder)


class SourceOf(Strict):
    """What all sources have."""

    name: Id
    edge: Annotated[Pseudonymise | Aggregate, Field(discriminator="op")] | None = Field(
        None,
        description="what is done before anything leaves: {op: pseudonymise, rotate: P1D} or {op: aggregate, window: PT15M, statistics: [mean]}",
    )
    smooth: Duration | None = Field(
        None,
        description="of tags: in place of reads arrival, still there and departure, with this window, such as PT10S",
    )

    @field_validator("edge")
    @classmethod
    def _edge(cls, value: Pseudonymise | Aggregate | None) -> Pseudonymise | Aggregate | None:
        if value is not None:
            try:
                times.parse_duration(value.rotate if isinstance(value, Pseudonymise) else value.window)
            except Malformed as error:
                raise ValueError(str(error)) from error
        if isinstance(value, Pseudonymise) and value.by_trip:
            raise ValueError("pseudonymise: gap and cut_m are for offers; here names change with rotate alone")
        if isinstance(value, Aggregate) and (value.by not in ("datastream", "read_point") or not value.statistics):
            raise ValueError("aggregate: expected statistics, by datastream or read_point")
        return value

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        edge = self.edge
        named = getattr(self, "datastream", None)
        if isinstance(edge, Aggregate) and named and (len(edge.statistics) > 1 or edge.by != "datastream"):
            raise ValueError("a datastream takes one statistic, by datastream: leave it out for several")
        return self


class InFormat(SourceOf):
    """A source of messages in a format."""

    format: FormatName = "json"
    zone: str = Field("UTC", description="what a time without zone means, such as Europe/Paris")
    datastream: Id | None = Field(
        None,
        description="the one that all of it is of; left out: the broker knows by device and property, once adopted",
    )

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("expected a name of the time zone database, such as Europe/Paris") from error
        return value

    @model_validator(mode="after")
    def _own(self) -> Self:
        if self.format == "json" and self.datastream is None:
            raise ValueError("Mitoyen's own JSON names no device: say of which datastream it is")
        return self

    def reader(self) -> Format:
        """What reads its messages."""
        return formats.make(self.format, Custom(ZoneInfo(self.zone)))


class FileSource(InFormat):
    """A file, one message a line."""

    kind: Literal["file"]
    path: Path
    follow: bool = True
    """Whether to wait for more at its end."""

    _paths = field_validator("path")(_from_folder)


class MqttSource(InFormat):
    """Another MQTT broker."""

    kind: Literal["mqtt"]
    url: Url
    topics: Annotated[tuple[str, ...], Field(min_length=1)]
    version: Literal["3.1.1", "5"] = "3.1.1"
    username: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    client_id: str | None = Field(None, description="left out: one of this gateway's own")

    _paths = field_validator("password_file", "ca")(_from_folder)


class PollSource(InFormat):
    """Pages that are asked for again and again."""

    kind: Literal["poll"]
    urls: Annotated[tuple[WebUrl, ...], Field(min_length=1)]
    every: Duration = "PT1M"
    headers: dict[str, str] = {}
    secret_header: str | None = Field(
        None, description="the header that carries what `secret_file` holds, such as Authorization"
    )
    secret_file: Path | None = None

    _paths = field_validator("secret_file")(_from_folder)


class PushSource(InFormat):
    """A listener for what pushes over HTTP."""

    kind: Literal["push"]
    listen: Address
    path: str = Field("/", pattern=r"^/[\w./-]*$")
    token_file: Path = Field(description="what who pushes must show, mode 0600")
    headers: tuple[str, ...] = Field((), description="whose values name the device, such as X-Sensor, X-Pin")
    limit_kb: int = Field(
        1_024, ge=1, description="the largest body: a station sends 1 KB, a webhook's batch some more"
    )
    connections: int = Field(50, ge=1, description="at once; more are answered 503, and come again")
    per_second: float = Field(
        100, gt=0, description="requests of all who push, ten times as many at once; more are answered 429"
    )

    _paths = field_validator("token_file")(_from_folder)


class LlrpSource(SourceOf):
    """An RFID reader that is told to read."""

    kind: Literal["llrp"]
    host: str
    port: Port = 5084
    antennas: tuple[Port, ...] = ()
    power_dbm: float | None = None
    every: Duration | None = Field("PT1S", description="of a tag that stays, one read in this time; null: all")
    datastream: Id | None = None

    @model_validator(mode="after")
    def _smooth(self) -> Self:
        if self.smooth and self.every and times.parse_duration(self.smooth) < 2 * times.parse_duration(self.every):
            raise ValueError("smooth: expected twice `every` at least, else who stays is told gone")
        if isinstance(self.edge, Aggregate) and self.edge.statistics != ("count",):
            raise ValueError("tags are counted: expected statistics: [count]")
        return self


class CameraSource(Strict):
    """A camera that shows its picture over HTTP, one JPEG or MJPEG without end, or over RTSP."""

    name: Id
    kind: Literal["camera"]
    url: CameraUrl
    edge: Blur | None = Field(None, description="covers pictures before they leave: {op: blur}, as an offer's profile")
    smooth: None = None
    every: Duration = "PT1S"
    datastream: Id
    username: str | None = None
    password_file: Path | None = None

    _paths = field_validator("password_file")(_from_folder)


AnySource: TypeAlias = FileSource | MqttSource | PollSource | PushSource | LlrpSource | CameraSource


class Configuration(Strict):
    broker: Broker
    outbox: Outbox
    sources: Annotated[tuple[Annotated[AnySource, Field(discriminator="kind")], ...], Field(min_length=1)]
    models: Path | None = Field(
        None, description="the folder of the networks that find faces and plates; left out: the broker's own"
    )

    _paths = field_validator("models")(_from_folder)

    def vision(self) -> Setup:
        """What a worker begins with that covers pictures here."""
        settings = PictureSettings()
        bounds = settings.picture_limits
        return Setup(str(self.models or settings.models_folder), settings.all_levels, bounds.bytes, bounds.pixels)

    @model_validator(mode="before")
    @classmethod
    def _outbox(cls, read: object) -> object:
        return {"outbox": {}, **read} if isinstance(read, dict) else read  # so that its path lies in the file's folder

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [source.name for source in self.sources]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two sources are called {', '.join(sorted(twice))}")
        return self


def load(path: Path) -> Configuration:
    """Raises Malformed, with what was expected and where."""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Malformed(f"{path}: {error}") from error
    try:
        return Configuration.model_validate(read, context={"folder": path.parent})
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors()]
        raise Malformed("\n".join([f"{path}:", *wrong])) from error


class _Mqtt(BaseModel):
    host: str
    port: int
    username: str
    password: str
    client_id_prefix: str
    topic: str


def login(broker: Broker) -> Login:
    """How to log in, as the broker said when the gateway was registered. Raises Malformed."""
    try:
        if broker.login.stat().st_mode & 0o077:
            raise Malformed(f"{broker.login}: readable by others, expected mode 0600")
        said: Any = json.loads(broker.login.read_text(encoding="utf-8"))
        mqtt = _Mqtt.model_validate(said["mqtt"])
        _, organisation, gateway, _ = mqtt.topic.split("/")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Malformed(f"{broker.login}: expected what POST /api/v1/gateways answered: {error}") from error
    url = urlsplit(broker.url or f"mqtt://{mqtt.host}:{mqtt.port}")
    return Login(
        url.hostname or mqtt.host,
        url.port or SCHEMES[url.scheme],
        mqtt.username,
        mqtt.password,
        mqtt.client_id_prefix,
        organisation,
        gateway,
        tls(broker.ca, broker.certificate, broker.key) if url.scheme in ("mqtts", "wss") else None,
        url.scheme in ("ws", "wss"),
    )


def tls(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Whom to believe, and what to show. Raises Malformed."""
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Malformed(f"{ca}, {certificate}, {key}: no certificates and key in PEM: {error}") from error
    return context
