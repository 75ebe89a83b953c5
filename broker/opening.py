"""Opening what the settings name: the registry, and what was released. Raw data is opened by `parts/` alone."""

from __future__ import annotations

from broker import secrets
from broker.home import Home
from broker.registry.registry import Registry
from broker.settings.settings import Settings
from broker.store import influx
from broker.store import open as store
from broker.store.influxserver import Account, Token
from broker.store.protocol import Store


def registry(settings: Settings, home: Home) -> Registry:
    """The registry that the settings name."""
    return Registry.in_home(home.root, settings.registry, settings.registry_password)


def prefix(settings: Settings, home: Home) -> str:
    """The name of this home's InfluxDB databases: its own, so that two homes on one server do not mix."""
    if settings.influx_database:
        return settings.influx_database
    logins = secrets.load(home.logins)
    return f"mitoyen_{logins['mitoyen.ingest'].client_id[:12]}"


def writer(settings: Settings) -> Account | Token | None:
    """Who writes to InfluxDB, where it asks."""
    return _influx(settings, settings.influx_token, settings.influx_username, settings.influx_password)


def reader(settings: Settings) -> Account | Token | None:
    """Who reads what was released from InfluxDB, where it asks."""
    token, name = settings.influx_reader_token, settings.influx_reader_username
    return _influx(settings, token, name, settings.influx_reader_password)


def prepare_store(settings: Settings, home: Home) -> None:
    """Create InfluxDB's databases, and its users where an admin is given. Raises StoreUnavailable."""
    if not settings.store.startswith("influx:"):
        return
    url, name = settings.store.removeprefix("influx:"), prefix(settings, home)
    token, user = settings.influx_admin_token, settings.influx_admin_username
    admin, writes, reads = (
        _influx(settings, token, user, settings.influx_admin_password),
        writer(settings),
        reader(settings),
    )
    if isinstance(admin, Token):
        influx.prepare_buckets(url, name, admin)
    elif (admin is not None or writes is None) and not isinstance(writes, Token) and not isinstance(reads, Token):
        influx.prepare(url, name, admin=admin, writer=writes, reader=reads)


def _influx(settings: Settings, token: str | None, name: str | None, password: str | None) -> Account | Token | None:
    if settings.influx_organisation is not None:
        return None if token is None else Token(settings.influx_organisation, token)
    return None if name is None else Account(name, password or "")


def released(settings: Settings, home: Home) -> Store:
    """What was released, to read."""
    return store.open_released(settings.store, home.root, prefix=prefix(settings, home), account=reader(settings))
