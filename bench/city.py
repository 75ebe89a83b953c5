"""Whether a large city keeps time: `mitoyen simulate` with 2,000 sensors at speed 60, at a bare Mosquitto and at a whole broker.

    .venv/bin/python -m bench.city [--sensors 2000] [--speed 60] [--seconds 60] [--bare]

The lag is how long ago everything that was due by then had been acknowledged; a quarter of a second of it is how long gateways
collect what leaves together. It is looked at twice a second, after the first ten. Shares of a core are of processor time, which other work
on the machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.gateway import processor_s
from mitoyen.registration import register
from simulators import loading
from simulators.play import Played, play
from simulators.simulation import Mqtt, Simulation
from tests.servers import Mitoyen, Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WARM_S = 10.0
PARTS = ("mosquitto", "broker", "keeper", "api")


@contextmanager
def bare(folder: Path, asked: dict[str, object]) -> Iterator[tuple[Simulation, Mapping[str, int]]]:
    """At a Mosquitto that asks nobody who they are."""
    with Mosquitto(folder) as broker:
        simulation = loading.load(_file(folder, "{}"), **asked)
        mqtt = Mqtt(port=broker.port)
        gateways = tuple(one.model_copy(update={"mqtt": mqtt}) for one in simulation.gateways)
        yield simulation.model_copy(update={"gateways": gateways}), {}


@contextmanager
def whole(folder: Path, asked: dict[str, object]) -> Iterator[tuple[Simulation, Mapping[str, int]]]:
    """At a broker where its owners have registered it, and offer what measures openly."""
    with Mitoyen(folder) as broker:
        (folder / "operator.key").write_text(broker.operator_key)
        told = f"broker: {{http: {broker.url}, operator_key_file: operator.key}}"
        simulation = register(loading.load(_file(folder, told), **asked), folder / "logins.json", print)
        yield simulation, {name: broker.part(name) for name in PARTS}


def _file(folder: Path, said: str) -> Path:
    file = folder / "city.yaml"
    file.write_text(said)
    return file


def measure(name: str, simulation: Simulation, parts: Mapping[str, int], seconds: float) -> None:
    """`parts`: processes whose time is told as well."""
    lags: list[float] = []
    processes = {"simulator": os.getpid(), **parts}
    began, used = time.time(), {of: processor_s([pid]) for of, pid in processes.items()}

    def look(played: Played) -> None:
        if time.time() > began + WARM_S:
            lags.append(played.lag_s)

    played = asyncio.run(play(simulation, until=began + seconds, on_progress=look))
    lags.sort()
    shares = {of: (processor_s([pid]) - used[of]) / seconds for of, pid in processes.items()}
    print(
        f"{name}: {played.acknowledged_records} records in {seconds:.0f} s ({played.acknowledged_records / seconds:.0f}/s);"
        f" lag {median(lags):.2f} s in the median, {lags[int(0.99 * len(lags))]:.2f} s at the 99th percentile,"
        f" {lags[-1]:.2f} s at most; {played.acknowledged_messages / seconds:.0f} messages/s; {played.refused_messages} refused;"
        f" cores: {', '.join(f'{of} {share:.2f}' for of, share in shares.items())}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sensors", type=int, default=2_000)
    options.add_argument("--owners", type=int, default=8)
    options.add_argument("--speed", type=float, default=60)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--bare", action="store_true", help="at a bare Mosquitto only")
    chosen = options.parse_args()
    asked = {"sensors": chosen.sensors, "owners": chosen.owners, "speed": chosen.speed}
    for name, place in (("Mosquitto alone", bare), ("the whole broker", whole)):
        if name == "Mosquitto alone" or not chosen.bare:
            with tempfile.TemporaryDirectory() as folder, place(Path(folder), asked) as (simulation, parts):
                measure(name, simulation, parts, chosen.seconds)


if __name__ == "__main__":
    main()
