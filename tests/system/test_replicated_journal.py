"""The journal on NATS: a home moves there with what is not stored yet, and whoever dies there, a receipt means kept once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker import times
from tests.owners import new_owner, new_reader
from tests.publisher import CertainDevice, Device
from tests.servers import Influxd, Mitoyen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.natsservers import Nats

BEGIN = times.parse("2026-01-01T00:00:00Z")
MOVED, KEPT = 500, 4_000


def message(number: int) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number})


def migrate(home: Path, journal: str, stream: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("mitoyen")), "migrate", "journal", "--home", str(home)]
    environment = {**os.environ, **({"MITOYEN_JOURNAL_STREAM": stream} if stream else {})}
    command += ["--journal", journal]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_home_moves_to_nats_with_what_is_not_stored_and_there_loses_and_doubles_nothing_whoever_dies(
    tmp_path: Path, nats: Nats
) -> None:
    folders = {name: tmp_path / name for name in ("influxd", "city")}
    for folder in folders.values():
        folder.mkdir()
    influxd = Influxd(folders["influxd"])
    broker = Mitoyen(folders["city"], store=f"influx:{influxd.url}")
    with influxd, broker:
        owner, reader = new_owner(broker, "moved"), new_reader(broker, "patient")
        owner.datastream("d")
        offer = owner.offer(["d"])
        reader.agree(offer["id"])
        influxd.stop()
        with Device(owner.mqtt) as device:
            device.publish("d", map(message, range(MOVED)))
            device.await_answers(MOVED)
        assert "is running" in migrate(broker.home, nats.url).stderr
        broker.stop()
        influxd.start()
        done = migrate(broker.home, nats.url)
        assert done.returncode == 0, done.stderr
        stream = done.stderr.split()[-1]
        broker.set("--journal", nats.url)
        broker.start()
        with CertainDevice(owner.mqtt) as device:
            device.deliver("d", map(message, range(MOVED, KEPT)), _disasters(broker, nats, stream))
        assert set(map(str, device.receipts.values())) == {"{'stored': 1}"}
        kept = Counter((one["time"], one["value"]) for one in reader.history(offer["releases"][0]["id"]))
        assert kept == Counter((times.text(BEGIN + n * times.SECOND), n) for n in range(KEPT))


@pytest.mark.parametrize("onto", ["nats", pytest.param("file", marks=pytest.mark.long)])
def test_a_backup_has_what_was_not_stored_yet_and_goes_on_from_a_file_or_on_nats(
    tmp_path: Path, nats: Nats, onto: str
) -> None:
    folders = {name: tmp_path / name for name in ("city", "again")}
    for folder in folders.values():
        folder.mkdir()
    file = tmp_path / "city.backup"
    with Mitoyen(folders["city"], "--journal", nats.url) as broker:
        owner, reader = new_owner(broker, "saved"), new_reader(broker, "patient")
        owner.datastream("d")
        offer = owner.offer(["d"])
        reader.agree(offer["id"])
        with CertainDevice(owner.mqtt) as device:
            device.deliver("d", map(message, range(MOVED)), lambda _: None)
            assert len(reader.history(offer["releases"][0]["id"])) == MOVED
            os.kill(broker.part("keeper"), signal.SIGSTOP)
            device.deliver("d", ["none", *map(message, range(MOVED, 2 * MOVED))], lambda _: None)
        Mitoyen.run_command("backup", str(file), "--home", str(broker.home))
        os.kill(broker.part("keeper"), signal.SIGCONT)
    Mitoyen.run_command("restore", str(file), "--home", str(folders["again"] / "home"))
    environment = {"JOURNAL_STREAM": f"restored-{onto}"}
    if onto == "nats":
        done = migrate(folders["again"] / "home", nats.url, environment["JOURNAL_STREAM"])
        assert done.returncode == 0, done.stderr
    with Mitoyen(
        folders["again"], *(["--journal", nats.url] if onto == "nats" else []), environment=environment
    ) as broker:
        told = replace(reader, broker=broker)
        with CertainDevice({**owner.mqtt, "port": broker.mqtt_port}) as device:
            device.deliver("d", map(message, range(2 * MOVED, 3 * MOVED)), lambda _: None)
        kept = Counter((one["time"], one["value"]) for one in told.history(offer["releases"][0]["id"]))
        assert kept == Counter((times.text(BEGIN + n * times.SECOND), n) for n in range(3 * MOVED))
        sums = broker.call(owner.key, "GET", "reconciliation")
        assert [sums[name] for name in ("settled", "accepted", "stored", "rejected")] == [True, 3 * MOVED, 3 * MOVED, 1]


def _disasters(broker: Mitoyen, nats: Nats, stream: str) -> Callable[[int], None]:
    """A third of the way the leader is killed, two thirds of it the broker."""
    due = [(2 * KEPT // 3, lambda: broker.kill("broker")), (KEPT // 3, lambda: _kill_leader(nats, stream))]

    def happen(receipts: int) -> None:
        if due and receipts > due[-1][0]:
            due.pop()[1]()

    return happen


def _kill_leader(nats: Nats, stream: str) -> None:
    leader = nats.leader(stream)
    leader.kill()
    leader.start()
