"""`mitoyen gateway` and its way to the broker: away, cut, slowed; killed; with more than its outbox holds."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.faults.limits import large
from bench.faults.load import BEGIN
from bench.faults.proxies import Wire
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from broker import times
from tests.gatewayprocess import GatewayProcess
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.servers import Mitoyen

SEED = 7
AT_ONCE = 100
PROGRESS_S = 90.0
LIMIT_MB = 16
MORE_THAN_IT_HOLDS, SURELY_HELD = 5_000, 4_000
"""Lines of 4 KB."""


def lines(numbers: range) -> str:
    """Numbered measurements, one a line."""
    return "".join(json.dumps({"time": times.text(BEGIN + n * times.SECOND), "value": n}) + "\n" for n in numbers)


def follow(file: Path, *, to_its_end: bool = False) -> dict[str, Any]:
    """A source that reads a file, and what is added to it."""
    return {"kind": "file", "name": "log", "path": str(file), "datastream": "numbers", "follow": not to_its_end}


def wired(broker: Mitoyen, name: str) -> tuple[Owner, Reader, str]:
    """An owner, an application that agreed, and the release that it reads."""
    owner, reader = new_owner(broker, name), new_reader(broker, f"{name}-reader")
    owner.datastream("numbers")
    offer = owner.offer(["numbers"])
    reader.agree(offer["id"])
    return owner, reader, offer["releases"][0]["id"]


def numbers(reader: Reader, release: str) -> Counter[int]:
    """What history holds, by number; one with another time than its own counts as number -1."""
    found = ((int(str(one["value"]).split()[0]), times.parse(one["time"])) for one in reader.history(release))
    return Counter(number if time == BEGIN + number * times.SECOND else -1 for number, time in found)


def gateway_killed(folder: Path, *, kills: int, away_s: float) -> dict[str, Any]:
    """The gateway dies at random points of carrying a growing file, the broker is away for a while in between."""
    with Mitoyen(folder) as broker:
        owner, reader, release = wired(broker, "killed")
        file = folder / "log.ndjson"
        file.write_text("")
        chance = random.Random(SEED)  # noqa: S311 - the same points every time
        gateway = GatewayProcess(folder, owner.mqtt, follow(file))
        written = 0
        with file.open("a", buffering=1) as log:
            for kill in range(kills):
                if kill == kills // 2:
                    broker.stop()
                gateway.start()
                end = time.monotonic() + chance.uniform(0.5, 2.5) + (away_s if kill == kills // 2 else 0)
                while time.monotonic() < end:
                    log.write(lines(range(written, written + AT_ONCE)))
                    written += AT_ONCE
                    time.sleep(chance.uniform(0, 0.1))  # the device's own pace
                gateway.kill()
                if kill == kills // 2:
                    broker.start()
        gateway.file.write_text(gateway.file.read_text().replace("follow: true", "follow: false"))
        with gateway:
            said = gateway.ended()
        kept = numbers(reader, release)
    clean = not any(said[what] for what in ("pending", "dropped", "rejected", "unreadable"))
    holds = clean and said["kept"] == written and kept == Counter(range(written))
    return {"kills": kills, "away_s": away_s, "written": written, "kept": kept.total(), "said": said, "holds": holds}


def outbox_full(folder: Path) -> dict[str, Any]:
    """The broker is away until more came than the outbox holds: what stays is the oldest or the newest, as it is set, and owner and operator are told."""
    with Mitoyen(folder) as broker:
        wires = {keep: wired(broker, keep) for keep in ("newest", "oldest")}
        broker.stop()
        gateways = {keep: _overfilled(folder / keep, owner, keep) for keep, (owner, _, _) in wires.items()}
        broker.start()
        found = {keep: _emptied(broker, *wires[keep], gateway) for keep, gateway in gateways.items()}
    stays = {keep: MORE_THAN_IT_HOLDS - one["dropped"] for keep, one in found.items()}
    newest = found["newest"].pop("kept") == Counter(range(MORE_THAN_IT_HOLDS - stays["newest"], MORE_THAN_IT_HOLDS))
    oldest = found["oldest"].pop("kept")  # the last bytes of room go to a smaller parcel that comes later
    oldest_stay = oldest.total() == len(oldest) == stays["oldest"] and set(range(SURELY_HELD)) <= oldest.keys()
    told = all(one["dropped"] > 0 for one in found.values())
    return {**found, "written": MORE_THAN_IT_HOLDS, "holds": newest and oldest_stay and told}


def _overfilled(folder: Path, owner: Owner, keep: str) -> GatewayProcess:
    """A gateway that read more than its outbox holds, and was killed."""
    folder.mkdir()
    file = folder / "log.ndjson"
    file.write_bytes(b"\n".join(map(large, range(MORE_THAN_IT_HOLDS))) + b"\n")
    outbox = {"limit_mb": LIMIT_MB, "keep": keep}
    gateway = GatewayProcess(folder, owner.mqtt, follow(file, to_its_end=True), outbox=outbox)
    gateway.start()
    gateway.await_log("source_ended")
    gateway.kill()
    return gateway


def _emptied(broker: Mitoyen, owner: Owner, reader: Reader, release: str, gateway: GatewayProcess) -> dict[str, Any]:
    def told() -> int:
        outbox = broker.call(owner.key, "GET", "gateways/g")["outbox"]
        return 0 if outbox is None else int(outbox["dropped"])

    with gateway:
        broker.await_that(lambda: told() > 0, "the owner is not told")
        said = gateway.ended()
    measured = f'mitoyen_outbox_records{{fate="dropped",gateway="g",organisation="{owner.id}"}}'
    broker.await_metric(measured, lambda records: records == said["dropped"])
    return {"dropped": said["dropped"], "told_the_owner": told(), "kept": numbers(reader, release)}


def network(folder: Path, *, lasting_s: float, rate: float) -> dict[str, Any]:
    """Between publishers and Mosquitto connections are cut, again and again, and everything takes a second more."""
    with Mitoyen(folder) as broker, Wire("127.0.0.1", broker.mqtt_port) as wire:
        world = World.made(broker)
        with world.load(rate, port=wire.port) as load:
            began = load.await_answers(100, PROGRESS_S)
            cuts, end = 0, time.monotonic() + lasting_s
            while time.monotonic() < end:
                wire.cut()
                time.sleep(lasting_s / 10)
                wire.mend()
                cuts += load.await_answers(100, PROGRESS_S)
            wire.delay_s = 1.0
            slowed = load.await_answers(500, PROGRESS_S)
            time.sleep(lasting_s / 2)
            wire.delay_s = 0.0
            ended = load.await_answers(100, PROGRESS_S)
            found = reconciled(world, load)
    found["holds"] = found["holds"] and began and slowed and ended and cuts > 0
    return {"cuts": cuts, "goes_on_slowly": slowed, **found}
