"""`mitoyen partitions`: who is where, and who serves it. The broker may be running: it follows within a second."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from broker.errors import MitoyenError
from broker.home import Home
from broker.opening import registry as open_registry
from broker.registry.registry import Registry
from broker.settings.settings import Settings
from mitoyen.options import HomeOption, RegistryOption

commands = typer.Typer(no_args_is_help=True, help="Where organisations are served, if there are several partitions.")


@commands.command("list")
def list_(home: HomeOption, registry: RegistryOption = None) -> None:
    """Print each partition with its worker and how many organisations it has, as JSON lines."""
    with _opened(home, registry) as known:
        partitions = known.partitioning.now()
        organisations = Counter(partitions.of(one.id) for one in known.organisations())
    for number in range(partitions.count):
        worker = partitions.moved.get(number, number)
        typer.echo(json.dumps({"partition": number, "worker": worker, "organisations": organisations[number]}))


@commands.command()
def place(organisation: str, partition: int, home: HomeOption, registry: RegistryOption = None) -> None:
    """Put an organisation that has no gateways yet in a partition; otherwise its id decides."""
    with _opened(home, registry) as known:
        known.partitioning.place(organisation, partition)


@commands.command()
def move(
    partition: int,
    worker: Annotated[int, typer.Argument(min=0, help="Counted from 0; of four, 5 is the second.")],
    home: HomeOption,
    registry: RegistryOption = None,
) -> None:
    """Let another worker serve a partition, with all its organisations; what comes meanwhile waits in Mosquitto."""
    with _opened(home, registry) as known:
        known.partitioning.give(partition, worker)


@contextmanager
def _opened(home: Path, registry: str | None) -> Iterator[Registry]:
    try:
        with closing(open_registry(Settings.read(home=home, registry=registry), Home(home))) as known:
            yield known
    except (MitoyenError, ValidationError) as error:
        typer.echo(f"mitoyen: {error}", err=True)
        raise typer.Exit(1) from error
