"""Where everything is kept: home, registry, stores, journal, and in how many partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from broker.settings.forms import Group, address, no_password


def _registry(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("expected postgresql://USER@HOST:PORT/DATABASE; left out, the registry is SQLite in the home")
    return no_password(value)


def _store(value: str) -> str:
    if value != "sqlite" and not value.startswith(("influx:http://", "influx:https://")):
        raise ValueError("expected sqlite, or influx:URL such as influx:http://127.0.0.1:8086")
    return no_password(value)


def _journal(value: str) -> str:
    hosts = urlsplit(value).netloc if value.startswith(("nats://", "tls://")) else ""
    if value == "sqlite":
        return value
    if "@" in hosts:
        raise ValueError("no password in a URL: give it in the environment, or in a file of the folder MITOYEN_SECRETS")
    try:
        [address(host) for host in hosts.split(",")]
    except ValueError as error:
        raise ValueError("expected sqlite, or nats://HOST:PORT, several servers with commas between them") from error
    return value


class KeepingSettings(Group):
    """Servers and files, with the names and passwords that they ask for."""

    home: Path
    """Everything that is kept lies here."""
    partitions: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Into how many partitions organisations are spread, each with a journal and a keeper of its own. Fixed at the first start: several where
    one core will not do, more of them than cores, since a partition can be given to another worker but not be divided."""
    workers: Annotated[int, Field(ge=1, le=1_024)] | None = None
    """Processes that serve them; left out: one a partition."""
    store: Annotated[str, AfterValidator(_store)] = "sqlite"
    registry: Annotated[str, AfterValidator(_registry)] | None = None
    """A PostgreSQL URL; SQLite in the home if it is left out."""
    registry_password: str | None = None
    """Like every password here in the environment, or in a file `mitoyen_registry_password` of the folder that `MITOYEN_SECRETS`
    names, as systemd's credentials and containers' secrets are given."""
    journal: Annotated[str, AfterValidator(_journal)] = "sqlite"
    """nats://HOST:PORT,HOST:PORT (or tls://) of NATS servers with JetStream; left out, the journal is a SQLite file in the home."""
    journal_stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")] | None = None
    """What its streams are named, with the partition's number behind it; left out: a name of this home's own."""
    journal_replicas: Annotated[int, Field(ge=1, le=5)] = 3
    """Servers that have each batch: of three, one may be lost. A batch is acknowledged when a majority has it."""
    journal_username: str | None = None
    """Where NATS asks for names; with"""
    journal_password: str | None = None
    """its password,"""
    journal_ca: Path | None = None
    """the authorities that signed the servers' certificates, in PEM (left out: those that the machine trusts),"""
    journal_certificate: Path | None = None
    """and the certificate that is shown to servers which ask for one,"""
    journal_key: Path | None = None
    """with its key."""
    influx_admin_username: str | None = None
    """Where InfluxDB asks for names: who may create databases and users. Left out, both must be there already."""
    influx_admin_password: str | None = None
    influx_username: str | None = None
    """Who writes both databases."""
    influx_password: str | None = None
    influx_reader_username: str | None = None
    """Who reads the released database alone: all that the HTTP side is given."""
    influx_reader_password: str | None = None
    influx_organisation: str | None = None
    """Where InfluxDB is a 2.x: the organisation there whose buckets they are. It asks for tokens in place of names:"""
    influx_admin_token: str | None = None
    """one that may create buckets; left out, both must be there already;"""
    influx_token: str | None = None
    """one that may read and write both;"""
    influx_reader_token: str | None = None
    """and one that may read the released bucket alone."""
    influx_database: str | None = None
    """Databases are this name with `_raw` and `_released`; a name of this home's own if it is left out."""
    wrapping_key: Path | None = None
    """The file with the key that seals pseudonyms' secrets: apart from the home's backups, or destroyed secrets live on in them. Left out:
    `run/wrapping.key` in the home, so leave `run` out of them."""

    @property
    def worker_count(self) -> int:
        return min(self.workers or self.partitions, self.partitions)
