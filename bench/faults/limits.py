"""Too much: a journal that is full, and more messages than the broker takes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Self

from bench.faults.load import BEGIN, TAKEN, Load, Publisher
from bench.faults.reconcile import await_whole, reconciled
from bench.faults.world import World
from broker import times
from tests.servers import Influxd, Mitoyen

PARTS = ("broker", "keeper", "api", "cameras", "mosquitto")
JOURNAL_MB, QUEUE_MB = 16, 4
MEMORY_MB = 600
"""What each process may take at most, in any of these."""
LARGE = "x" * 4_000
PROGRESS_S = 90.0
RECOVERED_S = 1.0
"""How old a released value is at most when the broker has caught up."""
RECOVERS_S = 10.0
LOOK_S = 0.5


class Memory:
    """The most that each part had, in MB, looked at now and then while the `with` lasts."""

    def __init__(self, broker: Mitoyen) -> None:
        self._broker, self._done = broker, threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory")
        self.most: dict[str, int] = {}

    def _look(self) -> None:
        while not self._done.wait(LOOK_S):
            for part in PARTS:
                try:
                    self.most[part] = max(self.most.get(part, 0), resident_mb(self._broker.part(part)))
                except (LookupError, OSError):
                    continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def resident_mb(process: int) -> int:
    """Memory that a process has now."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 >> 20


def own_resident_mb() -> int:
    """Memory that this process has now."""
    return resident_mb(os.getpid())


def large(number: int) -> bytes:
    """Message `number`, as a text of 4,000 characters."""
    return f'{{"time":"{times.text(BEGIN + number * times.SECOND)}","value":"{number} {LARGE}"}}'.encode()


def journal_full(folder: Path, *, rate: float) -> dict[str, Any]:
    """InfluxDB is away until the journal is full: then receipts stop, memory stays, and what Mosquitto drops of plain QoS 1 is counted."""
    settings = {"JOURNAL_LIMIT_MB": str(JOURNAL_MB), "QUEUE_MB": str(QUEUE_MB)}
    with (
        Influxd(folder) as influxd,
        Mitoyen(folder, store=f"influx:{influxd.url}", environment=settings) as broker,
        Memory(broker) as memory,
    ):
        world = World.made(broker)
        for name in ("large-certain", "large-plain"):
            world.owner.datastream(name)
        release = _agreed(world)
        influxd.stop()
        most = {"outstanding": 200}
        certain = Publisher(world.owner.mqtt, "large-certain", certain=True, rate=rate, make=large, **most)
        plain = Publisher(world.owner.mqtt, "large-plain", certain=False, rate=rate, make=large)
        with Load([certain, plain], []) as load:
            full = _awaited(lambda: broker.metric("mitoyen_journal_full_total") > 0)
            had = certain.sent - len(certain.waiting)
            time.sleep(5)
            stopped = certain.sent - len(certain.waiting) - had < most["outstanding"]
            before = plain.sent - len(plain.waiting)
            overflows = _awaited(lambda: plain.sent - len(plain.waiting) > before + 2 * QUEUE_MB * 250)
            plain.stop.set()
            influxd.start()
            answered = load.settle(PROGRESS_S)
            kept = {
                name: {int(str(one["value"]).split()[0]) for one in world.reader.history(release[name])}
                for name in release
            }
        dropped = len(plain.answered(TAKEN) - kept["large-plain"])
        told = _awaited(lambda: broker.metric("mitoyen_mosquitto_dropped_messages") >= dropped)
    certain_lost = len(certain.answered(TAKEN) - kept["large-certain"])
    return {
        "journal_full": full, "receipts_stopped": stopped, "answered": answered, "certain_lost": certain_lost,
        "plain_acknowledged": len(plain.answered(TAKEN)), "plain_dropped_by_mosquitto": dropped, "told_by_metrics": told,
        "memory_mb": memory.most,
        "holds": full and stopped and overflows and answered and told and not certain_lost and max(memory.most.values()) < MEMORY_MB,
    }  # fmt: skip


def _agreed(world: World) -> dict[str, str]:
    """The releases of what is large, by datastream."""
    offer = world.owner.offer(["large-certain", "large-plain"], id="large")
    world.reader.agree(offer["id"])
    return {release["datastream"]: release["id"] for release in offer["releases"]}


def _awaited(holds: Any) -> bool:  # noqa: ANN401 - a function
    until = time.monotonic() + PROGRESS_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def overloaded(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """More than the broker takes, by publishers that wait for receipts: live is late, nothing breaks, and soon after it is in time."""
    with Mitoyen(folder) as broker, Memory(broker) as memory:
        world = World.made(broker)
        with world.load(rate) as load:
            flood, probe = load.publishers
            load.await_answers(int(rate), PROGRESS_S)
            _awaited(lambda: _newest(load, probe))
            before, sent = _age_s(load, probe), flood.sent
            flood.outstanding, flood.rate, flood.again_s = 20_000, 1e9, PROGRESS_S
            began, ages = time.monotonic(), [0.0]
            while time.monotonic() - began < lasting_s:
                time.sleep(LOOK_S)
                ages.append(_age_s(load, probe))
            taken = flood.sent - sent
            flood.rate, flood.outstanding = rate, 2_000
            fell = time.monotonic()
            recovered = _awaited(lambda: _age_s(load, probe) < RECOVERED_S)
            after_s = time.monotonic() - fell
            load.settle(PROGRESS_S)
            ceased = time.monotonic()
            await_whole(world, "minutes")
            whole_s = time.monotonic() - ceased
            found = reconciled(world, load, within_s=PROGRESS_S)
    bounded = max(memory.most.values()) < MEMORY_MB
    found["holds"] = found["holds"] and recovered and max(after_s, whole_s) < RECOVERS_S and bounded
    return {
        "messages_per_s": round(taken / lasting_s), "age_s": {"before": round(before, 2), "most": round(max(ages), 2)},
        "recovered_after_s": round(after_s, 1), "history_whole_after_s": round(whole_s, 1), "memory_mb": memory.most, **found,
    }  # fmt: skip


def _newest(load: Load, of: Publisher) -> list[float]:
    """The greatest number that was released live; of one that nothing was heard of yet, none."""
    heard = list(load.ears[0].newest.items())
    return [value for topic, value in heard if topic.endswith(f"-whole/{of.datastream}")]


def _age_s(load: Load, of: Publisher) -> float:
    """How long ago the message was made that comes after the newest that was released live."""
    following = int(_newest(load, of)[0]) + 1
    return time.time() - of.sent_at[following] if following < of.sent else 0.0
