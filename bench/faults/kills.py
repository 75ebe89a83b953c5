"""SIGKILL at random points, round after round, of everything that runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.faults.reconcile import reconciled
from bench.faults.world import World
from tests.servers import Influxd, Mitoyen

SEED = 20_260_101
WHOLE = "supervisor"
"""All but Mosquitto, which goes on queueing."""
PARTS = ("broker", "keeper", "api", "cameras", WHOLE, "influxd")
PROGRESS_S = 90.0  # a part that dies again and again is started after 5 s; a busy machine takes its time
MOST_BETWEEN = 700  # answers between two kills


def without_mosquitto(folder: Path, *, rounds: int, rate: float, store: str = "influx") -> dict[str, Any]:
    """Everything but Mosquitto dies: neither a receipt nor a PUBACK is broken."""
    return _killed(folder, rounds, rate, store, PARTS if store == "influx" else PARTS[:-1])


def with_mosquitto(folder: Path, *, rounds: int, rate: float, store: str = "influx") -> dict[str, Any]:
    """Mosquitto dies, and now and then the broker: no receipt is broken, and what plain publishers lose is counted."""
    return _killed(folder, rounds, rate, store, ("mosquitto", "mosquitto", "broker", "mosquitto"))


def _killed(folder: Path, rounds: int, rate: float, store: str, parts: Sequence[str]) -> dict[str, Any]:
    chance = random.Random(SEED)  # noqa: S311 - what to kill and when, the same each time
    victims = list(islice(cycle(parts), rounds))
    chance.shuffle(victims)
    stalled = 0
    with ExitStack() as stack:
        influxd = stack.enter_context(Influxd(folder)) if store == "influx" else None
        broker = stack.enter_context(Mitoyen(folder, store=f"influx:{influxd.url}" if influxd else "sqlite"))
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
