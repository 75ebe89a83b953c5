"""The file of `mitoyen gateway FILE`: which broker, which sources. Everything is checked before anything connects.

Paths are relative to the file's own folder.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from broker.errors import Malformed
from gateways.agent.link import Login

Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]
SCHEMES = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


class Broker(Strict):
    """Where the gateway connects, and as whom."""

    login: Path = Field(description="what `POST /api/v1/gateways` answered, mode 0600")
    url: str | None = Field(None, description="mqtts://HOST:PORT and the like, in place of what the login says")
    ca: Path | None = Field(
        None, description="whose certificates are believed; left out: those that the system believes"
    )
    certificate: Path | None = Field(None, description="the gateway's own, for a listener that asks for it")
    key: Path | None = Field(None, description="its key")

    _paths = field_validator("login", "ca", "certificate", "key")(_from_folder)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in SCHEMES or not urlsplit(value).hostname):
            raise ValueError(f"expected {', '.join(f'{scheme}://HOST:PORT' for scheme in SCHEMES)}")
        return value


class Outbox(Strict):
    """Where what was heard is kept until the broker has it."""

    path: Path = Field(Path("outbox.db"), validate_default=True)
    limit_mb: int = Field(512, ge=16, description="a sensor a second for a week is 60 MB")
    keep: Literal["newest", "oldest"] = Field("newest", description="what stays when it is full")

    _paths = field_validator("path")(_from_folder)


class SourceOf(Strict):
    """What all sources have."""

    name: Id
    datastream: Id = Field(description="where its records in Mitoyen's own JSON go")


class FileSource(SourceOf):
    """A file, one message a line."""

    kind: Literal["file"]
    path: Path
    follow: bool = True
    """Whether to wait for more at its end."""

    _paths = field_validator("path")(_from_folder)


class Configuration(Strict):
    broker: Broker
    outbox: Outbox
    sources: Annotated[tuple[Annotated[FileSource, Field(discriminator="kind")], ...], Field(min_length=1)]

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
        _tls(broker) if url.scheme in ("mqtts", "wss") else None,
        url.scheme in ("ws", "wss"),
    )


def _tls(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.key)
    except (OSError, ssl.SSLError) as error:
        raise Malformed(f"broker: ca, certificate or key can't be used: {error}") from error
    return context
