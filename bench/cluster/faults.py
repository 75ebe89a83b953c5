"""Kill what a cluster stands on at random points, while publishers wait for receipts and applications come and go.

    make faults-cluster        .venv/bin/python -m bench.cluster.faults [--minutes 5] [--rate 1500] [--only KIND ...] [--keep DIR]

Dies, by SIGKILL, and is started again: NATS's leader of a partition, one that follows it, a process that takes in at an edge, an edge's Mosquitto, a worker,
a keeper, PostgreSQL. Prints one line of JSON; exit code 0 only if nothing that had a receipt is lost or doubled, every release is what follows
from what is kept, no window with noise was told twice otherwise, receipts never stalled for more than 15 s, and nobody was
delivered anything a second after a revocation was answered. What dies is logged as it does; of what is missing `evidence.py` says where
it got to, and `--keep` leaves the whole city and all that its journal ever held in a new folder.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from bench.cluster import evidence
from bench.cluster.evidence import Death
from bench.cluster.watching import WATCHED, Leaving, Stalls, Windows
from bench.cluster.world import PARTITIONS, Cluster, cluster
from bench.faults.load import Load
from bench.faults.reconcile import reconciled
from bench.faults.world import DATASTREAMS, World
from broker import secrets
from broker.partition import spread
from tests.servers import Mitoyen

SEED = 20_260_101
KINDS = ("leader", "edge", "follower", "worker", "mosquitto", "postgresql", "keeper")
OWNERS = ("station", "south")
assert [spread(name, 2) for name in OWNERS] == [0, 1], "one for each edge"
assert {spread(name, PARTITIONS) for name in (*OWNERS, WATCHED)} == set(range(PARTITIONS)), "and for each partition"
PAUSE_S = (2.0, 6.0)
"""Between two kills, at least and at most."""
LONGEST_STALL_S = 15.0
SETTLE_S = 120.0
Kill = Callable[[], None]


def victims(broker: Mitoyen, servers: Cluster, chance: random.Random) -> Mapping[str, Kill]:
    """What dies, and how."""

    def stream() -> str:
        login = secrets.load(broker.home / "logins.json")["mitoyen.ingest"]
        return f"mitoyen_{login.client_id[:12]}_{chance.randrange(PARTITIONS)}"

    def part(kind: str, count: int) -> None:
        broker.kill(f"{kind}-{chance.randrange(count)}")

    def mosquitto() -> None:
        broker.kill(str(broker.home / chance.choice(("mosquitto", "mosquitto-1")) / "mosquitto.conf"))

    return {
        "leader": lambda: servers.kill_nats(stream(), leads=True),
        "edge": lambda: part("edge", len(OWNERS)),
        "follower": lambda: servers.kill_nats(stream(), leads=False),
        "worker": lambda: part("worker", PARTITIONS),
        "mosquitto": mosquitto,
        "postgresql": servers.kill_postgres,
        "keeper": lambda: part("keeper", PARTITIONS),
    }


def run(
    folder: Path, minutes: float, rate: float, kinds: Sequence[str] = KINDS, *, keep: bool = False
) -> dict[str, Any]:
    """What was found; `holds` is the verdict. `keep`: all that the journal holds."""
    chance = random.Random(SEED)  # noqa: S311 - what dies and when, the same each time
    (folder / "city").mkdir()
    with ExitStack() as stack:
        servers = stack.enter_context(cluster(folder, partitions=PARTITIONS, edges=len(OWNERS)))
        own = {name.removeprefix("MITOYEN_"): value for name, value in servers.settings.items()}
        store = own.pop("STORE")
        broker = stack.enter_context(Mitoyen(folder / "city", store=store, environment={**own, "LATENESS": "PT5S"}))
        if keep:
            stack.enter_context(evidence.Held(broker))
        worlds = [World.made(broker, name) for name in OWNERS]
        windows = stack.enter_context(Windows(broker))
        leaving = Leaving(worlds[0])
        loads = [stack.enter_context(world.load(rate / 4, all_certain=True)) for world in worlds]
        with Stalls(loads) as stalls:
            deaths = _killed(victims(broker, servers, chance), kinds, minutes, chance, leaving)
        windows.stop()
        for load in loads:  # all of them before any is compared: as long as one flows, its partition is not settled
            load.settle(SETTLE_S)
        found = [reconciled(world, load) for world, load in zip(worlds, loads, strict=True)]
        windows.settle()
        where = evidence.journalled(broker) if keep else {}
        missing = [one for each in zip(worlds, loads, found, strict=True) for one in _missing(*each, deaths, where)]
    return _judged(deaths, found, missing, windows, leaving, stalls)


def _killed(
    ways: Mapping[str, Kill], kinds: Sequence[str], minutes: float, chance: random.Random, leaving: Leaving
) -> list[Death]:
    """Have one after the other die until time is up."""
    deaths: list[Death] = []
    until = time.monotonic() + minutes * 60
    for kind in cycle(kinds):
        time.sleep(chance.uniform(*PAUSE_S))
        if time.monotonic() > until:
            return deaths
        deaths.append(Death(time.time(), kind))
        print(f"{deaths[-1].at:.2f} {kind}", file=sys.stderr, flush=True)
        ways[kind]()
        leaving.once()
    return deaths


def _missing(
    world: World, load: Load, found: Mapping[str, Any], deaths: Sequence[Death], where: evidence.Where
) -> list[dict[str, Any]]:
    return [
        one
        for publisher in load.publishers
        for one in evidence.of_missing(world, publisher, found[publisher.datastream]["missing"], deaths, where)
    ]


def _judged(
    deaths: Sequence[Death],
    found: Sequence[Mapping[str, Any]],
    missing: Sequence[Mapping[str, Any]],
    windows: Windows,
    leaving: Leaving,
    stalls: Stalls,
) -> dict[str, Any]:
    took = np.array(leaving.took_ms)
    receipts, lost, doubled = (
        sum(one[name][what] for one in found for name in DATASTREAMS) for what in ("promised", "lost", "doubled")
    )
    seen = {
        "killed": dict(Counter(death.kind for death in deaths)),
        "receipts": receipts,
        "lost": lost,
        "doubled": doubled,
        "missing": missing,
        "windows": windows.told,
        "windows_told_otherwise": windows.otherwise,
        "longest_stall_s": round(stalls.longest_s, 1),
        "revocations": len(took),
        "revoked_after_ms": {
            name: round(float(np.percentile(took, q))) for name, q in (("p50", 50), ("p99", 99), ("max", 100))
        },
        "heard_before_revocation": leaving.heard_before,
        "heard_after_revocation": leaving.heard_after,
        "reconciled": [one["holds"] for one in found],
    }
    holds = (
        all(seen["reconciled"])
        and not (lost or doubled or windows.otherwise or leaving.heard_after)
        and windows.told > 0
        and leaving.heard_before > len(took) / 2
        and stalls.longest_s <= LONGEST_STALL_S
    )
    return {**seen, "details": found, "holds": bool(holds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=float, default=1_500, help="records a second of all publishers together")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="what dies")
    parser.add_argument("--keep", type=Path, help="a new folder that all of it stays in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-faults-cluster-", ignore_cleanup_errors=True) as folder:
        if asked.keep is not None:
            asked.keep.mkdir()
        found = run(asked.keep or Path(folder), asked.minutes, asked.rate, asked.only, keep=asked.keep is not None)
    print(json.dumps(found))
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
