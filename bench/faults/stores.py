"""InfluxDB is away, slow, or answers errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.faults.load import BEGIN, Load
from bench.faults.proxies import Behaviour, Gate, failing, forward, refusing, slowly
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from broker import times
from tests.servers import Influxd, Mitoyen

PROGRESS_S = 60.0
POISON_EVERY = 1_000


def away(folder: Path, *, away_s: float, rate: float) -> dict[str, Any]:
    """Receipts come all the while; what came in is stored when it is back."""

    def fault(influxd: Influxd, _gate: Gate, load: Load) -> dict[str, Any]:
        influxd.stop()
        goes_on = _goes_on(load, away_s)
        influxd.start()
        return {"away_s": away_s, "goes_on": goes_on}

    return _case(folder, rate, fault)


def slow(folder: Path, *, lasting_s: float, rate: float, delay_s: float = 2.0) -> dict[str, Any]:
    """Each of its answers takes 2 s more."""
    return _case(folder, rate, _behaving(slowly(delay_s), lasting_s))


def erring(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """Half of the requests fail with 500, 503 or 429, of which half were done all the same."""
    return _case(folder, rate, _behaving(failing([500, 503, 429], one_in=2), lasting_s))


def refusing_some(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """Some points it never takes: all others are stored, and those are counted as refused."""
    return _case(folder, rate, lambda _influxd, _gate, load: {"goes_on": _goes_on(load, lasting_s)}, poisoned=True)


def _case(
    folder: Path, rate: float, fault: Callable[[Influxd, Gate, Load], dict[str, Any]], *, poisoned: bool = False
) -> dict[str, Any]:
    with Influxd(folder) as influxd, Gate(influxd.url) as gate, Mitoyen(folder, store=f"influx:{gate.url}") as broker:
        world = World.made(broker)
        gate.behave = refusing(_is_poison) if poisoned else forward
        with world.load(rate) as load:
            began = load.await_answers(100, PROGRESS_S)
            told = fault(influxd, gate, load)
            ended = load.await_answers(100, PROGRESS_S)
            poison = set(range(0, max(load.counts().values()), POISON_EVERY)) if poisoned else set()
            found = reconciled(world, load, not_kept=poison)
        failures = broker.metric("mitoyen_store_failures_total")
    found["holds"] = found["holds"] and began and ended and told["goes_on"]
    return {**told, "store_failures": failures, **found}


def _behaving(behaviour: Behaviour, lasting_s: float) -> Callable[[Influxd, Gate, Load], dict[str, Any]]:
    def fault(_influxd: Influxd, gate: Gate, load: Load) -> dict[str, Any]:
        gate.behave = behaviour
        goes_on = _goes_on(load, lasting_s)
        gate.behave = forward
        return {"goes_on": goes_on, "errors": gate.met}

    return fault


def _goes_on(load: Load, lasting_s: float) -> bool:
    """Wait so long; whether messages were answered all the while."""
    end, goes_on = time.monotonic() + lasting_s, True
    while time.monotonic() < end and goes_on:
        goes_on = load.await_answers(10, PROGRESS_S)
    return goes_on


def _is_poison(line: bytes) -> bool:
    """A message's point, raw or released; a window has `extra`."""
    moment = line.rpartition(b" ")[2]
    return b",extra=" not in line and (int(moment) - BEGIN) // times.SECOND % POISON_EVERY == 0
