"""Opening both stores, raw data included: for the parts of the core alone (`broker/opening.py` is for all)."""

from __future__ import annotations

from broker.home import Home
from broker.opening import prefix, writer
from broker.settings.settings import Settings
from broker.store import open as store
from broker.store.open import Stores
from broker.store.protocol import Store


def both(settings: Settings, home: Home) -> Stores:
    """What came in and what was released, to write. Close them."""
    return store.open_stores(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings))


def raw(settings: Settings, home: Home) -> Store:
    """What came in, to read. Close it."""
    return store.open_raw(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings))
