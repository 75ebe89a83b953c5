"""Saying that one's process gets on, so that `mitoyen up` starts again what hangs, and not only what died.

A file is touched, rather than a question answered: nothing has to listen for it, and whoever looks learns it without asking. It is the loop of the process that
touches it, where it has one; of the keeper, which waits for stores as long as they take, a thread: whether that gets on is what `/readyz` is for.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path

FILE = "MITOYEN_ALIVE_FILE"
"""The environment variable that names it; a process that nobody looks after has none."""
EVERY_S = 1.0


async def beat() -> None:
    """Touch the file until cancelled."""
    while True:
        _touch()
        await asyncio.sleep(EVERY_S)


def beat_in_thread(stop: threading.Event) -> None:
    """Touch the file from now on until it is told to stop."""

    def beats() -> None:
        _touch()
        while not stop.wait(EVERY_S):
            _touch()

    threading.Thread(target=beats, name="alive", daemon=True).start()


def _touch() -> None:
    if (named := os.environ.get(FILE)) is not None:
        with suppress(OSError):  # a full disk has room for a time, but not for a file
            Path(named).touch()
