"""`mitoyen gateway`: what its sources hear arrives once, whatever is killed and however long the broker is away."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench.faults.links import follow, gateway_killed, lines, numbers, wired
from tests.gatewayprocess import GatewayProcess
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_carried_to_its_end_and_what_is_wrong_in_it_is_counted(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader, release = wired(mitoyen, "carried")
    file = tmp_path / "log.ndjson"
    file.write_text(lines(range(3_000)) + "no JSON\n" + '{"value": 7}\n{"time": "2026-01-01T01:00:00Z", "valu": 1}\n')
    with GatewayProcess(tmp_path, owner.mqtt, follow(file, to_its_end=True)) as gateway:
        said = gateway.ended()
    assert {name: records for name, records in said.items() if records} == {
        "kept": 3_001,
        "stored": 3_001,
        "unreadable": 2,
    }
    found = numbers(reader, release)
    assert found - Counter(range(3_000)) == Counter([-1])  # the one that says no time
    assert found.total() == 3_001


def test_a_gateway_says_that_it_is_there_and_that_it_goes(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, _, _ = wired(mitoyen, "there")

    def state() -> str:
        found: str = mitoyen.call(owner.key, "GET", "gateways/g")["state"]
        return found

    with GatewayProcess(tmp_path, owner.mqtt, follow(tmp_path / "none.ndjson")) as gateway:
        mitoyen.await_that(lambda: state() == "live", "it does not say that it is there")
        gateway.stop()
    mitoyen.await_that(lambda: state() == "silent", "it does not say that it goes")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_week_of_a_sensor_a_second_is_carried_once_after_the_broker_was_away_for_it(tmp_path: Path) -> None:
    week = range(7 * 86_400)
    with Mitoyen(tmp_path) as broker:
        owner, reader, release = wired(broker, "week")
        broker.stop()
        (tmp_path / "log.ndjson").write_text(lines(week))
        gateway = GatewayProcess(tmp_path, owner.mqtt, follow(tmp_path / "log.ndjson", to_its_end=True))
        chance = random.Random(8)  # noqa: S311 - the same points every time
        for _ in range(3):
            gateway.start()
            time.sleep(chance.uniform(1, 3))
            gateway.kill()
        broker.start()
        with gateway:
            said = gateway.ended(within_s=600)
        assert (said["kept"], said["pending"], said["dropped"]) == (len(week), 0, 0)
        assert numbers(reader, release) == Counter(week)


def test_killed_at_random_points_with_the_broker_away_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    found = gateway_killed(tmp_path, kills=5, away_s=2)
    assert found["holds"], found


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_50_random_points_with_the_broker_away_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    found = gateway_killed(tmp_path, kills=50, away_s=60)
    assert found["holds"], found
