"""What a message costs the more there is: from 10 to 100,000 datastreams, from 1 to 1,000 applications, from 1 to 10,000 agreements.

    .venv/bin/python -m bench.growth [--rate 2000] [--seconds 18] [--most 100000] [--write]

One home grows from step to step; at each a broker starts with it, beside one that stays at the axis' first step, and a gateway publishes single
observations in turn on all datastreams (on the axes of applications and agreements on 100), so many a second: first one each, to warm up, then a slice
at the one broker, a slice at the other, several times, so that what else the machine does meets both. Each is published live as well. The cost is the
processor time that broker and keeper take together, by message, which a busy machine blurs less than the clock's; a step's growth is the median of what
its slices cost beside the slices next to them. An application has one agreement with all; agreements are of 100 applications, each with as many offers of
one datastream. Memory is what broker, keeper and HTTP process hold at the end, and what each has more at the largest step, by datastream or agreement.
Prints one JSON object; exit code 0 only if the goal holds: on each axis the dearest step costs at most 1.3 times the cheapest before it. `--write` puts
table and curves into `docs/`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.curves import written
from bench.faults.limits import resident_mb
from bench.live import cpu_s
from broker import keys, times
from broker.control import CaughtUp
from broker.home import Home
from broker.licence import Terms
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Datastream,
    Gateway,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.mqtt import codec, connection
from broker.mqtt.connection import Account
from broker.privacy.profile import Profile
from broker.registry.registry import Registry
from broker.transport.protocol import ACCESS
from broker.transport.sockets import Sockets
from tests.servers import Mitoyen

TIMES = 1.3
CITY = OrganisationId("city")
PASSWORD = "a gateway of no one's"  # noqa: S105 - of a home that is deleted
BEGIN = times.parse("2026-01-01T00:00:00Z")
TERMS = Terms("CC-BY-4.0", "The city", ("any",))
RAW = Profile("raw", ())
OF_AN_OFFER = 10_000  # the interface allows as many; for each that is added all others of its owner are read
BESIDES = 100
"""Datastreams where it is not they that grow; and applications that share agreements."""
PARTS = ("broker", "keeper", "api")
SLICES = 9


class City:
    """A home, filled straight in its registry: registering is not what is measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datastreams: list[str] = []
        self._applications = self._agreements = 0
        with self._registry() as registry:
            registry.migrate()
            registry.add_organisation(Organisation(CITY, "The city"), "key", BEGIN)
            account = keys.account("gateway.city.g", PASSWORD)
            registry.add_gateway(Gateway(CITY, "g", "g", "json", (account,)), BEGIN)

    @contextmanager
    def _registry(self) -> Iterator[Registry]:
        home = self.folder / "home"
        Home(home).make()
        registry = Registry.in_home(home)
        try:
            yield registry
        finally:
            registry.close()

    def grow_datastreams(self, to: int) -> None:
        """In offers of up to ten thousand, on each of which one application has an agreement."""
        with self._registry() as registry:
            application = ApplicationId("app-0") if self._applications else self._new_application(registry)
            for first in range(len(self.datastreams), to, OF_AN_OFFER):
                names = [f"d-{number}" for number in range(first, min(first + OF_AN_OFFER, to))]
                _offered(registry, names, f"offer-{first}")
                self._agree(registry, application, f"offer-{first}")
                self.datastreams += names

    def grow_applications(self, to: int) -> None:
        """Each with an agreement on the one offer."""
        with self._registry() as registry:
            if not self.datastreams:
                self.datastreams = [f"d-{number}" for number in range(BESIDES)]
                _offered(registry, self.datastreams, "offer")
            while self._applications < to:
                application = self._new_application(registry)
                self._agree(registry, application, "offer")

    def grow_agreements(self, to: int) -> None:
        """Application by application on one offer, then on the next."""
        with self._registry() as registry:
            while self._applications < BESIDES:
                name = f"d-{self._applications}"
                _offered(registry, [name], f"offer-{self._applications}")
                self.datastreams.append(name)
                self._new_application(registry)
            while self._agreements < to:
                offer, application = divmod(self._agreements, BESIDES)
                self._agree(registry, ApplicationId(f"app-{application}"), f"offer-{offer}")

    def _new_application(self, registry: Registry) -> ApplicationId:
        made = ApplicationId(f"app-{self._applications}")
        account = keys.account(f"application.{made}", PASSWORD)
        registry.add_application(Application(made, CITY, "", (account,)), f"key of {made}", BEGIN)
        self._applications += 1
        return made

    def _agree(self, registry: Registry, application: ApplicationId, offer: str) -> None:
        name = AgreementId(f"agreement-{self._agreements}")
        registry.add_agreement(
            Agreement(name, OfferId(offer), application, "bench", "active", time.time_ns(), CITY, TERMS)
        )
        self._agreements += 1


def _offered(registry: Registry, names: Sequence[str], offer: str) -> None:
    made = [Datastream(CITY, name, "g", "measurement", "temperature", "Cel") for name in names]
    registry.add_datastreams(made, BEGIN)
    releases = tuple(Release(ReleaseId(f"release-{one.id}"), OfferId(offer), one, one.stream) for one in made)
    registry.add_offer(Offer(OfferId(offer), CITY, RAW, TERMS, releases, time.time_ns()))


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    steps: tuple[int, ...]
    grow: Callable[[City, int], None]


AXES = (
    Axis("datastreams", (10, 100, 1_000, 10_000, 100_000), City.grow_datastreams),
    Axis("applications", (1, 10, 100, 1_000), City.grow_applications),
    Axis("agreements", (1, 10, 100, 1_000, 10_000), City.grow_agreements),
)


async def publish(broker: Mitoyen, names: Sequence[str], messages: int, rate: int) -> None:
    """In turn on all datastreams, `rate` a second; returns when Mosquitto has acknowledged all."""
    account = Account("127.0.0.1", broker.mqtt_port, "g", "gateway.city.g", PASSWORD)
    headings = [codec.heading(f"in/city/g/{name}") for name in names]
    done: list[int] = []
    async with connection.connect(account, lambda _: None) as at:
        begin, sent = time.monotonic(), 0
        while sent < messages:
            room = min(await at.room(), int((time.monotonic() - begin) * rate) - sent, messages - sent)
            for number in range(sent, sent + max(0, room)):
                payload = b'{"time":"%s","value":%d.5}' % (times.text(time.time_ns()).encode(), number)
                at.publish([(headings[number % len(names)], codec.NO_PROPERTIES, payload, False)], done.append)
            sent += max(0, room)
            await asyncio.sleep(0.005)
        while len(done) < messages:  # noqa: ASYNC110 - each is acknowledged by itself
            await asyncio.sleep(0.01)
    assert not any(reason >= 128 for reason in done), "refused"  # noqa: PLR2004 - MQTT 5: from here on refusals


class Large(Mitoyen):
    patience_s = 600.0  # four processes read 100,000 datastreams each: half a minute where nothing else runs


@contextmanager
def warm(city: City, rate: int) -> Iterator[Mitoyen]:
    """A broker that has had one observation of each datastream."""
    with Large(city.folder) as broker:
        asyncio.run(publish(broker, city.datastreams, max(len(city.datastreams), rate), 2 * rate))
        stored(broker)
        yield broker


def step(city: City, first: tuple[City, Mitoyen], rate: int, seconds: float) -> dict[str, float]:
    """Microseconds of processor time a message, by process, in the median slice; how many times that of the first step; and memory in MB."""
    with warm(city, rate) as broker:
        messages = int(rate * seconds / SLICES)
        pairs = [(used(first[1], first[0], rate, messages), used(broker, city, rate, messages)) for _ in range(SLICES)]
        memory = {f"{part}_mb": resident_mb(broker.part(part)) for part in PARTS}
    slices = [one for _, one in pairs]
    middle = {name: round(median(one[name] for one in slices), 1) for name in slices[0]}
    grown = median(one["us"] / beside["us"] for beside, one in pairs)
    return {**middle, **memory, "times_first": round(grown, 3)}


def used(broker: Mitoyen, city: City, rate: int, messages: int) -> dict[str, float]:
    processes = {part: broker.part(part) for part in (*PARTS, "mosquitto")}
    before = {part: cpu_s(process) for part, process in processes.items()}
    asyncio.run(publish(broker, city.datastreams, messages, rate))
    stored(broker)
    took = {part: (cpu_s(process) - before[part]) / messages * 1e6 for part, process in processes.items()}
    return {"us": took["broker"] + took["keeper"], **{f"{part}_us": us for part, us in took.items()}}


def stored(broker: Mitoyen) -> None:
    """Wait until all that came is kept, and no new release is looked up in what was stored before."""
    calls = Sockets(Home(broker.home), partitions=1)
    control = calls.to(ACCESS)
    while not msgspec.json.decode(control.call(CaughtUp()), type=bool):
        pass  # it waits by itself
    while (said := calls.said(0)) is None or said.backfilling:
        time.sleep(0.1)


def measured(axis: Axis, a: argparse.Namespace) -> dict[str, Any]:
    """Each step's cost, how much dearer the dearest is, and memory by one more."""
    steps: dict[int, dict[str, float]] = {}
    with ExitStack() as stack:
        least, city = (
            City(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mitoyen-growth-")))) for _ in "12"
        )
        axis.grow(least, axis.steps[0])
        first = least, stack.enter_context(warm(least, a.rate))
        for size in [one for one in axis.steps if one <= a.most]:
            axis.grow(city, size)
            steps[size] = step(city, first, a.rate, a.seconds)
            print(f"{axis.name} {size}: {steps[size]}", file=sys.stderr, flush=True)
    lowest, highest = min(steps), max(steps)
    grown = {part: steps[highest][f"{part}_mb"] - steps[lowest][f"{part}_mb"] for part in PARTS}
    each = {part: round(mb * 1024 / (highest - lowest), 2) for part, mb in grown.items()} if highest > lowest else {}
    return {"steps": steps, "times": dearest([one["times_first"] for one in steps.values()]), "kib_each": each}


def dearest(costs: Sequence[float]) -> float:
    """How many times as much a step costs as the cheapest before it, at most."""
    return round(max(cost / min(costs[: number + 1]) for number, cost in enumerate(costs)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=18)
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--axes", nargs="*", default=[axis.name for axis in AXES])
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    found = {axis.name: measured(axis, a) for axis in AXES if axis.name in a.axes}
    if a.write:
        written(found)
    holds = all(one["times"] <= TIMES for one in found.values())
    print(json.dumps({**found, "goal": {"times": TIMES, "holds": holds}}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
