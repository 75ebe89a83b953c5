"""Kill what a cluster stands on at random points, while publishers wait for receipts and applications come and go.

    make faults-cluster        .venv/bin/python -m bench.cluster.faults [--minutes 5] [--rate 1500]

Dies, by SIGKILL, and is started again: NATS's leader of a partition, one that follows it, a process that takes in at an edge, an edge's Mosquitto, a worker,
a keeper, PostgreSQL. Prints one line of JSON; exit code 0 only if nothing that had a receipt is lost or doubled, every release is what follows
from what is kept, no window with noise was told twice otherwise, receipts never stalled for more than 15 s, and nobody was
delivered anything a second after a revocation was answered.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from bench.cluster.watching import Leaving, Stalls, Windows
from bench.cluster.world import Cluster, cluster
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from broker import secrets
from broker.partition import spread
from tests.servers import Mitoyen

SEED = 20_260_101
PARTITIONS = 3
OWNERS = ("north", "river")
assert [spread(name, 2) for name in OWNERS] == [0, 1]
PAUSE_S = (2.0, 6.0)
"""Between two kills, at least and at most."""
LONGEST_STALL_S = 15.0
Kill = Callable[[], None]


def victims(broker: Mitoyen, servers: Cluster, chance: random.Random) -> Mapping[str, Kill]:
    """What dies, and how."""
    own = [spread(name, PARTITIONS) for name in OWNERS]

    def stream() -> str:
        login = secrets.load(broker.home / "logins.json")["mitoyen.ingest"]
        return f"mitoyen_{login.client_id[:12]}_{chance.choice(own)}"

    def leader() -> None:
        servers.kill_nats(stream(), leads=True)

    def follower() -> None:
        servers.kill_nats(stream(), leads=False)

    return {
        "leader": leader,
        "edge": lambda: _kill(broker, f"edge-{chance.randrange(len(OWNERS))}"),
        "follower": follower,
        "worker": lambda: _kill(broker, f"worker-{chance.choice(own)}"),
        "mosquitto": lambda: _kill(
            broker, str(broker.home / chance.choice(("mosquitto", "mosquitto-1")) / "mosquitto.conf")
        ),
        "postgresql": servers.kill_postgres,
        "keeper": lambda: _kill(broker, f"keeper-{chance.choice(own)}"),
    }


def _kill(broker: Mitoyen, part: str) -> None:
    broker.kill(part)


def run(folder: Path, minutes: float, rate: float) -> dict[str, Any]:
    """What was found; `holds` is the verdict."""
    chance = random.Random(SEED)  # noqa: S311 - what dies and when, the same each time
    (folder / "city").mkdir()
    with ExitStack() as stack:
        servers = stack.enter_context(cluster(folder, partitions=PARTITIONS, edges=len(OWNERS)))
        own = {name.removeprefix("MITOYEN_"): value for name, value in servers.settings.items()}
        store = own.pop("STORE")
        broker = stack.enter_context(Mitoyen(folder / "city", store=store, environment={**own, "LATENESS": "PT5S"}))
        worlds = [World.made(broker, name) for name in OWNERS]
        windows = stack.enter_context(Windows(broker))
        leaving = Leaving(worlds[0])
        loads = [stack.enter_context(world.load(rate / 4, all_certain=True)) for world in worlds]
        stalls = stack.enter_context(Stalls(loads))
        killed: Counter[str] = Counter()
        until = time.monotonic() + minutes * 60
        ways = victims(broker, servers, chance)
        for name in cycle(ways):
            if time.monotonic() > until:
                break
            time.sleep(chance.uniform(*PAUSE_S))
            ways[name]()
            killed[name] += 1
            leaving.once()
        stalls.stop()
        found = [reconciled(world, load) for world, load in zip(worlds, loads, strict=True)]
        windows.settle()
    took = np.array(leaving.took_ms)
    seen = {
        "killed": dict(killed),
        "receipts": sum(one[name]["promised"] for one in found for name in ("certain", "plain")),
        "lost": sum(one[name]["lost"] for one in found for name in ("certain", "plain")),
        "doubled": sum(one[name]["doubled"] for one in found for name in ("certain", "plain")),
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
        and not (seen["lost"] or seen["doubled"] or windows.otherwise or leaving.heard_after)
        and windows.told > 0
        and leaving.heard_before > len(took) / 2
        and stalls.longest_s <= LONGEST_STALL_S
    )
    return {**seen, "details": found, "holds": bool(holds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=float, default=1_500, help="records a second of all publishers together")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mitoyen-faults-cluster-", ignore_cleanup_errors=True) as folder:
        found = run(Path(folder), asked.minutes, asked.rate)
    print(json.dumps(found))
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
