"""What a broker stands on misbehaves: its clock is stepped, its registry is locked, Mosquitto answers nobody for a while."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from bench.faults.load import Load
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from tests.owners import Reader, new_reader
from tests.servers import Mitoyen

PROGRESS_S = 90.0
STEPS_S = (3_600, -3_600, 86_400, 0)
"""How far from the truth the clock goes, one after the other."""
LONGER_THAN_MOSQUITTO_MAY_TAKE_S = 12.0


class OtherClock(Mitoyen):
    """A broker, Mosquitto included, whose clock can be set, by Debian's libfaketime; what measures durations is not touched."""

    def command(self) -> list[str]:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        self.step(0)
        fake = [f"FAKETIME_TIMESTAMP_FILE={self._file}", "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        return ["env", f"LD_PRELOAD={library}", *fake, *super().command()]

    def step(self, seconds: int) -> None:
        """Set the clock so far from the truth."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.directory / "clock"


def clock_stepped(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """Forth, back, a day ahead, and right again."""
    with OtherClock(folder) as broker:

        def fault(_world: World, load: Load) -> dict[str, bool]:
            goes_on = {}
            for step in STEPS_S:
                broker.step(step)
                goes_on[f"{step:+d}_s"] = load.await_answers(200, PROGRESS_S)
                time.sleep(lasting_s)
            return goes_on

        return _case(World.made(broker), rate, fault)


def registry_locked(folder: Path, *, rate: float) -> dict[str, Any]:
    """Changes are refused with 503 while it is; messages flow."""
    with Mitoyen(folder) as broker:
        return _case(World.made(broker), rate, _lock)


def mosquitto_hangs(folder: Path, *, rate: float) -> dict[str, Any]:
    """It answers neither publishers nor a change of its rules; then changes are made again, and nothing is lost."""
    with Mitoyen(folder) as broker:
        return _case(World.made(broker), rate, _hang)


def _case(world: World, rate: float, fault: Callable[[World, Load], dict[str, bool]]) -> dict[str, Any]:
    with world.load(rate) as load:
        began = load.await_answers(100, PROGRESS_S)
        told = fault(world, load)
        ended = load.await_answers(100, PROGRESS_S)
        found = reconciled(world, load)
    found["holds"] = found["holds"] and began and ended and all(told.values())
    return {**told, **found}


def _lock(world: World, load: Load) -> dict[str, bool]:
    with closing(sqlite3.connect(world.broker.home / "registry.sqlite", isolation_level=None)) as other:
        other.execute("begin immediate")
        refused = _made(world, "meanwhile") == httpx.codes.SERVICE_UNAVAILABLE
        goes_on = load.await_answers(500, PROGRESS_S)
    return {"refused": refused, "goes_on": goes_on, "made_again": _made(world, "after") == httpx.codes.CREATED}


def _hang(world: World, _load: Load) -> dict[str, bool]:
    first, second = new_reader(world.broker, "first"), new_reader(world.broker, "second")
    mosquitto = world.broker.part("mosquitto")
    os.kill(mosquitto, signal.SIGSTOP)
    try:
        end = time.monotonic() + LONGER_THAN_MOSQUITTO_MAY_TAKE_S
        refused = _agrees(world, first) == httpx.codes.SERVICE_UNAVAILABLE
        time.sleep(max(0.0, end - time.monotonic()))
    finally:
        os.kill(mosquitto, signal.SIGCONT)
    world.broker.await_that(world.broker.ready, "it does not answer again")
    return {"refused": refused, "made_again": _agrees(world, second) == httpx.codes.CREATED}


def _made(world: World, name: str) -> int:
    """The status of making a datastream."""
    with world.broker.client(world.owner.key) as client:
        body = {"id": name, "gateway": "g", "kind": "measurement"}
        return client.post("/api/v1/datastreams", json=body, timeout=60).status_code


def _agrees(world: World, reader: Reader) -> int:
    """The status of an agreement."""
    with reader.broker.client(reader.key) as client:
        body = {"offer": world.offer("whole"), "application": reader.id, "purpose": "testing", "accept": True}
        return client.post("/api/v1/agreements", json=body, timeout=60).status_code
