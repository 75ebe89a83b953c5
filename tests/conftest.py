"""Servers that several tests share: started when the first test asks, stopped when the last is done."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.natsservers import Nats
from tests.servers import Influxd, Mitoyen, Postgres
from tests.tables import InFile, InPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tables import Kept

settings.register_profile("mitoyen", deadline=None)  # a busy machine is slow, and pytest's own limit ends what hangs
settings.load_profile("mitoyen")

# --- InfluxDB ---


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """An InfluxDB that asks for no password. Take a database of your own; never stop it."""
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(scope="session")
def locked_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """An InfluxDB that asks for names and passwords; its administrator is `admin` with the password `admin's`."""
    with Influxd(tmp_path_factory.mktemp("locked-influxd"), auth=True) as server:
        server.create_admin("admin", "admin's")
        yield server


# --- PostgreSQL ---


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL. Take a database of your own; never stop it."""
    # not below pytest's folder, which the user that PostgreSQL runs as may not enter
    with tempfile.TemporaryDirectory(prefix="mitoyen-postgresql-") as directory, Postgres(Path(directory)) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def remembered(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """What a partition remembers, in each place where it may lie."""
    return (
        InFile(tmp_path / "remembered")
        if request.param == "sqlite"
        else InPostgres(request.getfixturevalue("postgres"))
    )


# --- NATS ---


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """Three NATS servers. Take a stream of your own; whom you kill, start again."""
    with Nats(tmp_path_factory.mktemp("nats")) as servers:
        yield servers


# --- Mitoyen ---


@pytest.fixture(scope="session")
def mitoyen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """A running broker on SQLite. Make organisations of your own in it; never stop it or a part of it."""
    often = {"SIGNUP_PER_HOUR": "1000"}  # many tests have one address
    with Mitoyen(tmp_path_factory.mktemp("mitoyen"), environment=often) as server:
        yield server
