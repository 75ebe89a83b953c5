"""`mitoyen part NAME`: one part in the foreground, for an init system or containers that start each by itself, in place of `mitoyen up`.

`mosquitto` is first: it makes ready what all need, and tells systemd when it is (sd_notify(3)). What dies is theirs to start again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import closing, nullcontext
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from broker import alive
from broker.errors import MitoyenError, Unavailable
from broker.home import Home
from broker.opening import registry
from broker.parts import journals
from broker.private import write_private
from broker.settings.settings import Settings
from mitoyen.logging import configure
from mitoyen.options import HomeOption, failed
from mitoyen.supervise import held, prepare, python, start_mosquitto


def part(
    name: Annotated[
        str,
        typer.Argument(
            help="mosquitto or mosquitto-N, broker or access, worker-N and edge-N, keeper or keeper-N, cameras, api."
        ),
    ],
    home: HomeOption,
) -> None:
    """Run one part of `mitoyen up` alone, where an init system or containers start each. Everything else stands in the environment."""
    configure()
    try:
        settings = Settings.read(home=home)
        kind, _, number = name.partition("-")
        if kind != "mosquitto":
            _become(name, settings)
        asyncio.run(_run_mosquitto(settings, int(number or 0)))
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error


async def _run_mosquitto(settings: Settings, number: int) -> None:
    """Run Mosquitto until SIGTERM, the first after making ready what all need. Raises Unavailable when it can't be started, or died."""
    systemd = os.environ.pop(alive.SYSTEMD, None)  # or Mosquitto, which knows it as well, would speak before us
    home = Home(settings.home)
    home.make(settings.partitions, len(settings.mqtt_addresses))
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    with nullcontext() if number else held(home):
        if not number:
            await asyncio.to_thread(prepare, settings, home)
            await journals.prepare(settings, home)
        process = await start_mosquitto(settings, home, number)
        if systemd:
            alive.tell(systemd, b"READY=1")
        died, told = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait((died, told), return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            raise Unavailable(f"Mosquitto died with status {process.returncode}")
        process.terminate()
        await died  # it writes down what it holds; whoever runs this kills it in the end


def _become(name: str, settings: Settings) -> NoReturn:
    """Be this part from now on. Raises Unavailable where nothing was made ready for it, or for another number of partitions."""
    home = Home(settings.home)
    if missing := [path.name for path in (home.logins, home.tags) if not path.exists()]:
        raise Unavailable(
            f"{home.root} lacks {', '.join(missing)}: start `mitoyen part mosquitto` first, or copy them for a standby (docs/scaling.md)"
        )
    home.make(settings.partitions, len(settings.mqtt_addresses))
    with closing(registry(settings, home)) as known:
        count = known.partitioning.now().count
    if count != settings.partitions:
        raise Unavailable(f"partitions: expected {count}, as this registry was made with, not {settings.partitions}")
    own = home.run / f"{name}.json"
    write_private(own, settings.model_dump_json().encode())
    command, environment = python(name, home, own)
    os.execve(sys.executable, command, environment)  # noqa: S606 # nosec B606 - itself, with what the part needs alone
