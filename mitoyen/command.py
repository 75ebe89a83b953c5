"""The command line: `mitoyen`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import MitoyenError
from broker.settings import Settings
from mitoyen.logging import configure

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def up(
    home: Annotated[Path, typer.Option(envvar="MITOYEN_HOME")],
    http: Annotated[str, typer.Option(envvar="MITOYEN_HTTP")] = "127.0.0.1:8080",
    mqtt: Annotated[str, typer.Option(envvar="MITOYEN_MQTT")] = "127.0.0.1:1883",
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE")] = "sqlite",
    registry: Annotated[str | None, typer.Option(envvar="MITOYEN_REGISTRY")] = None,
) -> None:
    """Run the broker."""
    from mitoyen.supervise import up as run

    configure()
    try:
        asyncio.run(run(Settings(home=home, http=http, mqtt=mqtt, store=store, registry=registry)))
    except MitoyenError as error:
        typer.echo(f"mitoyen: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def version() -> None:
    """Say the version."""
