"""A partition is given to another worker, again and again, while messages come in it."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.faults.reconcile import reconciled
from bench.faults.world import OWNER, World
from broker.partition import Partitions
from tests.servers import Mitoyen

WORKERS = 2
PROGRESS_S = 90.0
BETWEEN = 400  # answers between two moves


def moved(folder: Path, *, moves: int, rate: float) -> dict[str, Any]:
    """Nothing is lost or doubled, and both workers served it."""
    stalled = 0
    own = Partitions(WORKERS).of(OWNER)
    with Mitoyen(folder, environment={"PARTITIONS": str(WORKERS)}) as broker:
        world = World.made(broker)
        with world.load(rate) as load:
            for worker in islice(cycle((1 - own, own)), moves):
                stalled += not load.await_answers(BETWEEN, PROGRESS_S)
                move(broker, own, worker)
            stalled += not load.await_answers(BETWEEN, PROGRESS_S)
            found = reconciled(world, load)
        served = sum(served_times(broker, own, worker) for worker in range(WORKERS))
    found["holds"] = found["holds"] and not stalled and served > moves
    return {"moves": moves, "served": served, "stalled": stalled, **found}


def move(broker: Mitoyen, partition: int, worker: int) -> None:
    """Have another worker serve a partition; returns when it does."""
    before = served_times(broker, partition, worker)
    broker.run_command("partitions", "move", str(partition), str(worker), "--home", str(broker.home))
    broker.await_that(lambda: served_times(broker, partition, worker) > before, "it was not taken over")


def served_times(broker: Mitoyen, partition: int, worker: int) -> int:
    """How often a worker has begun to serve a partition."""
    told = {f"partition={partition}", f"worker={worker}", "event=partition_served"}
    return sum(told <= set(line.split()) for line in broker.log().splitlines())
