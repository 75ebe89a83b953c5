"""SIGKILL at random points, round after round, of everything that runs; and SIGSTOP."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.faults.reconcile import reconciled
from bench.faults.world import OWNER, World
from broker.partition import Partitions
from tests.servers import Influxd, Mitoyen

SEED = 20_260_101
WHOLE = "supervisor"
"""All but Mosquitto, which goes on queueing."""
PARTS = ("broker", "keeper", "api", "cameras", WHOLE, "influxd")
ITS_OWN = (
    ("worker-0", "worker-1", "worker-0", "keeper-0", "access"),
    ("worker-1", "worker-0", "worker-1", "keeper-1", "access"),
)
"""What dies, by the partition that messages come in: its own worker most of all."""
STOPPED = ("broker", "keeper", "api", "cameras", "mosquitto")
PROGRESS_S = 90.0  # a part that dies again and again is started after 5 s; a busy machine takes its time
MOST_BETWEEN = 700  # answers between two kills


def without_mosquitto(folder: Path, *, rounds: int, rate: float, store: str = "influx") -> dict[str, Any]:
    """Everything but Mosquitto dies: neither a receipt nor a PUBACK is broken."""
    return _killed(folder, rounds, rate, store, PARTS if store == "influx" else PARTS[:-1])


def with_mosquitto(folder: Path, *, rounds: int, rate: float, store: str = "influx") -> dict[str, Any]:
    """Mosquitto dies, and now and then the broker: no receipt is broken, and what plain publishers lose is counted."""
    return _killed(folder, rounds, rate, store, ("mosquitto", "mosquitto", "broker", "mosquitto"))


def workers(folder: Path, *, rounds: int, rate: float) -> dict[str, Any]:
    """One of several workers dies, or what stands beside them: neither a receipt nor a PUBACK is broken."""
    own = Partitions(len(ITS_OWN)).of(OWNER)
    return _killed(folder, rounds, rate, "sqlite", ITS_OWN[own], {"PARTITIONS": str(len(ITS_OWN))})


def hung(folder: Path, *, rate: float) -> dict[str, Any]:
    """SIGSTOP of each, Mosquitto last: what gets no further is killed, started again and counted."""
    with Mitoyen(folder, environment={"HANGS_AFTER": "PT5S"}) as broker:
        world, stalled = World.made(broker), 0
        with world.load(rate) as load:
            for victim in STOPPED:
                stalled += not load.await_answers(100, PROGRESS_S)
                _stop(broker, victim)
            stalled += not load.await_answers(100, PROGRESS_S)
            found = reconciled(world, load, may_lose=True)
        counted = {one: broker.metric(f'mitoyen_part_restarts_total{{part="{one}",reason="hung"}}') for one in STOPPED}
    found["holds"] = found["holds"] and not stalled and all(count == 1 for count in counted.values())
    return {"started_again": counted, "stalled": stalled, **found}


def _stop(broker: Mitoyen, name: str) -> None:
    process = broker.part(name)
    os.kill(process, signal.SIGSTOP)
    broker.await_that(lambda: broker.runs_other(name, process), f"{name} hangs")


def _killed(
    folder: Path, rounds: int, rate: float, store: str, parts: Sequence[str], environment: dict[str, str] | None = None
) -> dict[str, Any]:
    chance = random.Random(SEED)  # noqa: S311 - what to kill and when, the same each time
    victims = list(islice(cycle(parts), rounds))
    chance.shuffle(victims)
    stalled = 0
    with ExitStack() as stack:
        influxd = stack.enter_context(Influxd(folder)) if store == "influx" else None
        broker = stack.enter_context(
            Mitoyen(folder, store=f"influx:{influxd.url}" if influxd else "sqlite", environment=environment)
        )
        world = World.made(broker)
        load = stack.enter_context(world.load(rate))
        for victim in victims:
            stalled += not load.await_answers(chance.randint(1, MOST_BETWEEN), PROGRESS_S)
            _kill(broker, influxd, victim)
        stalled += not load.await_answers(MOST_BETWEEN, PROGRESS_S)
        found = reconciled(world, load, may_lose="mosquitto" in victims)
    found["holds"] = found["holds"] and not stalled
    return {"rounds": rounds, "killed": dict(Counter(victims)), "stalled": stalled, **found}


def _kill(broker: Mitoyen, influxd: Influxd | None, name: str) -> None:
    if name == WHOLE:
        broker.kill_whole()
        broker.start()
    elif name == "influxd":
        assert influxd is not None
        influxd.kill()
        influxd.start()
    else:
        broker.kill(name)
