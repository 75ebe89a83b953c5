"""Nothing that opens a door is found where others read: logs, metrics, the ledger, answers, the list of processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import Influxd, Mitoyen

if TYPE_CHECKING:
    from pathlib import Path

WRONG = "mitoyen_wrong-key-that-somebody-tried-0123456789"
PASSWORDS = {
    "INFLUX_PASSWORD": "planted-writer's-password",
    "INFLUX_READER_PASSWORD": "planted-reader's-password",
    "INFLUX_ADMIN_PASSWORD": "admin's",
}


def wanderings(broker: Mitoyen) -> list[str]:
    """Do what secrets are used for, rightly and wrongly; returns all of them."""
    owner, reader = new_owner(broker, "secretive"), new_reader(broker, "curious")
    owner.datastream("d", unit="Cel")
    reader.agree(owner.offer(["d"])["id"])
    hook = {"url": "http://127.0.0.1:9/hook"}
    made = broker.call(reader.key, "PUT", "applications/curious/webhook", hook)
    another = broker.call(owner.key, "POST", "keys", {"name": "another"})
    login = broker.call(owner.key, "POST", "gateways/g/logins", {"name": "another"})
    with Device(owner.mqtt) as device:
        device.publish("d", ['{"value": 21.5}', '{"value": "warm"}', "{"])
        device.await_answers(3)
    for key in (WRONG, owner.key[:-1], reader.mqtt["password"]):
        with pytest.raises(httpx.HTTPStatusError):
            broker.call(key, "GET", "gateways")
    with pytest.raises(PermissionError), Device({**owner.mqtt, "password": "planted-wrong-mqtt-password"}):
        """It is not let in."""
    broker.kill("keeper")
    broker.await_that(broker.ready, "it does not answer again")
    own = json.loads((broker.home / "logins.json").read_text()).values()
    return [
        WRONG, "planted-wrong-mqtt-password", owner.key, reader.key, another["key"], broker.operator_key,
        owner.mqtt["password"], reader.mqtt["password"], *_passwords(made), *_passwords(login),
        *(one["password"] for one in own), *PASSWORDS.values(),
    ]  # fmt: skip


def _passwords(told: Any) -> list[str]:
    """What an answer says once."""
    if isinstance(told, dict):
        own = [told[name] for name in ("password", "secret") if isinstance(told.get(name), str)]
        return own + [one for value in told.values() for one in _passwords(value)]
    return []


def test_no_secret_is_in_logs_metrics_the_ledger_or_the_list_of_processes(
    locked_influxd: Influxd, tmp_path: Path
) -> None:
    names = {"INFLUX_ADMIN_USERNAME": "admin", "INFLUX_USERNAME": "planted", "INFLUX_READER_USERNAME": "planted-reader"}
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, password in PASSWORDS.items():
        (secrets / f"mitoyen_{name.lower()}").touch(mode=0o600)
        (secrets / f"mitoyen_{name.lower()}").write_text(password)
    with Mitoyen(
        tmp_path,
        store=f"influx:{locked_influxd.url}",
        environment={**names, "SECRETS": str(secrets), "WEBHOOK_LOOPBACK": "true"},
    ) as broker:
        planted = wanderings(broker)
        places = {
            "the log": broker.log(),
            "Mosquitto's log": (broker.home / "mosquitto" / "mosquitto.log").read_text(),
            "the metrics": broker.text(broker.operator_key, "/metrics"),
            "the ledger": broker.text(None, "/api/v1/ledger?format=ndjson"),
            "the ledger as the operator sees it": broker.text(broker.operator_key, "/api/v1/ledger"),
            "what is public": broker.text(None, "/api/v1/transparency") + broker.text(None, "/api/v1/directory"),
            "the list of processes": broker.command_lines(),
        }
    places["the log when it stops"] = broker.log()
    assert len(planted) > 12
    assert all(planted)
    found = [(where, secret) for where, text in places.items() for secret in planted if secret in text]
    assert not found
