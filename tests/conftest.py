"""Servers that several tests share: started when the first test asks, stopped when the last is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import Influxd, Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- InfluxDB ---


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """An InfluxDB that asks for no password. Take a database of your own; never stop it."""
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


# --- Mitoyen ---


@pytest.fixture(scope="session")
def mitoyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """A running broker on SQLite. Make organisations of your own in it; never stop it or a part of it."""
    with Mitoyen(tmp_path_factory.mktemp("mitoyen")) as server:
        yield server
