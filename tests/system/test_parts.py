"""Each part as a process of its own, started by nobody but an init system, on PostgreSQL and InfluxDB; they run, die, come back and end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.partition import Partitions
from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import START_S, Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Influxd, Postgres

OTHERS = ("access", "worker-0", "worker-1", "keeper-0", "keeper-1", "api")
MESSAGES = 200


class Part:
    """`mitoyen part NAME`, as a unit or a container runs it."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self._log = (folder / f"{name}.log").open("ab")
        command = [str(Path(sys.executable).with_name("mitoyen")), "part", name]
        self.process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=self._log, stderr=self._log
        )

    def end(self, sign: int = signal.SIGTERM) -> int:
        """Its status, after this signal."""
        self.process.send_signal(sign)
        status = self.process.wait(START_S)
        self._log.close()
        return status


@contextmanager
def told_ready(folder: Path) -> Iterator[str]:
    """Where systemd would be told that a service is ready; waits for it at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        notified.settimeout(START_S)
        yield str(folder / "notify")
        assert notified.recv(100) == b"READY=1"


@pytest.mark.timeout(240)
def test_parts_run_by_themselves_and_a_worker_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, postgres: Postgres, influxd: Influxd
) -> None:
    broker = Mitoyen(tmp_path)
    environment = {
        "MITOYEN_HOME": str(broker.home),
        "MITOYEN_HTTP": broker.url.removeprefix("http://"),
        "MITOYEN_MQTT": f"127.0.0.1:{broker.mqtt_port}",
        "MITOYEN_PARTITIONS": "2",
        "MITOYEN_STORE": f"influx:{influxd.url}",
        "MITOYEN_REGISTRY": postgres.new_database(),
        "MITOYEN_REGISTRY_PASSWORD": postgres.PASSWORD,
    }
    with ExitStack() as stack:
        with told_ready(tmp_path) as notify:
            parts = {"mosquitto": Part("mosquitto", tmp_path, {**environment, "NOTIFY_SOCKET": notify})}
            stack.callback(lambda: [part.end() for part in parts.values() if part.process.poll() is None])
        parts |= {name: Part(name, tmp_path, environment) for name in OTHERS}
        broker.await_that(broker.ready, "it does not answer")
        owner, reader = new_owner(broker, "apart"), new_reader(broker, "reader")
        owner.datastream("d")
        release = reader.agree(owner.offer(["d"])["id"])["releases"][0]["id"]
        worker = f"worker-{Partitions(2).of('apart')}"
        with Device(owner.mqtt) as device:
            device.publish("d", (json.dumps({"value": number}) for number in range(MESSAGES)))
            parts[worker].end(signal.SIGKILL)
            device.await_answers(MESSAGES)
        parts[worker] = Part(worker, tmp_path, environment)
        assert sorted(one["value"] for one in reader.history(release)) == list(range(MESSAGES))
        ended = {name: parts[name].end() for name in reversed(parts)}
        assert ended.pop("api") in (0, -signal.SIGTERM)  # uvicorn stops, and then tells how it was told
        assert set(ended.values()) == {0}


def test_a_part_for_another_number_of_partitions_does_not_begin(mitoyen: Mitoyen) -> None:
    environment = {**os.environ, "MITOYEN_HOME": str(mitoyen.home), "MITOYEN_PARTITIONS": "3"}
    command = [str(Path(sys.executable).with_name("mitoyen")), "part", "worker-2"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stdout) == (1, "")
    assert "expected 1, as this registry was made with, not 3" in found.stderr


def test_a_part_does_not_begin_in_a_home_that_lacks_what_all_must_share(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("mitoyen")), "part", "worker-0", "--home", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stdout) == (1, "")
    assert "lacks logins.json, tags.key" in found.stderr
    assert not list(tmp_path.iterdir())
