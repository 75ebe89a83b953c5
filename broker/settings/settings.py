"""All settings of a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import model_validator

from broker.errors import Malformed
from broker.settings.keeping import KeepingSettings
from broker.settings.limits import LimitSettings
from broker.settings.listeners import ListenerSettings
from broker.settings.pictures import PictureSettings
from broker.settings.portal import PortalSettings
from broker.settings.rules import RuleSettings


class Settings(KeepingSettings, ListenerSettings, LimitSettings, RuleSettings, PortalSettings, PictureSettings):
    """One per process, passed down as plain values."""

    sensorthings_write: bool = False
    """For conformance suites alone, on loopback: `/v1.1` is a throw-away graph that anyone may write to, in place of what was released."""
    mosquitto: str = "mosquitto"
    """The program."""

    @model_validator(mode="after")
    def _written_on_loopback(self) -> Self:
        host, _ = self.http_address
        if self.sensorthings_write and host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("sensorthings_write: only where HTTP is served on loopback, for anyone may write then")
        return self

    @property
    def elsewhere(self) -> bool:
        """Whether what a partition remembers lies in the registry's PostgreSQL, where another machine finds it: that needs edges, so
        that whoever serves a partition takes nothing in by itself.
        """
        return self.registry is not None and bool(self.edges)

    @model_validator(mode="after")
    def _edges_need_nats(self) -> Self:
        if self.edges and self.journal == "sqlite":
            raise ValueError("edges: they need a journal that several processes write, --journal nats://…")
        if self.edges and self.partitions == 1:
            raise ValueError("edges: they need several partitions")
        return self

    @classmethod
    def read(cls, **given: object) -> Settings:
        """What was given on the command line, else the environment, else the secrets' folder. Raises Malformed, ValidationError."""
        folder = os.environ.get("MITOYEN_SECRETS")
        if folder is not None:
            _check_private(Path(folder))
        known = {name: value for name, value in given.items() if value is not None}
        return cls(_secrets_dir=folder, **known)  # type: ignore[arg-type]  # pydantic checks them


def _check_private(folder: Path) -> None:
    try:
        shared = [file.name for file in folder.iterdir() if file.is_file() and file.stat().st_mode & 0o077]
    except OSError as error:
        raise Malformed(f"MITOYEN_SECRETS: expected a folder of files: {error}") from error
    if shared:
        raise Malformed(f"MITOYEN_SECRETS: {', '.join(shared)}: readable by others, expected mode 0600")
