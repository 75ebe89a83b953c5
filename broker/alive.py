"""Saying that one's process gets on, so that `mitoyen up` starts again what hangs, and not only what died.

A file is touched, rather than a question answered: nothing has to listen for it, and whoever looks learns it without asking. It is the loop of the process that
touches it, where it has one; of the keeper, which waits for stores as long as they take, a thread: whether that gets on is what `/readyz` is for.
systemd is told the same, where it asks: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

FILE = "MITOYEN_ALIVE_FILE"
"""The environment variable that names it; a process that nobody looks after has none."""
SYSTEMD = "NOTIFY_SOCKET"
"""The environment variable in which systemd says where it listens."""
READY_AND_ALIVE = b"READY=1\nWATCHDOG=1"
EVERY_S = 1.0


async def beat() -> None:
    """Say so until cancelled."""
    while True:
        _say()
        await asyncio.sleep(EVERY_S)


async def beat_to(systemd: str | None) -> None:
    """The same to systemd alone, at a socket that processes started meanwhile are not to know."""
    while systemd is not None:
        tell(systemd, READY_AND_ALIVE)
        await asyncio.sleep(EVERY_S)


def beat_in_thread(stop: threading.Event) -> None:
    """Say so from now on until it is told to stop."""

    def beats() -> None:
        _say()
        while not stop.wait(EVERY_S):
            _say()

    threading.Thread(target=beats, name="alive", daemon=True).start()


def tell(systemd: str, said: bytes) -> None:
    """Say something to systemd; nobody needs to hear it."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.settimeout(0)
        to.connect("\0" + systemd[1:] if systemd.startswith("@") else systemd)
        to.send(said)


def _say() -> None:
    if (systemd := os.environ.get(SYSTEMD)) is not None:
        tell(systemd, READY_AND_ALIVE)
    if (named := os.environ.get(FILE)) is not None:
        with suppress(OSError):  # a full disk has room for a time, but not for a file
            Path(named).touch()
