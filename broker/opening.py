"""Opening what the settings name: the registry, and what was released. Whoever may also open raw data is `parts.py` alone."""

from __future__ import annotations

from broker import secrets
from broker.home import Home
from broker.registry.registry import Registry
from broker.settings import Settings
from broker.store import influx
from broker.store import open as store
from broker.store.influxserver import Account
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


def writer(settings: Settings) -> Account | None:
    """Who writes to InfluxDB, where it asks."""
    return _influx(settings.influx_username, settings.influx_password)


def reader(settings: Settings) -> Account | None:
    """Who reads what was released from InfluxDB, where it asks."""
    return _influx(settings.influx_reader_username, settings.influx_reader_password)


def prepare_store(settings: Settings, home: Home) -> None:
    """Create InfluxDB's databases, and its users where an admin is given. Raises StoreUnavailable."""
    admin = _influx(settings.influx_admin_username, settings.influx_admin_password)
    ready = admin is None and writer(settings) is not None
    if settings.store.startswith("influx:") and not ready:
        url = settings.store.removeprefix("influx:")
        influx.prepare(url, prefix(settings, home), admin=admin, writer=writer(settings), reader=reader(settings))


def _influx(name: str | None, password: str | None) -> Account | None:
    return None if name is None else Account(name, password or "")


def released(settings: Settings, home: Home) -> Store:
    """What was released, to read."""
    return store.open_released(settings.store, home.root, prefix=prefix(settings, home), account=reader(settings))
