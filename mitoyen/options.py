"""What several commands are told in the same way, and how they say that they failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[Path, typer.Option(envvar="MITOYEN_HOME", help="Everything that is kept lies here.")]
RegistryOption = Annotated[
    str | None,
    typer.Option(envvar="MITOYEN_REGISTRY", help="postgresql://USER@HOST:PORT/DATABASE; left out: SQLite in the home."),
]
JournalOption = Annotated[
    str, typer.Option(envvar="MITOYEN_JOURNAL", help="sqlite, or nats://HOST:PORT,… of NATS servers with JetStream.")
]


def failed(error: Exception) -> typer.Exit:
    """To be raised: the reason is on standard error, the status is 1."""
    typer.echo(f"mitoyen: {error}", err=True)
    return typer.Exit(1)
