"""Opening what the settings name: the registry, what was released, and what carries calls. Raw data is opened by `parts/` alone."""

from __future__ import annotations

from broker import secrets
from broker.home import Home
from broker.registry.registry import Registry
from broker.settings.settings import Settings
from broker.store import influx
from broker.store import open as store
from broker.store.influxserver import Account, Token
from broker.store.protocol import Store
from broker.transport.protocol import Transport
from broker.transport.sockets import Sockets


def registry(settings: Settings, home: Home) -> Registry:
    """The registry that the settings name."""
    return Registry.in_home(home.root, settings.registry, settings.registry_password)


def transport(settings: Settings, home: Home) -> Transport:
    """What carries calls: sockets of the home, or NATS where another machine may have what is asked for. Close it."""
    if not settings.elsewhere:
        return Sockets(home, settings.partitions)
    from broker import natsservers  # noqa: PLC0415 - one machine's HTTP side never loads what it does not need
    from broker.transport.nats import OverNats  # noqa: PLC0415

    return OverNats(natsservers.named(settings), nats_name(settings, home))


def nats_name(settings: Settings, home: Home) -> str:
    """What all that is this home's is called on NATS: by default a name of its own, so that two homes on the same servers do not mix."""
    return settings.journal_stream or f"mitoyen_{secrets.load(home.logins)['mitoyen.ingest'].client_id[:12]}"


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
