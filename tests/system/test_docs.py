"""The guides, followed: what their readers are told to type is run as it stands there, in that order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path_factory.mktemp("docs")) as running:
        yield running


def follow(typed: list[str], folder: Path, **variables: str) -> str:
    """What the shell printed. Raises AssertionError with what went wrong."""
    shell = ["bash", "-euo", "pipefail", "-c", "\n".join(typed)]
    told = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}
    done = subprocess.run(shell, cwd=folder, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_operators_guide(broker: Mitoyen, tmp_path: Path) -> None:
    typed = [block for block in blocks("operator.md", "sh") if "mitoyen up" not in block]
    printed = follow(typed, tmp_path, BROKER=broker.url, MITOYEN_HOME=str(broker.home))
    assert '"key":"mitoyen_organisation_' in printed
    assert "mitoyen_records_accepted_total" in printed


def test_the_owners_guide(broker: Mitoyen, tmp_path: Path) -> None:
    made = broker.call(broker.operator_key, "POST", "organisations", {"id": "guided", "name": "Guided"})
    typed = blocks("owner.md", "sh")
    published = next(place for place, block in enumerate(typed) if "mosquitto_pub" in block)
    variables = {"BROKER": broker.url, "KEY": made["key"], "ORGANISATION": "guided"}
    follow(typed[: published + 1], tmp_path, **variables)
    broker.await_metric("mitoyen_records_stored_total", lambda stored: stored >= 1)
    printed = follow([typed[0], *typed[published + 1 :]], tmp_path, **variables)
    assert '"state":"live"' in printed
    assert '"accepted":1' in printed
    assert broker.call(made["key"], "GET", "gateways") == []


def test_the_developers_first_steps(broker: Mitoyen, tmp_path: Path) -> None:
    owner = new_owner(broker, "simulated")
    owner.datastream("d", simulated=True)
    owner.offer(["d"], terms={"access": "open"})
    with Device(owner.mqtt) as device:
        device.publish("d", ['{"time": "2026-03-01T00:00:00Z", "value": 7}'])
        device.await_answers(1)
    broker.await_metric("mitoyen_records_released_total", lambda released: released >= 1)
    printed = follow(blocks("developer.md", "sh"), tmp_path, BROKER=broker.url)
    assert "2026-03-01T00:00:00Z" in printed
    assert "data: " in printed


def test_the_developers_guide(broker: Mitoyen) -> None:
    owner = new_owner(broker, "developed")
    owner.datastream("d", observed_property="PM2.5")
    offer = owner.offer(["d"])
    organisation = broker.call(broker.operator_key, "POST", "organisations", {"id": "newcomer", "name": "Newcomer"})
    heard: list[tuple[str, Any]] = []
    told = {
        "broker": broker.url,
        "organisation_key": organisation["key"],
        "heard": lambda topic, message: heard.append((topic, message)),
    }
    for block in blocks("developer.md", "python"):
        exec(compile(block, "developer.md", "exec"), told)
    with Device(owner.mqtt) as device:
        device.publish("d", ['{"time": "2026-03-01T00:00:00Z", "value": 7}'])
        device.await_answers(1)
        topic = f"live/developed/{offer['id']}/d"
        broker.await_that(lambda: topic in dict(heard), "nothing was heard")
    told["client"].disconnect()
    told["client"].loop_stop()
    told["api"].close()
    (live,) = [message for where, message in heard if where == topic]
    assert live["value"] == 7


def test_the_analysts_guide(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "analysed"), new_reader(broker, "analyst")
    owner.datastream("d", unit="Cel")
    offer = owner.offer(["d"])
    reader.agree(offer["id"])
    with Device(owner.mqtt) as device:
        device.publish("d", [f'{{"time": "2026-11-{day}T00:00:00Z", "value": {day}}}' for day in (10, 11)])
        device.await_answers(2)
    release = offer["releases"][0]["id"]
    reader.history(release)
    told: dict[str, Any] = {"broker": broker.url, "release": release, "key": reader.key}
    for block in blocks("analyst.md", "python"):
        exec(compile(block, "analyst.md", "exec"), told)
    assert told["table"]["value"].to_pylist() == [10.0, 11.0]
