"""What holds while something fails: receipts, live, history, retained values. Whatever dies, a receipt means stored."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bench.faults.cases import CASES, Scale
from bench.soak import soak
from broker import times
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Influxd, Mitoyen, listens
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = times.parse("2026-01-01T00:00:00Z")
IN_SHORT = ("killed_on_sqlite", "mosquitto_killed", "outbox_full", "restored", "workers_killed")
"""Cases that `make test` has time for; `make faults` is all of them, and longer."""


def message(number: int, value: object = None) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number if value is None else value})


def once_each(count: int) -> Counter[Any]:
    return Counter((times.text(BEGIN + n * times.SECOND), n) for n in range(count))


def set_up(broker: Mitoyen) -> tuple[Owner, Reader, str]:
    """An owner with the datastream `d`, a reader, and the release that it reads."""
    owner, reader = new_owner(broker, "faulty"), new_reader(broker, "patient")
    owner.datastream("d")
    offer = owner.offer(["d"])
    reader.agree(offer["id"])
    return owner, reader, offer["releases"][0]["id"]


@pytest.mark.timeout(600)  # supervised parts wait up to 5 s before they start when they die again and again
@pytest.mark.parametrize(
    "case", [name if name in IN_SHORT else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_what_was_promised_is_kept_once_and_shown_as_agreed_whatever_fails(case: str, tmp_path: Path) -> None:
    found = CASES[case](tmp_path, Scale.short())
    assert found["holds"], json.dumps(found)


def test_a_part_of_what_the_broker_takes_is_kept_and_nothing_grows(tmp_path: Path) -> None:
    found = soak(tmp_path, 0.25, flood_s=3, share=0.2)  # the machine may do something else meanwhile
    assert found["holds"], json.dumps(found)


def test_what_mosquitto_acknowledges_before_the_broker_is_back_is_kept_though_both_died(tmp_path: Path) -> None:
    messages = 100
    with Mitoyen(tmp_path) as broker:
        owner, reader, release = set_up(broker)
        died = broker.part("mosquitto")
        part = broker.part("broker")
        os.kill(part, signal.SIGSTOP)  # so that it can't be first
        broker.kill("mosquitto")
        broker.await_that(lambda: broker.runs_other("mosquitto", died), "it does not run again")
        broker.await_that(lambda: listens(broker.mqtt_port), "it does not listen again")
        with Device(owner.mqtt) as device:
            device.publish("d", map(message, range(messages)))
            device.await_answers(messages)
        os.kill(part, signal.SIGCONT)
        assert Counter((one["time"], one["value"]) for one in reader.history(release)) == once_each(messages)


def test_a_part_that_a_library_crashes_says_where_its_threads_were_and_comes_back(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        crashed = broker.part("api")
        os.kill(crashed, signal.SIGSEGV)
        broker.await_that(lambda: broker.runs_other("api", crashed) and broker.ready(), "it does not answer again")
        log = broker.log()
    assert "Fatal Python error: Segmentation fault" in log
    assert "api/serve.py" in log
    assert "event=part_died" in log
    assert f"status={-signal.SIGSEGV}" in log


def test_retained_values_and_states_are_there_again_after_mosquitto_died(tmp_path: Path) -> None:
    with Mitoyen(tmp_path, environment={"LATENESS": "PT1S"}) as broker:
        owner = new_owner(broker, "faulty")
        owner.datastream("d", unit="Cel")
        reader = new_reader(broker, "patient")
        at_once = reader.agree(owner.offer(["d"])["id"])["releases"][0]
        mean = {"op": "aggregate", "window": "PT1M", "statistics": ["mean"]}
        windows = reader.agree(owner.offer(["d"], mean)["id"])["releases"][0]
        wanted = {at_once["topic"], at_once["status"], windows["topic"], windows["status"]}
        with Device(owner.mqtt) as device:
            device.publish("d", [message(0, 20.0), message(61, 22.0)])
            device.await_answers(2)
        with Subscriber(reader.mqtt) as before:
            for everything in ("live/#", "status/#"):
                before.subscribe(everything)
            before.await_that(
                lambda seen: (
                    wanted <= seen.keys()
                    and all(seen[one["topic"]]["value"] == 22.0 for one in (at_once, windows))
                    and all(seen[one["status"]]["state"] == "live" for one in (at_once, windows))
                )
            )
            expected = {topic: dict(before.messages)[topic] for topic in wanted}
        died = broker.part("mosquitto")
        broker.kill("mosquitto")
        broker.await_ready(other_than=died)
        with Subscriber(reader.mqtt) as after:
            for everything in ("live/#", "status/#"):
                after.subscribe(everything)
            after.await_that(lambda seen: {topic: seen.get(topic) for topic in wanted} == expected)


def test_mosquitto_starts_again_as_soon_as_its_rules_can_be_written(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        rules = broker.home / "mosquitto" / "dynamic-security.json"
        died = broker.part("mosquitto")
        rules.unlink()
        rules.mkdir()  # as a full disk does, it keeps them from being written
        broker.kill("mosquitto")
        broker.await_that(lambda: "part_not_started" in broker.log(), "it was not tried")
        rules.rmdir()
        broker.await_ready(other_than=died)


@pytest.fixture
def own_influxd(tmp_path: Path) -> Iterator[Influxd]:
    folder = tmp_path / "influxd"
    folder.mkdir()
    with Influxd(folder) as server:
        yield server


@pytest.mark.long
def test_live_goes_on_while_the_store_hangs_and_history_says_that_it_is_behind(
    tmp_path: Path, own_influxd: Influxd
) -> None:
    with Mitoyen(tmp_path, store=f"influx:{own_influxd.url}") as broker:
        owner, reader, release = set_up(broker)
        with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing:
            hearing.subscribe("live/#")
            device.publish("d", [message(0)])
            hearing.await_messages(1)
            assert len(reader.history(release)) == 1
            with own_influxd.hanging():
                device.publish("d", [message(1)])
                hearing.await_messages(2)
                with broker.client(reader.key) as client:
                    answer = client.get(f"/api/v1/releases/{release}/observations", timeout=60)
                assert answer.status_code == 503 or answer.headers["Mitoyen-Complete"].startswith("false")
            assert len(reader.history(release)) == 2


def test_a_full_journal_takes_nothing_more_and_loses_nothing(tmp_path: Path, own_influxd: Influxd) -> None:
    large, count = "x" * 4_000, 6_000  # 24 MB for a journal of 16
    with Mitoyen(tmp_path, store=f"influx:{own_influxd.url}", environment={"JOURNAL_LIMIT_MB": "16"}) as broker:
        owner, reader, release = set_up(broker)
        own_influxd.stop()
        with Device(owner.mqtt) as device:
            device.publish("d", (message(number, large) for number in range(count)))
            device.await_answers(count, within_s=60)
            broker.await_metric("mitoyen_journal_full_total", lambda times_full: times_full > 0)
            own_influxd.start()
            kept = reader.history(release)
        assert [one["time"] for one in kept] == [times.text(BEGIN + n * times.SECOND) for n in range(count)]
