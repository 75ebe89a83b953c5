"""How the values of settings are spelled. Each function returns what it was given, or raises ValueError with what was expected."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker import times
from broker.errors import Malformed


class Group(BaseSettings):
    """Settings of one subject."""

    model_config = SettingsConfigDict(env_prefix="MITOYEN_", frozen=True, extra="ignore")


def address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - TCP's
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:8080")
    return value


def _duration(value: str) -> str:
    try:
        times.parse_duration(value)
    except Malformed as error:
        raise ValueError(str(error)) from error
    return value


def no_password(value: str) -> str:
    if urlsplit(value.removeprefix("influx:")).password:
        raise ValueError("no password in a URL: give it in the environment, or in a file of the folder MITOYEN_SECRETS")
    return value


def web(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an address of the web, such as https://broker.example")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no name or password in an address, which is shown to others")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(address)]
Duration = Annotated[str, AfterValidator(_duration)]
Web = Annotated[str, AfterValidator(web)]


def split(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
