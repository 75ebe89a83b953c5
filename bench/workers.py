"""What one and two workers take beside each other, and what a message costs each process: where more cores help, and what is in the way next.

    .venv/bin/python -m bench.workers [--messages 10000] [--rounds 3] [--store sqlite|influx]

Two organisations, one in each of two partitions, publish as fast as QoS 1 allows, single observations and packs of 50, and an application of each is
delivered them; round by round in turn at a broker with one partition and at one with two. Rates are of a machine whose cores everyone shares;
what a message costs a process (its time on a CPU, from /proc) is not, and the inverse is what that process can take at most. Prints one
JSON object. Needs `../shared/bench/load.py`, the load generator beside the project.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.live import cpu_s
from broker.partition import Partitions
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.servers import Influxd, Mitoyen

LOAD = Path(__file__).parents[2] / "shared" / "bench" / "load.py"
PACK = 50
STREAMS = 20
OWNERS = ("port", "hills")
assert {Partitions(2).of(name) for name in OWNERS} == {0, 1}
PARTS = {
    1: ("mosquitto", "broker", "keeper"),
    2: ("mosquitto", "access", "worker-0", "worker-1", "keeper-0", "keeper-1"),
}


@dataclass(frozen=True, slots=True)
class City:
    """A broker, and of each owner how a load logs in, and where it is heard."""

    broker: Mitoyen
    partitions: int
    loads: tuple[tuple[str, ...], ...]

    @classmethod
    def made(cls, broker: Mitoyen, partitions: int) -> City:
        return cls(
            broker,
            partitions,
            tuple(_login(new_owner(broker, name), new_reader(broker, f"of-{name}")) for name in OWNERS),
        )

    def round(self, messages: int, records: int) -> tuple[float, dict[str, float]]:
        """Records a second of all owners together, and µs a message on a CPU by kind of process."""
        parts = {name: self.broker.part(name) for name in PARTS[self.partitions]}
        before = {name: cpu_s(pid) for name, pid in parts.items()}
        more = ("--messages", str(messages), "--records", str(records), "--streams", str(STREAMS), "--settle", "60")
        running = [
            subprocess.Popen([sys.executable, str(LOAD), *login, *more], stdout=subprocess.PIPE) for login in self.loads
        ]
        said = [json.loads(one.communicate()[0]) for one in running]
        if any(one["lost"] or one["duplicates"] for one in said):
            raise SystemExit(f"lost or doubled: {said}")
        self.broker.await_metric("mitoyen_store_behind_batches", lambda behind: behind == 0)
        costs: dict[str, float] = defaultdict(float)
        for name, pid in parts.items():
            costs[name.partition("-")[0]] += (cpu_s(pid) - before[name]) * 1e6 / (messages * len(OWNERS))
        return sum(one["end_to_end_records_per_s"] for one in said), costs


def _login(owner: Owner, reader: Reader) -> tuple[str, ...]:
    names = [f"s{number}" for number in range(STREAMS)]
    for name in names:
        owner.datastream(name)
    offer = owner.offer(names)
    reader.agree(offer["id"])
    inward, outward = owner.mqtt, reader.mqtt
    topics = ("--in", f"in/{owner.id}/g/s{{stream}}", "--out", f"live/{owner.id}/{offer['id']}/+")
    own = (f"--in-user={inward['username']}", f"--in-password={inward['password']}")
    other = (f"--out-user={outward['username']}", f"--out-password={outward['password']}")
    return (*topics, "--port", str(inward["port"]), *own, *other)


def _together(rounds: list[tuple[float, dict[str, float]]]) -> dict[str, Any]:
    costs = {name: round(statistics.median(one[1][name] for one in rounds), 1) for name in rounds[0][1]}
    return {"records_per_s": round(statistics.median(one[0] for one in rounds)), "us_a_message": costs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="of each owner and round; of packs a tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", choices=("sqlite", "influx"), default="sqlite")
    asked = parser.parse_args()
    found: dict[str, dict[int, list[tuple[float, dict[str, float]]]]] = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="mitoyen-workers-", ignore_cleanup_errors=True))
        )
        store = f"influx:{stack.enter_context(Influxd(folder)).url}" if asked.store == "influx" else "sqlite"
        cities = []
        for partitions in PARTS:
            own = folder / str(partitions)
            own.mkdir()
            broker = stack.enter_context(Mitoyen(own, store=store, environment={"PARTITIONS": str(partitions)}))
            cities.append(City.made(broker, partitions))
        for _ in range(asked.rounds):
            for city in cities:
                found["single"][city.partitions].append(city.round(asked.messages, 1))
                found["pack50"][city.partitions].append(city.round(asked.messages // 10, PACK))
    print(json.dumps({load: {n: _together(rounds) for n, rounds in of.items()} for load, of in found.items()}))


if __name__ == "__main__":
    main()
