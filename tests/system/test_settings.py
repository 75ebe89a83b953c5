"""Where settings may come from, and that a secret does not come from where others could read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from broker.errors import Malformed
from broker.settings.settings import Settings
from tests.owners import new_owner
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Influxd, Postgres


def test_what_is_given_wins_over_the_environment_and_that_over_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mitoyen_influx_password", "mitoyen_registry_password"):
        (tmp_path / name).write_text("from a file")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("MITOYEN_SECRETS", str(tmp_path))
    monkeypatch.setenv("MITOYEN_INFLUX_PASSWORD", "from the environment")
    monkeypatch.setenv("MITOYEN_HTTP", "127.0.0.1:1")
    settings = Settings.read(home=tmp_path, http="127.0.0.1:2", mqtt=None)
    assert settings.registry_password == "from a file"
    assert settings.influx_password == "from the environment"
    assert settings.http_address == ("127.0.0.1", 2)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mitoyen_registry_password").write_text("secret")
    (tmp_path / "mitoyen_registry_password").chmod(0o644)
    monkeypatch.setenv("MITOYEN_SECRETS", str(tmp_path))
    with pytest.raises(Malformed, match="0600"):
        Settings.read(home=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("registry", "postgresql://user:password@localhost/mitoyen"),
        ("registry", "mysql://user@localhost/mitoyen"),
        ("registry", "postgresql://localhost"),
        ("store", "influx:http://user:password@localhost:8086"),
        ("store", "duckdb"),
        ("http_url", "https://user:password@broker.example"),
        ("catalogues", ("https://user@broker.example/catalog.ttl",)),
        ("catalogues", ("file:///etc/passwd",)),
        ("catalogues", ("http://broker.example/catalog.ttl",)),
        ("http", "8080"),
        ("http", "localhost:99999"),
        ("ahead", "5 minutes"),
        ("batch_records", 0),
    ],
)
def test_a_setting_that_can_not_be_is_refused_and_says_what_was_expected(
    tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(ValidationError, match=r"expected|no password|greater"):
        Settings.read(home=tmp_path, **{name: value})


def test_up_runs_on_postgresql_and_on_an_influxdb_that_asks_for_names(
    tmp_path: Path, postgres: Postgres, locked_influxd: Influxd
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    passwords = {
        "mitoyen_registry_password": postgres.PASSWORD,
        "mitoyen_influx_admin_password": "admin's",
        "mitoyen_influx_password": "writer's",
        "mitoyen_influx_reader_password": "reader's",
    }
    for name, password in passwords.items():
        (folder / name).write_text(password)
        (folder / name).chmod(0o600)
    names = {"INFLUX_ADMIN_USERNAME": "admin", "INFLUX_USERNAME": "writer", "INFLUX_READER_USERNAME": "reader"}
    with Mitoyen(
        tmp_path,
        store=f"influx:{locked_influxd.url}",
        environment={"SECRETS": str(folder), "REGISTRY": postgres.new_database(), **names},
    ) as broker:
        new_owner(broker, "owner").datastream("d")
        command_lines = broker.command_lines()
        log = broker.log()
    for password in passwords.values():
        assert password not in command_lines
        assert password not in log
