"""`mitoyen simulate FILE` against a running broker: what history then says is what the simulated city says was the case."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from broker import times
from simulators.city import City
from simulators.play import _Connection
from tests.owners import new_owner, new_reader

if TYPE_CHECKING:
    from tests.owners import Owner
    from tests.servers import Mitoyen

MITOYEN = str(Path(sys.executable).with_name("mitoyen"))
SEED = 11


def _simulate(file: Path, content: dict[str, Any], *options: str) -> dict[str, int]:
    file.write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [MITOYEN, "simulate", str(file), *options], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    played: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return played


def _gateway(owner: Owner, sensors: list[str]) -> dict[str, Any]:
    login = {k: owner.mqtt[k] for k in ("host", "port", "username", "password", "client_id_prefix")}
    return {"organisation": owner.id, "id": "g", "mqtt": login, "sensors": sensors}


def test_a_played_city_is_kept_as_it_was(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader = new_owner(mitoyen, "played"), new_reader(mitoyen, "player")
    sensor = next(one for one in City(SEED).sensors if one.id == "no2-1")
    owner.datastream(sensor.id, unit=sensor.unit)
    offer = owner.offer([sensor.id])
    reader.agree(offer["id"])
    played = _simulate(
        tmp_path / "city.yaml",
        {"seed": SEED, "backfill": "PT6H", "gateways": [_gateway(owner, [sensor.id])]},
        "--seconds",
        "1",
    )
    kept = reader.history(offer["releases"][0]["id"])
    assert played["acknowledged"] == played["sent"] == len(kept) >= 359
    first, last = times.parse(kept[0]["time"]), times.parse(kept[-1]["time"])
    said = [(times.parse(str(r["time"])), r["value"]) for r in City(SEED).readings(sensor, first, last + 1)]
    assert [(times.parse(o["time"]), o["value"]) for o in kept] == said


def test_a_recording_arrives_with_its_own_times_and_values(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader = new_owner(mitoyen, "recorded"), new_reader(mitoyen, "recorder")
    owner.datastream("speed", unit="km/h")
    offer = owner.offer(["speed"])
    reader.agree(offer["id"])
    (tmp_path / "speed.csv").write_text(
        "when,what\n2015-08-31 18:22:00,90\n2015-08-31 18:27:00,80.25\n2015-08-31 18:32:00,-0.0\n"
    )
    recording = {"organisation": owner.id, "gateway": "g", "datastream": "speed", "file": "speed.csv", "speed": 1e6}
    columns = {"time_column": "when", "value_column": "what", "zone": "America/Chicago", "keep_times": True}
    played = _simulate(
        tmp_path / "recording.yaml", {"gateways": [_gateway(owner, [])], "recordings": [{**recording, **columns}]}
    )
    assert played == {"sent": 3, "acknowledged": 3}
    kept = reader.history(offer["releases"][0]["id"])
    assert [(o["time"], repr(o["value"])) for o in kept] == [
        ("2015-08-31T23:22:00Z", "90"),
        ("2015-08-31T23:27:00Z", "80.25"),
        ("2015-08-31T23:32:00Z", "-0.0"),
    ]


EVERYTHING = ("--owners", "8", "--sensors", "500", "--speed", "60", "--seconds", "4")
FAULTS = "faults: {radio: {rate: 0.1}, reboot: {rate: 0.05, lasting: PT1M}, units: {rate: 0.3}, duplicate: {rate: 0.1}}"


def test_one_seed_is_the_same_bytes_and_the_same_truth_and_another_is_not(tmp_path: Path) -> None:
    (tmp_path / "city.yaml").write_text(FAULTS)

    def written(name: str, seed: int) -> tuple[bytes, bytes]:
        out, truth = tmp_path / f"{name}.ndjson", tmp_path / f"{name}.truth.ndjson"
        options = ("--seed", str(seed), "--output", str(out), "--truth", str(truth))
        command = [MITOYEN, "simulate", str(tmp_path / "city.yaml"), *EVERYTHING, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
        assert json.loads(done.stdout)["written"] > 1_000
        return out.read_bytes(), truth.read_bytes()

    assert written("once", SEED) == written("again", SEED)
    assert written("other", SEED + 1)[0] != (tmp_path / "once.ndjson").read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "once.truth.ndjson").read_text().splitlines()]
    assert {row["verdict"] for row in rows} == {"good", "duplicate", None}
    assert all(row["said"] is None for row in rows if row["verdict"] is None)


def test_what_is_written_can_be_read_by_the_decoder_of_its_format(tmp_path: Path) -> None:
    (tmp_path / "city.yaml").write_text("{}")
    command = [MITOYEN, "simulate", str(tmp_path / "city.yaml"), *EVERYTHING, "--output", str(tmp_path / "all")]
    subprocess.run(command, capture_output=True, timeout=90, check=True)
    lines = [json.loads(line) for line in (tmp_path / "all").read_text().splitlines()]
    plugged = [{**line, "topic": line["topic"].split("/", 3)[3]} for line in lines if "/spBv1.0/" in line["topic"]]
    (tmp_path / "sparkplug").write_text("\n".join(map(json.dumps, plugged)))
    done = subprocess.run(
        [MITOYEN, "decode", "sparkplug", str(tmp_path / "sparkplug")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert {json.loads(line)["device"].split("/")[0] for line in done.stdout.splitlines()} == {"city"}


def test_a_city_that_is_dealt_to_owners_is_registered_once_and_read_by_anyone(mitoyen: Mitoyen, tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text(mitoyen.operator_key)
    asked = {"broker": {"http": mitoyen.url, "operator_key_file": "operator.key"}, "owners": 3, "sensors": 46}
    content = {"seed": SEED, "start_ago": "PT1H", "speed": 600, **asked}
    for _ in range(2):  # the second time with the logins of the first
        played = _simulate(tmp_path / "dealt.yaml", content, "--seconds", "4")
        assert played["acknowledged"] == played["sent"] > 100
    assert (tmp_path / "dealt.logins.json").stat().st_mode & 0o077 == 0
    dealt = [one for one in mitoyen.call(None, "GET", "sandbox") if one["attribution"].startswith("owner-")]
    measuring = [sensor for sensor in City(SEED).sensors if sensor.kind == "measurement"]
    assert {one["datastream"] for one in dealt} == {sensor.id for sensor in measuring}
    with mitoyen.client() as anyone:
        for one in dealt:
            mitoyen.await_that(
                lambda one=one: bool(anyone.get(one["observations"]).json()),
                f"{one['datastream']}: nothing was released",
            )


def test_the_example_that_is_printed_can_be_played_but_for_its_passwords(tmp_path: Path) -> None:
    printed = subprocess.run([MITOYEN, "simulate", "--example"], capture_output=True, text=True, timeout=30, check=True)
    (tmp_path / "city.yaml").write_text(printed.stdout)
    done = subprocess.run(
        [MITOYEN, "simulate", str(tmp_path / "city.yaml")], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "password_file" in done.stderr
    assert "air-1.password" in done.stderr


async def test_a_connection_that_was_closed_before_it_could_write_waits_for_no_room_there() -> None:
    troubles: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, trouble: troubles.append(trouble))
    connection = _Connection("127.0.0.1")
    here, there = socket.socketpair()
    with there:
        connection._on_socket_register_write(connection._client, None, here)
        here.close()
        await asyncio.sleep(0.01)  # turns of the loop, which nothing tells of
    assert not troubles
