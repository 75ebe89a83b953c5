"""A disk that is full: of the whole home, of InfluxDB, of Mosquitto. Each is a small tmpfs, filled to the last byte and emptied again.

While it is full nothing is acknowledged that can't be kept; whatever is in the way says so; and when there is room it goes on by itself.
Needs root, to mount.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.faults.load import Load
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from tests.servers import Influxd, Mitoyen

SIZE_MB = 96
PROGRESS_S = 90.0
QUIET_S = 2.0  # with nothing answered for so long, nothing is
CHUNK = 1 << 16


class Disk:
    """A file system of its own, and a file that takes what is left of it."""

    def __init__(self, at: Path) -> None:
        self._at = at
        self._filler = at / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file:
            for size in (CHUNK, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue

    def clear(self) -> None:
        self._filler.unlink()


@contextmanager
def disk(at: Path) -> Iterator[Disk]:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "mitoyen-faults", str(at)], check=True)
    try:
        yield Disk(at)
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def home_full(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """Journal, stores and registry share it: nothing is acknowledged, a change of the registry is refused with 503, nothing is lost."""
    with disk(folder / "home") as full, Mitoyen(folder) as broker:
        return _filled(World.made(broker), full, lasting_s, rate, _registry_says)


def store_full(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """InfluxDB can't write: receipts go on, and the journal holds what came. InfluxDB 1.6 fails until it is started again."""
    own = folder / "influxd"
    with disk(own) as full, Influxd(own) as influxd, Mitoyen(folder, store=f"influx:{influxd.url}") as broker:

        def again() -> None:
            full.clear()
            influxd.stop()
            influxd.start()

        return _filled(World.made(broker), full, lasting_s, rate, _goes_on, clear=again)


def mosquitto_full(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """It holds messages in memory, so they flow; it is killed meanwhile, and starts when its rules can be written again."""
    own = folder / "home" / "mosquitto"
    own.parent.mkdir()
    with disk(own) as full, Mitoyen(folder) as broker:
        return _filled(World.made(broker), full, lasting_s, rate, _kill_mosquitto, may_lose=True)


Look = Callable[[World, Load], dict[str, Any]]


def _filled(
    world: World,
    full: Disk,
    lasting_s: float,
    rate: float,
    look: Look,
    *,
    may_lose: bool = False,
    clear: Callable[[], None] | None = None,
) -> dict[str, Any]:
    with world.load(rate) as load:
        began = load.await_answers(100, PROGRESS_S)
        full.fill()
        end = time.monotonic() + lasting_s
        told = look(world, load)
        time.sleep(max(0.0, end - time.monotonic()))
        (clear or full.clear)()
        cleared = time.monotonic()
        ended = load.await_answers(100, PROGRESS_S)
        after_s = round(time.monotonic() - cleared, 1)
        found = reconciled(world, load, may_lose=may_lose)
    found["holds"] = found["holds"] and began and ended and all(told.values())
    return {**told, "goes_on_after_s": after_s, **found}


def _registry_says(world: World, load: Load) -> dict[str, Any]:
    until = time.monotonic() + PROGRESS_S
    while load.await_answers(1, QUIET_S) and time.monotonic() < until:
        """Files had some room of their own."""
    stopped = time.monotonic() < until
    with world.broker.client(world.owner.key) as client:
        body = {"id": "another", "gateway": "g", "kind": "measurement"}
        answer = client.post("/api/v1/datastreams", json=body)
    return {"stopped": stopped, "registry_refuses": answer.status_code == httpx.codes.SERVICE_UNAVAILABLE}


def _goes_on(_world: World, load: Load) -> dict[str, Any]:
    return {"goes_on": load.await_answers(1_000, PROGRESS_S)}


def _kill_mosquitto(world: World, load: Load) -> dict[str, Any]:
    goes_on = load.await_answers(300, PROGRESS_S)
    world.broker.kill("mosquitto")
    world.broker.await_that(lambda: "part_not_started" in world.broker.log(), "it was not tried again")
    return {"goes_on": goes_on}
