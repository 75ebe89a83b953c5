"""How much a broker takes, and what it costs, on one machine's journal and on NATS with 1 to 4 partitions and with two edges.

    .venv/bin/python -m bench.cluster.throughput [--messages 20000] [--only sqlite nats_2]

Each partition has an organisation, with a gateway that sends as fast as QoS 1 allows and an application that hears it all: single observations,
then packs of 50. All of it, the load and NATS's three servers included, runs on this machine, so the rates say where its cores are full; what
scales is the processor time a record, by kind of process, which `docs/scaling.md` calculates with. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cluster.world import servers
from broker.partition import spread
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.servers import Mitoyen

LOAD = Path(__file__).parents[3] / "shared" / "bench" / "load.py"
SETUPS: dict[str, dict[str, Any]] = {
    "sqlite": {"partitions": 1, "edges": 1, "journal": "sqlite"},
    "nats_1": {"partitions": 1, "edges": 1},
    "nats_2": {"partitions": 2, "edges": 1},
    "nats_3": {"partitions": 3, "edges": 1},
    "nats_4": {"partitions": 4, "edges": 1},
    "edges_2": {"partitions": 3, "edges": 2},
}
DATASTREAMS = 25
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def measured(name: str, messages: int) -> dict[str, Any]:
    """Records a second and processor microseconds a record, of one setup."""
    setup = SETUPS[name]
    with tempfile.TemporaryDirectory(prefix="mitoyen-throughput-") as folder:
        (Path(folder) / "city").mkdir()
        with servers(Path(folder), partitions=setup["partitions"], edges=setup["edges"]) as environment:
            own = {key.removeprefix("MITOYEN_"): value for key, value in environment.items()}
            own["JOURNAL"] = setup.get("journal", own["JOURNAL"])
            with Mitoyen(Path(folder) / "city", store=own.pop("STORE"), environment=own) as broker:
                loads = [
                    _set_up(broker, one, setup["edges"]) for one in _organisations(setup["partitions"], setup["edges"])
                ]
                single = ["--messages", str(messages // len(loads))]
                packs = ["--messages", str(messages // 5 // len(loads)), "--records", "50"]
                return {"single": _run(broker, loads, single), "packs_of_50": _run(broker, loads, packs)}


def _organisations(partitions: int, edges: int) -> list[str]:
    """One for each partition, at the Mosquittos in turn."""
    names = [f"o{number}" for number in range(100 * partitions * edges)]
    wanted = [(number, number % edges) for number in range(partitions)]
    return [next(name for name in names if (spread(name, partitions), spread(name, edges)) == both) for both in wanted]


def _set_up(broker: Mitoyen, organisation: str, edges: int) -> list[str]:
    """The arguments of a load: an owner with datastreams that are offered as they are, and a reader at its Mosquitto that agreed."""
    readers = (f"r{number}-{organisation}" for number in itertools.count())
    beside = next(name for name in readers if spread(f"{name}-org", edges) == spread(organisation, edges))
    owner, reader = new_owner(broker, organisation), new_reader(broker, beside)
    names = [f"s{number}" for number in range(DATASTREAMS)]
    for name in names:
        owner.datastream(name)
    offer = owner.offer(names)
    reader.agree(offer["id"])
    return _arguments(owner, reader, offer)


def _arguments(owner: Owner, reader: Reader, offer: dict[str, Any]) -> list[str]:
    published = owner.mqtt["topic"].replace("{datastream}", "s{stream}")
    heard = "/".join([*offer["releases"][0]["topic"].split("/")[:3], "+"])
    logins = (("in", owner.mqtt), ("out", reader.mqtt))
    who = [
        f"--{way}-{what}={login[what.replace('user', 'username')]}"
        for way, login in logins
        for what in ("user", "password")
    ]
    return [f"--port={owner.mqtt['port']}", f"--in={published}", f"--out={heard}", f"--streams={DATASTREAMS}", *who]


def _run(broker: Mitoyen, loads: list[list[str]], which: list[str]) -> dict[str, Any]:
    before = _processor_s(broker)
    running = [
        subprocess.Popen(
            [sys.executable, str(LOAD), *load, *which, "--settle", "30"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=LOAD.parent,
        )
        for load in loads
    ]
    answers = [json.loads(one.communicate()[0].strip().splitlines()[-1]) for one in running]
    records = sum(int(which[1]) * (int(which[3]) if len(which) > 2 else 1) for _ in loads)  # noqa: PLR2004 - whether packs
    _until_quiet(lambda: _processor_s(broker))
    spent = _processor_s(broker) - before
    return {
        "records_per_s": round(sum(one["end_to_end_records_per_s"] for one in answers)),
        "p99_ms": max(one["latency_ms"]["p99"] or 0 for one in answers),
        "lost": sum(one["lost"] for one in answers),
        "microseconds_a_record": {kind: round(seconds / records * 1e6, 1) for kind, seconds in sorted(spent.items())},
    }


def _until_quiet(processor_s: Callable[[], Counter[str]]) -> None:
    """What was taken in is stored: the keepers rest."""
    last = processor_s()["keeper"]
    while True:
        time.sleep(1)
        now = processor_s()["keeper"]
        if now - last < 0.3:  # noqa: PLR2004 - a rest costs a tenth of a second
            return
        last = now


def _processor_s(broker: Mitoyen) -> Counter[str]:
    """Seconds that all processes of the broker and its servers had, by kind."""
    spent: Counter[str] = Counter()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        kind = _kind(command, str(broker.directory.parent))
        if kind:
            spent[kind] += (int(fields[11]) + int(fields[12])) * TICK_S
    return spent


def _kind(command: str, folder: str) -> str | None:
    """Of a process of ours: all their command lines name our folder."""
    if folder not in command:
        return None
    if " mitoyen.part " in command:
        part = command.partition(" mitoyen.part ")[2].split()[0].partition("-")[0]
        return "worker" if part == "broker" else part
    program = command.split(maxsplit=1)[0]
    if "mosquitto" in program:  # each by itself: it is the one that takes no second core
        return Path(command.rsplit(maxsplit=1)[-1]).parent.name
    return next((kind for kind in ("nats-server", "influxd") if kind in program), None)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=20_000)
    arguments.add_argument("--only", nargs="+", choices=SETUPS, default=list(SETUPS))
    asked = arguments.parse_args()
    found = {name: measured(name, asked.messages) for name in asked.only}
    print(json.dumps(found))
    return 0 if all(run["lost"] == 0 for setup in found.values() for run in setup.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
