"""Beside Node-RED, round by round: single observations, packs of 50, and the delay at 2,000 observations a second.

    .venv/bin/python -m bench.node_red [--rounds 3]

Node-RED 4 does what it is mostly used for in such a place (`bench/node_red.json`): MQTT in, a function that reads, validates and rounds, and in
turn the same message out and its points into InfluxDB. It knows no licence, profile or ledger, and acknowledges before anything is stored. Mitoyen does all
of it, on the same InfluxDB server, with its defaults. The loads are those of `../shared/bench` (`end_to_end.py`), which this calls.

Two flows: the `plain` one writes each message's points as they come; `gathering` is one by somebody who knows what InfluxDB likes, and keeps points until there are
a thousand, or for 50 ms. Prints one JSON object; exit code 0 only if the goal holds, which is on the plain one: 2.5 times Node-RED's rates, and its p99 at
most 1 / 2.5 of Node-RED's, with nothing lost. Node-RED is installed by npm in the user's cache, the first time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import httpx

from mitoyen.ports import free_ports
from tests import environments
from tests.servers import TLS, Influxd, Mosquitto, Server

TIMES = 2.5
END_TO_END = Path(__file__).parents[2] / "shared" / "bench" / "end_to_end.py"
PACKAGES = ("node-red@4", "node-red-contrib-influxdb@0.7")
DATABASE = "node_red"
FLOWS = {"plain": 1, "gathering": 1_000}
"""Points that are gathered before they are written."""
SETTINGS = """module.exports = {
    uiHost: "127.0.0.1", uiPort: %d, httpAdminRoot: false, httpNodeRoot: false, flowFile: "flow.json",
    telemetry: { enabled: false }, logging: { console: { level: "info" } },
};
"""
Run: TypeAlias = Callable[[str], dict[str, Any]]
"""Takes a load by name; returns what the load generator says."""


class NodeRed(Server):
    """Node-RED with the flow of `bench/node_red.json`, between an MQTT broker and an InfluxDB server."""

    def __init__(self, directory: Path, mqtt_port: int, influx_port: int, gather: int) -> None:
        super().__init__(directory)
        self._program = environments.node(*PACKAGES) / "node_modules" / "node-red" / "red.js"
        flow = Path(__file__).with_suffix(".json").read_text()
        flow = (
            flow.replace("MQTT_PORT", str(mqtt_port))
            .replace("INFLUX_PORT", str(influx_port))
            .replace("GATHER", str(gather))
        )
        (directory / "flow.json").write_text(flow)
        (directory / "settings.js").write_text(SETTINGS % free_ports(1)[0])

    def command(self) -> list[str]:
        own = ["--userDir", str(self.directory), "--settings", str(self.directory / "settings.js")]
        return ["node", str(self._program), *own]

    def ready(self) -> bool:
        return "Connected to broker" in self.log()


class QuickMosquitto(Mosquitto):
    """Without the limits that would hold either side back, as the null relay's."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        limits = "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n"
        (directory / "mosquitto.conf").write_text((directory / "mosquitto.conf").read_text() + limits)


@contextmanager
def node_red(loads: ModuleType, folder: Path, influx: Influxd, gather: int) -> Iterator[Run]:
    folder.mkdir()
    for name in ("mosquitto", "node-red"):
        (folder / name).mkdir()
    httpx.post(f"{influx.url}/query", params={"q": f"CREATE DATABASE {DATABASE}"}, trust_env=False, verify=TLS)
    with (
        QuickMosquitto(folder / "mosquitto") as mosquitto,
        NodeRed(folder / "node-red", mosquitto.port, int(influx.url.rpartition(":")[2]), gather),
    ):
        yield lambda load: loads.load(mosquitto.port, "in/o/g/s{stream}", "live/#", load, "--settle", "20")  # type: ignore[no-any-return]  # JSON


def shared() -> ModuleType:
    """The loads, and the broker as they use it."""
    spec = util.spec_from_file_location("end_to_end", END_TO_END)
    assert spec is not None
    assert spec.loader is not None
    made = util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def compared(theirs: Run, ours: Run, loads: list[str], rounds: int) -> dict[str, Any]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = {"node_red": {}, "mitoyen": {}}
    for load in loads:
        for _ in range(rounds):
            for name, run in (("node_red", theirs), ("mitoyen", ours)):
                found[name].setdefault(load, []).append(run(load))
    rate = lambda one: one["end_to_end_records_per_s"]  # noqa: E731 - of one run
    p99 = lambda one: one["latency_ms"]["p99"] or 1e9  # noqa: E731 - likewise
    times = {
        f"{load}_times": [rate(ours) / max(1, rate(theirs)) for theirs, ours in _pairs(found, load)]
        for load in ("single", "pack50")
    }
    times["p99_times"] = [p99(theirs) / p99(ours) for theirs, ours in _pairs(found, "latency")]
    medians = {
        name: {
            "single_per_s": statistics.median(map(rate, of["single"])),
            "pack50_per_s": statistics.median(map(rate, of["pack50"])),
            "p99_ms": statistics.median(map(p99, of["latency"])),
            "lost": sum(one["lost"] for runs in of.values() for one in runs),
        }
        for name, of in found.items()
    }
    return {**medians, **{name: round(statistics.median(of), 2) for name, of in times.items()}}


def _pairs(found: dict[str, dict[str, list[dict[str, Any]]]], load: str) -> Iterator[tuple[Any, Any]]:
    return zip(found["node_red"][load], found["mitoyen"][load], strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flows", nargs="+", choices=FLOWS, default=list(FLOWS), help="the goal is on the first")
    a = parser.parse_args()
    if not END_TO_END.exists():
        print(json.dumps({"left_out": f"{END_TO_END} is not there", "goal": {"holds": True}}))
        return
    loads = shared()
    with tempfile.TemporaryDirectory(prefix="mitoyen-bench-") as name:
        folder = Path(name)
        (folder / "influx").mkdir()
        mitoyen = str(Path(sys.executable).with_name("mitoyen"))
        found = {}
        with Influxd(folder / "influx") as influx, loads.mitoyen(mitoyen, f"influx:{influx.url}") as ours:
            for flow in a.flows:
                with node_red(loads, folder / flow, influx, FLOWS[flow]) as theirs:
                    found[flow] = compared(theirs, ours, list(loads.LOADS), a.rounds)
    judged = found[a.flows[0]]
    holds = (
        min(judged[f"{one}_times"] for one in ("single", "pack50", "p99")) >= TIMES and not judged["mitoyen"]["lost"]
    )
    print(json.dumps({**found, "goal": {"times": TIMES, "holds": holds}}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
