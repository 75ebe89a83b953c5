"""Opens the stores that a setting names: `sqlite`, or `influx:` and the address of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from broker.errors import Malformed
from broker.store.influx import InfluxStore
from broker.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from broker.store.influxserver import Account, Token
    from broker.store.protocol import Store


class Stores(NamedTuple):
    """Where points rest as they came, and as they may be seen."""

    raw: Store
    released: Store


def open_stores(spec: str, home: Path, *, prefix: str, account: Account | Token | None = None) -> Stores:
    """Both stores, to write. `prefix` tells apart homes that share an InfluxDB server. Raises Malformed."""
    raw, released = (
        _open(spec, home, which, prefix=prefix, account=account, readonly=False) for which in ("raw", "released")
    )
    return Stores(raw, released)


def open_released(spec: str, home: Path, *, prefix: str, account: Account | Token | None = None) -> Store:
    """What was released, to read: all that a process which serves the public may open. Raises Malformed."""
    return _open(spec, home, "released", prefix=prefix, account=account, readonly=True)


def open_raw(spec: str, home: Path, *, prefix: str, account: Account | Token | None = None) -> Store:
    """What came in, to read: for previews, which the broker process answers. Raises Malformed."""
    return _open(spec, home, "raw", prefix=prefix, account=account, readonly=True)


def _open(spec: str, home: Path, which: str, *, prefix: str, account: Account | Token | None, readonly: bool) -> Store:
    kind, _, url = spec.partition(":")
    if spec == "sqlite":
        return SqliteStore(home / f"{which}.sqlite", readonly=readonly)
    if kind == "influx" and url:
        return InfluxStore(url, f"{prefix}_{which}", account=account)
    raise Malformed("store: expected sqlite, or influx: and an address, such as influx:http://127.0.0.1:8086")
