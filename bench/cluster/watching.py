"""What is watched while a cluster's parts die: how long receipts stall, whether a window is told twice otherwise, how long a revocation takes."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Self

import httpx

from bench.faults.load import Load
from bench.faults.world import World
from broker import times
from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

LOOK_S = 0.05
WATCHED = "gates"
"""Whose tags are counted."""
TAGS = 20
READS_A_SECOND = 20
NOISY: list[dict[str, Any]] = [
    {"op": "aggregate", "window": "PT10S", "statistics": ["count"], "k": 5},
    {"op": "noise", "epsilon": 0.5, "budget": 10_000, "bound": 1},
]
AFTER_S = 2.0
"""How long after a revocation was answered it is listened whether something comes."""
PATIENCE_S = 60.0


class Watch:
    """Something done again and again in a thread of its own while the `with` lasts."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.look()

    def look(self) -> None:
        raise NotImplementedError


class Stalls(Watch):
    """The longest time (s) without a receipt, of any load."""

    def __init__(self, loads: Sequence[Load]) -> None:
        super().__init__(LOOK_S)
        self.longest_s = 0.0
        self._loads = loads
        self._last = [(-1, time.monotonic()) for _ in loads]

    def look(self) -> None:
        now = time.monotonic()
        for at, load in enumerate(self._loads):
            answered, since = load.answered, self._last[at][1]
            if answered == self._last[at][0]:
                self.longest_s = max(self.longest_s, now - since)
            else:
                self._last[at] = answered, now


class Windows(Watch):
    """Windows with noise of tags that are read now: each is one draw, whenever it is asked for, and told live as it is in history."""

    def __init__(self, broker: Mitoyen) -> None:
        super().__init__(1 / READS_A_SECOND)
        owner, self._reader = new_owner(broker, WATCHED), new_reader(broker, "counting")
        owner.datastream("tags", kind="rfid", privacy_unit="tag")
        offer = self._reader.agree(owner.offer(["tags"], *NOISY)["id"])["releases"][0]
        self._release = offer["id"]
        self._broker = broker
        self._device = Device(owner.mqtt)
        self._ear = Subscriber(self._reader.mqtt)
        self._known: dict[str, str] = {}
        self._number = 0
        self.otherwise = 0

    @property
    def told(self) -> int:
        return len(self._known)

    def __enter__(self) -> Self:
        self._device.__enter__()
        self._ear.__enter__()
        self._ear.subscribe("live/#")
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._device.__exit__()
        self._ear.__exit__()

    def look(self) -> None:
        epc = f"urn:epc:id:sgtin:0614141.112345.{self._number % TAGS}"
        self._device.publish("tags", [json.dumps({"time": times.text(time.time_ns()), "epc": epc})])
        self._number += 1
        if self._number % (5 * READS_A_SECOND) == 0:
            self._compare()

    def settle(self) -> None:
        """Read history once more, and what was told live."""
        self.stop()
        for one in self._reader.history(self._release):
            self._note(one)
        for topic, said in list(self._ear.messages):
            if topic.startswith(f"live/{WATCHED}/"):
                for one in said if isinstance(said, list) else [said]:
                    self._note(one)

    def _compare(self) -> None:
        with suppress(httpx.HTTPError), self._broker.client(self._reader.key) as client:
            answer = client.get(f"/api/v1/releases/{self._release}/observations", params={"limit": "10000"})
            for one in answer.json().get("observations", ()):
                self._note(one)

    def _note(self, one: dict[str, Any]) -> None:
        said = json.dumps(one.get("statistics"), sort_keys=True)
        if self._known.setdefault(one["time"], said) != said:
            self.otherwise += 1


class Leaving:
    """An application that agrees to an offer that flows, and whose agreement is revoked, again and again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reader = new_reader(world.broker, "leaving")
        self.took_ms: list[float] = []
        """From the call to its answer, tried again while the answer is that something is away."""
        self.heard_before = 0
        """How often it was delivered something before."""
        self.heard_after = 0

    def once(self) -> None:
        """Agree, hear something, and be revoked."""
        body = {
            "offer": self._world.offer("whole"),
            "application": self._reader.id,
            "purpose": "leaving",
            "accept": True,
        }
        with ExitStack() as stack:
            ear = self._listening(stack)
            made = self._call("POST", "agreements", body)
            if made is None:
                return
            self.heard_before += _until(lambda: bool(ear.messages))
            began = time.monotonic()
            self._call("DELETE", f"agreements/{made['id']}", {"reason": "It leaves"})
            self.took_ms.append((time.monotonic() - began) * 1e3)
            ear.ping()  # what was on its way before may be a burst that takes this busy process long to read
            heard = len(ear.messages)
            time.sleep(AFTER_S)
            self.heard_after += len(ear.messages) - heard
            if len(ear.messages) > heard:
                print(
                    f"{time.time():.2f} heard {len(ear.messages) - heard} after it was revoked",
                    file=sys.stderr,
                    flush=True,
                )

    def _listening(self, stack: ExitStack) -> Subscriber:
        """A new connection, as soon as Mosquitto is there: it may just have died."""
        while True:
            with suppress(OSError):
                ear = stack.enter_context(Subscriber(self._reader.mqtt))
                ear.subscribe("live/#")
                return ear
            time.sleep(LOOK_S)

    def _call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Its answer; None where it was done already, or has none."""
        until = time.monotonic() + PATIENCE_S
        while True:
            with suppress(httpx.TransportError), self._world.broker.client(self._reader.key) as client:
                answer = client.request(method, f"/api/v1/{path}", json=body)
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer.json() if answer.status_code == httpx.codes.CREATED else None
            if time.monotonic() > until:
                raise TimeoutError(f"{method} {path} is not answered")
            time.sleep(LOOK_S)


def _until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold."""
    until = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until:
        time.sleep(LOOK_S)
    return holds()
