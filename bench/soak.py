"""Half of what the broker takes, for half an hour: nothing lost, memory flat, no descriptor leaked.

    make soak            .venv/bin/python -m bench.soak [--minutes 30]

First a flood from a publisher that waits for receipts says what the broker takes; then two publishers send half of that together. Memory and
descriptors of every process are looked at every few seconds; the slope is that of the last two thirds, by least squares, when caches have
filled. At the end the same reconciliation as after each case of `make faults`. Prints one line of JSON. Exit code 0 only if all of it holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.faults.limits import PARTS, resident_mb
from bench.faults.load import Load
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from tests.servers import Mitoyen

FLOOD_S = 10.0
SHARE = 0.5
LOOK_S = 0.5
GROWS_MB = 16.0
"""What a process may grow by, along the slope, in the time that is looked at: less than a flat line's own noise by garbage and caches."""
DESCRIPTORS = 8
"""How many more a process may have at the end than at any earlier time: connections come and go."""


def soak(folder: Path, minutes: float, *, flood_s: float = FLOOD_S, share: float = SHARE) -> dict[str, Any]:
    """What was found, and whether it holds; `flood_s`: how long it is measured what the broker takes, `share`: of that how much is sent."""
    with Mitoyen(folder) as broker:
        world = World.made(broker)
        with world.load(50) as load:
            capacity = _capacity(load, flood_s)
            for publisher in load.publishers:
                publisher.rate = capacity * share / len(load.publishers)
            before = load.counts().total()
            seen = _watched(broker, minutes * 60)
            sent = load.counts().total() - before
            found = reconciled(world, load)
    parts = {part: _summary(*columns) for part, columns in seen.items()}
    flat = all(one["grows_mb"] < GROWS_MB and one["more_descriptors"] <= DESCRIPTORS for one in parts.values())
    rates = {"capacity_per_s": round(capacity), "messages_per_s": round(sent / (minutes * 60))}
    return {"minutes": minutes, **rates, "processes": parts, **found, "holds": found["holds"] and flat}


def _capacity(load: Load, flood_s: float) -> float:
    """Messages a second that get their receipts, one publisher sending as fast as it can."""
    flood = load.publishers[0]
    flood.rate, flood.outstanding, flood.again_s = 1e9, 5_000, 60.0
    time.sleep(flood_s / 2)
    began, had = time.monotonic(), flood.sent - len(flood.waiting)
    time.sleep(flood_s)
    return (flood.sent - len(flood.waiting) - had) / (time.monotonic() - began)


def _watched(broker: Mitoyen, lasting_s: float) -> dict[str, tuple[list[float], list[float], list[int]]]:
    """Of each part: when (s), its memory (MB), its descriptors."""
    found: dict[str, tuple[list[float], list[float], list[int]]] = defaultdict(lambda: ([], [], []))
    began = time.monotonic()
    while (now := time.monotonic() - began) < lasting_s:
        for part in PARTS:
            process = broker.part(part)
            times, memory, descriptors = found[part]
            times.append(now)
            memory.append(resident_mb(process))
            descriptors.append(len(list(Path(f"/proc/{process}/fd").iterdir())))
        time.sleep(LOOK_S)
    return found


def _summary(times: list[float], memory: list[float], descriptors: list[int]) -> dict[str, float]:
    """The last two thirds."""
    begin = len(times) // 3
    slope = float(np.polyfit(times[begin:], memory[begin:], 1)[0])
    return {
        "memory_mb": memory[-1],
        "mb_per_hour": round(slope * 3_600, 1),
        "grows_mb": round(slope * (times[-1] - times[begin]), 2),
        "descriptors": descriptors[-1],
        "more_descriptors": descriptors[-1] - max(descriptors[begin:-1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    with tempfile.TemporaryDirectory(prefix="mitoyen-soak-") as folder:
        found = soak(Path(folder), parser.parse_args().minutes)
    print(json.dumps(found))
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
