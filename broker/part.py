"""What each process that `mitoyen up` runs begins and ends with: a lock, so that there is one of its kind, its login at Mosquitto, a signal."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from broker import alive, secrets
from broker.errors import Unavailable
from broker.mqtt.connection import Account
from broker.settings.settings import Settings

log = structlog.get_logger()

LOCK_S = 20.0  # how long to wait for a part that a crash left behind to be gone


def account(settings: Settings, login: secrets.Login, suffix: str = "", *, edge: int = 0) -> Account:
    host, port = settings.mqtt_addresses[edge]
    return Account(host, port, login.client_id + suffix, login.username, login.password)


def accounts(settings: Settings, login: secrets.Login, suffix: str = "") -> list[Account]:
    """At every Mosquitto."""
    return [account(settings, login, suffix, edge=number) for number in range(len(settings.mqtt_addresses))]


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock that only one process has. Raises Unavailable when another does not let go of it."""
    with path.open("w") as lock:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unavailable(
                        f"another process holds {path}: is `mitoyen up` running in this home already?"
                    ) from None
                time.sleep(0.05)
        yield


@asynccontextmanager
async def standing_by(path: Path) -> AsyncIterator[None]:
    """The same, waiting for it as long as another has it."""
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        yield


async def until_told(then: str, *tasks: Coroutine[object, object, None]) -> None:
    """Run these together until SIGTERM or SIGINT, `then` log this; or until one fails, which raises what it raised."""
    work = asyncio.gather(*tasks, alive.beat())
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info(then)
