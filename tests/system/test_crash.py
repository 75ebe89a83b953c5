"""What is left after a SIGKILL: every message that its publisher saw acknowledged, in history, exactly once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from broker import times
from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import Influxd, Mitoyen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MESSAGES = 20_000
KILL_AFTER = (3_000, 9_000)
"""How many messages are acknowledged when something dies."""
BEGIN = times.parse("2026-01-01T00:00:00Z")


def _message(number: int) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number})


def _publish_and_kill(broker: Mitoyen, kills: Sequence[Callable[[], None]]) -> None:
    """Publish numbered messages, kill while they flow, and compare what was acknowledged with history."""
    owner, reader = new_owner(broker, "crash"), new_reader(broker, "crash-reader")
    owner.datastream("numbers")
    offer = owner.offer(["numbers"])
    reader.agree(offer["id"])
    with Device(owner.mqtt) as device:
        device.publish("numbers", map(_message, range(MESSAGES)))
        for after, kill in zip(KILL_AFTER, kills, strict=False):
            device.await_answers(after)
            assert len(device.acknowledged) < MESSAGES, "all was over before anything died"
            kill()
        device.await_answers(MESSAGES, within_s=90)
        assert not device.refused
        assert Counter(device.acknowledged) == Counter(map(_message, range(MESSAGES)))
    kept = reader.history(offer["releases"][0]["id"])
    assert Counter((o["time"], o["value"]) for o in kept) == Counter(
        (times.text(BEGIN + n * times.SECOND), n) for n in range(MESSAGES)
    )


def _restart_whole(broker: Mitoyen) -> None:
    broker.kill_whole()
    broker.start()


@pytest.mark.parametrize("part", ["broker", "keeper"])
def test_a_part_killed_amid_20_000_messages_loses_and_doubles_none(part: str, tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        _publish_and_kill(broker, [lambda: broker.kill(part)] * 2)


def test_the_broker_killed_while_influxdb_stores_loses_and_doubles_none(tmp_path: Path, influxd: Influxd) -> None:
    with Mitoyen(tmp_path, store=f"influx:{influxd.url}") as broker:
        _publish_and_kill(broker, [lambda: broker.kill("broker"), lambda: broker.kill("keeper")])


def test_everything_killed_and_started_again_finds_what_mosquitto_held_meanwhile(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        _publish_and_kill(broker, [lambda: _restart_whole(broker)])
