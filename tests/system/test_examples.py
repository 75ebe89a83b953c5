"""Every example runs as it is written, against a running broker. Those that need other people's packages have environments of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker import times
from mitoyen.ports import free_ports
from tests import environments
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
BEGIN = times.parse("2026-03-01T00:00:00Z")
STORED = 120
COUNT = "3"
ARROWS = (
    "pandas",
    "polars",
    "duckdb",
    "pyarrow",
    "geopandas",
    "fsspec",
    "aiohttp",
    "requests",
    "httpx",
    "httpx-sse",
    "aiomqtt",
)
NPM = ("mqtt", "eventsource", "@asyncapi/parser")


@dataclass(frozen=True, slots=True)
class City:
    """A broker, a release of an open offer in it with two hours of minutes, and an application."""

    broker: Mitoyen
    owner: Owner
    reader: Reader
    release: dict[str, Any]
    surroundings: dict[str, str]
    """What examples read from the environment."""

    def run(self, *command: str | Path) -> str:
        """What an example prints while something comes in all the time."""
        done = threading.Event()
        speaking = threading.Thread(target=self._speak, args=(done,))
        speaking.start()
        try:
            return environments.run(*command, **self.surroundings)
        finally:
            done.set()
            speaking.join()

    def _speak(self, done: threading.Event) -> None:
        with Device(self.owner.mqtt) as device:
            while not done.wait(0.05):
                device.publish("air", [json.dumps({"time": times.text(time.time_ns()), "value": 1.5})])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    (port,) = free_ports(1)
    with Mitoyen(tmp_path_factory.mktemp("examples"), "--mqtt-ws", f"127.0.0.1:{port}") as broker:
        owner, reader = new_owner(broker, "air"), new_reader(broker, "reader")
        place = {"type": "Point", "coordinates": [4.835, 45.767]}
        owner.datastream("air", unit="ug/m3", observed_property="PM2.5", location=place)
        offer = owner.offer(["air"], terms={"access": "open"})
        minutes = [{"time": times.text(BEGIN + n * times.MINUTE), "value": n / 4} for n in range(STORED)]
        with Device(owner.mqtt) as device:
            device.publish("air", [json.dumps(one) for one in minutes])
            device.await_answers(STORED)
        (release,) = offer["releases"]
        assert len(reader.history(release["id"])) == STORED
        application = tmp_path_factory.mktemp("application") / "application.json"
        application.write_text(json.dumps({"key": reader.key, "mqtt": reader.mqtt}))
        application.chmod(0o600)
        surroundings = {
            "BROKER": broker.url,
            "RELEASE": release["id"],
            "APPLICATION": str(application),
            "COUNT": COUNT,
            "SECONDS_LIVE": "2",
        }
        yield City(broker, owner, reader, release, surroundings)


def test_curl_alone_finds_history_and_what_is_live(city: City) -> None:
    said = city.run(EXAMPLES / "curl.sh")
    assert "datastream,time,value" in said
    assert "air,2026-03-01T00:00:00Z,0" in said
    assert said.count("\ndata: {") >= 1


def test_mosquitto_sub_shows_the_licence_of_each_message(city: City) -> None:
    lines = city.run(EXAMPLES / "mosquitto_sub.sh").splitlines()
    assert len(lines) == int(COUNT)
    assert all(line.startswith(city.release["topic"]) and "licence:CC-BY-4.0" in line for line in lines)


def _handed_over(said: str) -> None:
    """History and what was live after it: every time once, in order."""
    lines = re.findall(r"^(history|live) (\S+)", said, re.MULTILINE)
    moments = [moment for _, moment in lines]
    assert [where for where, _ in lines].count("live") == int(COUNT)
    assert len(moments) >= STORED + int(COUNT)
    assert moments == sorted(set(moments), key=times.parse)


def test_history_and_mqtt_join_without_a_gap(city: City) -> None:
    _handed_over(city.run(sys.executable, EXAMPLES / "python" / "live.py"))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["history_pandas", "history_polars", "history_duckdb", "map_geopandas"])
def test_what_analysts_use_reads_history_by_its_address(city: City, name: str) -> None:
    said = environments.run(environments.python(*ARROWS), EXAMPLES / "python" / f"{name}.py", **city.surroundings)
    assert {"history_duckdb": "CC-BY-4.0", "map_geopandas": "4.83"}.get(name, "60") in said


@pytest.mark.long
@pytest.mark.timeout(600)
def test_history_and_server_sent_events_join_without_a_gap(city: City) -> None:
    _handed_over(city.run(environments.python(*ARROWS), EXAMPLES / "python" / "events.py"))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["live", "events"])
def test_javascript_hears_what_is_live(city: City, name: str, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(environments.node(*NPM) / "node_modules")
    program = tmp_path / f"{name}.mjs"
    program.write_bytes((EXAMPLES / "javascript" / program.name).read_bytes())
    lines = [line for line in city.run("node", program).splitlines() if line.startswith("live")]
    assert len(lines) == int(COUNT)
    if name == "live":
        assert all("CC-BY-4.0" in line and city.release["topic"] in line for line in lines)


PYGEOAPI = ("pygeoapi", "OWSLib", "setuptools<81")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_pygeoapi_puts_features_and_edr_on_top(city: City, tmp_path: Path) -> None:
    python = environments.python(*PYGEOAPI)
    (port,) = free_ports(1)
    configuration = str(EXAMPLES / "pygeoapi.yml")
    where = {
        "BROKER": city.broker.url,
        "PYGEOAPI_PORT": str(port),
        "PYGEOAPI_CONFIG": configuration,
        "PYGEOAPI_OPENAPI": str(tmp_path / "openapi.yml"),
    }
    pygeoapi = python.with_name("pygeoapi")
    environments.run(
        pygeoapi, "openapi", "generate", configuration, "--output-file", where["PYGEOAPI_OPENAPI"], **where
    )
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen([pygeoapi, "serve"], env={**os.environ, **where}, stdout=log, stderr=log)
    try:
        client = EXAMPLES.parent / "tests" / "clients" / "owslib_features.py"
        said = environments.run(python, client, f"http://127.0.0.1:{port}", **city.surroundings)
    finally:
        serving.terminate()
        serving.wait()
    found = json.loads(said.splitlines()[-1])
    assert found.pop("matched") >= STORED
    assert found == {"datastreams": ["air"], "at": [4.835, 45.767], "observations": 50, "series": True}


def test_the_dashboard_asks_only_for_what_there_is(city: City) -> None:
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    filled = {
        "${broker}": "",
        "${release}": city.release["id"],
        "${__from:date:iso}": "2026-03-01T00:00:00Z",
        "${__to:date:iso}": "2026-03-01T02:00:00Z",
    }
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            address = target["url"]
            for name, value in filled.items():
                address = address.replace(name, value)
            with city.broker.client() as client:
                text = client.get(address).raise_for_status().text
            names = (
                text.splitlines()[0].split(",")
                if target["type"] == "csv"
                else json.loads(text)[target["root_selector"]][0]
            )
            assert {column["selector"].partition(".")[0] for column in target["columns"]} <= set(names)


def test_what_qgis_is_told_is_geojson(city: City) -> None:
    told = re.findall(r"http://127\.0\.0\.1:8080(/[^\s`]+)", (EXAMPLES / "qgis.md").read_text())
    for address in told:
        with city.broker.client() as client:
            answer = client.get(address.replace("RELEASE", city.release["id"])).raise_for_status()
        if "GeoJSON" in address or "geojson" in address:
            assert answer.json()["type"] == "FeatureCollection"
            assert answer.json()["features"]
    assert len(told) >= 4


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"^\| `([\w./-]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    there = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert there - {"README.md"} == listed - {"BROKER", "RELEASE", "APPLICATION", "COUNT"}
