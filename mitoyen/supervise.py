"""`mitoyen up`: Mosquitto, the broker (or access and workers), keepers, the cameras and the HTTP side as child processes, started in
order, started again when they die or hang, stopped in reverse. It holds no rules and serves nothing itself, so that there is little in it to fail.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias

import structlog

from broker import alive, authorisation, keys, mosquitto, restarts, secrets, signing
from broker.dispatch import used_together
from broker.errors import Unavailable
from broker.home import Home
from broker.opening import prepare_store, registry
from broker.parts import journals, remembered
from broker.privacy.keys import load_key
from broker.private import write_private
from broker.registry.registry import Registry
from broker.restarts import Why
from broker.settings.settings import Settings

log = structlog.get_logger()

PAUSES_S = (0.1, 0.5, 2.0, 5.0)  # before a part is started again: at once the first time, patiently when it keeps dying
STEADY_S = 30.0  # a part that ran this long is started again at once
GRACE_S = (
    8.0  # how long a part may take to stop before it is killed; all five fit in the 20 s that systemd's users expect
)

LOOK_S = 1.0  # how often it is looked whether a part gets on
LONGEST_LOOK_S = 10.0
STARTS_S = 600.0  # how long a part may take to its first sign of life: imports on a busy machine, a full journal that is looked through

Start: TypeAlias = Callable[[], Awaitable[asyncio.subprocess.Process]]
Pulse: TypeAlias = Callable[[], Awaitable[float]]
"""What changes as long as a part gets on."""


async def up(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Run everything until SIGTERM or SIGINT (or `stop`). Raises Unavailable if it can't be started."""
    stop = stop or asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    systemd = os.environ.pop(alive.SYSTEMD, None)  # or the parts would speak for all
    home = Home(settings.home)
    home.make(settings.partitions, len(settings.mqtt_addresses))
    with held(home):
        _forget_last_run(settings, home)
        await asyncio.to_thread(prepare, settings, home)
        await journals.prepare(settings, home)
        watch = _Watch(settings.hangs_after_s, home.restarts)
        parts = [
            *_mosquittos(settings, home, watch),
            *(
                _Part(name, partial(_python, name, home), partial(_touched, _alive(home, name)), watch)
                for name in parts_of(settings)
            ),
        ]
        running: list[asyncio.Task[None]] = []
        try:
            for part in parts:
                await part.start()
                running.append(asyncio.create_task(part.keep_running(), name=part.name))
            log.info("up", http=settings.http, mqtt=settings.mqtt, home=str(home.root))
            running.append(asyncio.create_task(alive.beat_to(systemd), name="alive"))
            await stop.wait()
        finally:
            for task in running:
                task.cancel()
            for part in reversed(parts):
                await part.stop()
            log.info("down")


def parts_of(settings: Settings) -> tuple[str, ...]:
    """The parts that are started after Mosquitto, in order."""
    if settings.partitions == 1:
        return "broker", "keeper", "cameras", "api"
    workers = [f"worker-{number}" for number in range(settings.worker_count)]
    keepers = [f"keeper-{number}" for number in range(settings.partitions)]
    edges = [f"edge-{number}" for number in range(len(settings.mqtt_addresses))] if settings.edges else []
    return "access", *workers, *edges, *keepers, "cameras", "api"


def _forget_last_run(settings: Settings, home: Home) -> None:
    """What is counted and told of parts that are no more."""
    shutil.rmtree(home.metrics)
    home.make(settings.partitions, len(settings.mqtt_addresses))
    for own in home.every_partition(settings.partitions):
        own.keeper_state.unlink(missing_ok=True)
    home.restarts.unlink(missing_ok=True)


def prepare(settings: Settings, home: Home) -> None:
    """Everything that must be there before the parts start: schema, operator's key, databases, settings for the parts."""
    mosquitto.check_tls(settings)
    mosquitto.end_left_over(home.mosquitto)
    write_private(home.settings, settings.model_dump_json().encode())
    secrets.webhook_key(home.webhooks)
    load_key(home.tags)
    known = registry(settings, home)
    known.migrate()
    known.partitioning.fix(settings.partitions)
    if not known.has_operator():
        new_operator_key(known, home)
    signing.begin(known, home.ledger_key)
    known.close()
    prepare_store(settings, home)
    remembered.prepare(settings, home)


def new_operator_key(known: Registry, home: Home) -> Path:
    """Make a key, the only one from now on; returns the file that it is in."""
    key = keys.new_key("operator")
    write_private(home.operator_key, key.encode() + b"\n")
    known.replace_operator_key(key, time.time_ns())
    return home.operator_key


class _Watch:
    """When a part hangs, and what was started again."""

    def __init__(self, hangs_after_s: float, file: Path) -> None:
        self.hangs_after_s = hangs_after_s
        self._file = file
        self._counts: Counter[tuple[str, Why]] = Counter()

    def note(self, part: str, why: Why) -> None:
        self._counts[part, why] += 1
        try:
            restarts.write(self._file, self._counts)
        except OSError as error:  # a full disk; the next one tells both
            log.warning("restarts_not_told", reason=str(error))

    async def hangs(self, pulse: Pulse) -> None:
        """Return when it did not change for too long. Its own pauses count little: a machine that slept has not hung."""
        last, silent_s, patience_s = await pulse(), 0.0, max(self.hangs_after_s, STARTS_S)
        while silent_s < patience_s:
            looked = time.monotonic()
            await asyncio.sleep(LOOK_S)
            now = await pulse()
            if now == last:
                silent_s += min(time.monotonic() - looked, LONGEST_LOOK_S)
            else:
                last, silent_s, patience_s = now, 0.0, self.hangs_after_s


@dataclass(slots=True)
class _Part:
    """One child process."""

    name: str
    begin: Start
    pulse: Pulse
    watch: _Watch
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await self.begin()

    async def keep_running(self) -> None:
        failures = 0
        while True:
            assert self.process is not None
            began = time.monotonic()
            status = await self._ended(self.process)
            failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
            pause = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
            log.error("part_died", part=self.name, status=status, again_in_s=pause)
            await asyncio.sleep(pause)
            await self._start_again()

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        """Wait for its end, which is brought about if it hangs; its status."""
        ended, hangs = asyncio.create_task(process.wait()), asyncio.create_task(self.watch.hangs(self.pulse))
        try:
            await asyncio.wait((ended, hangs), return_when=asyncio.FIRST_COMPLETED)
            why: Why = "died" if ended.done() else "hung"
            if why == "hung":
                log.error("part_hangs", part=self.name, for_s=self.watch.hangs_after_s)
                process.kill()
            status = await ended
        finally:
            ended.cancel()
            hangs.cancel()
        self.watch.note(self.name, why)
        return status

    async def _start_again(self) -> None:
        while True:
            try:
                return await self.start()
            except Exception as error:  # noqa: BLE001 - a full disk, a locked file, no process to be had: nobody else would try it again
                log.error("part_not_started", part=self.name, reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSES_S[-1])

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), GRACE_S)
        except TimeoutError:
            log.error("part_killed", part=self.name)
            self.process.kill()
            await self.process.wait()


def _mosquittos(settings: Settings, home: Home, watch: _Watch) -> Iterator[_Part]:
    for number, address in enumerate(settings.mqtt_addresses):
        name = f"mosquitto-{number}" if number else "mosquitto"
        yield _Part(name, partial(start_mosquitto, settings, home, number), partial(_answered, address), watch)


async def start_mosquitto(settings: Settings, home: Home, number: int = 0) -> asyncio.subprocess.Process:
    """Start Mosquitto with rules made from the registry as it is now."""
    folder, listeners = home.edge(number).mosquitto, settings.listeners_of(number)

    def write() -> Path:
        mosquitto.end_left_over(folder)
        known = registry(settings, home)
        snapshot = known.snapshot().at(number, len(settings.mqtt_addresses))
        known.close()
        accounts = [login.account() for login in secrets.load(home.logins).values()]
        accounts += [account for gateway in snapshot.gateways for account in gateway.accounts]
        accounts += [account for application in snapshot.applications for account in application.accounts]
        now = time.time_ns()
        used = used_together(remembered.used(settings, home, snapshot, now))
        policy = authorisation.policy(snapshot, now, used)
        return mosquitto.write(folder, settings, policy, accounts, listeners)

    conf = await asyncio.to_thread(write)
    return await mosquitto.start(settings.mosquitto, conf, listeners)


async def _answered(address: tuple[str, int]) -> float:
    return time.monotonic() if await mosquitto.lives(address) else 0.0


def _alive(home: Home, part: str) -> Path:
    return home.run / f"{part}.alive"


async def _touched(file: Path) -> float:
    try:
        return await asyncio.to_thread(lambda: file.stat().st_mtime)
    except OSError:
        return 0.0


def python(part: str, home: Home, settings: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """How a part is started: command and environment."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(home.metrics)}
    return (sys.executable, "-m", "mitoyen.part", part, str(settings)), environment


async def _python(part: str, home: Home) -> asyncio.subprocess.Process:
    file = _alive(home, part)
    with suppress(OSError):  # a full disk: then it is there from before
        file.touch()
    command, environment = python(part, home, home.settings)
    command, environment = (*command, str(os.getpid())), {**environment, alive.FILE: str(file)}
    return await asyncio.create_subprocess_exec(*command, env=environment, stdin=asyncio.subprocess.DEVNULL)


@contextmanager
def held(home: Home) -> Iterator[IO[str]]:
    """One `mitoyen up` a home. Raises Unavailable if there is one already."""
    with (home.run / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(f"`mitoyen up` is running in {home.root} already") from error
        yield lock
