"""The command line: `mitoyen`."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from broker.errors import MitoyenError
from broker.home import Home
from broker.opening import registry as open_registry
from broker.registry.ledger import Broken, verify
from broker.settings import Settings
from mitoyen import demo as demonstration
from mitoyen.logging import configure
from mitoyen.supervise import up as supervise
from simulators import play, simulation

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A city's sensors, opened."
)
ledger = typer.Typer(no_args_is_help=True, help="The public record of offers, agreements, refusals and revocations.")
app.add_typer(ledger, name="ledger")

HomeOption = Annotated[Path, typer.Option(envvar="MITOYEN_HOME", help="Everything that is kept lies here.")]
RegistryOption = Annotated[
    str | None, typer.Option(envvar="MITOYEN_REGISTRY", help="A database URL; left out: SQLite in the home.")
]


@app.command()
def up(
    home: HomeOption,
    http: Annotated[str, typer.Option(envvar="MITOYEN_HTTP", help="Where HTTP is served.")] = "127.0.0.1:8080",
    mqtt: Annotated[str, typer.Option(envvar="MITOYEN_MQTT", help="Where Mosquitto listens.")] = "127.0.0.1:1883",
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE", help="sqlite, or influx:URL.")] = "sqlite",
    registry: RegistryOption = None,
) -> None:
    """Run the broker until SIGTERM. Every setting is also an environment variable MITOYEN_…"""
    configure()
    try:
        settings = Settings(home=home, http=http, mqtt=mqtt, store=store, registry=registry)
        asyncio.run(supervise(settings))
    except (MitoyenError, ValidationError) as error:
        raise _failed(error) from error


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="What is simulated and replayed, and as which gateways (YAML).")],
    seconds: Annotated[float | None, typer.Option(help="End after this long; left out: go on.")] = None,
) -> None:
    """Play a simulated city, or recordings, against a running broker, as hardware would. Prints a JSON summary."""
    configure()
    try:
        until = time.time() + seconds if seconds is not None else None
        played = asyncio.run(play.play(simulation.load(file), until=until))
    except MitoyenError as error:
        raise _failed(error) from error
    typer.echo(json.dumps({"sent": played.sent_records, "acknowledged": played.acknowledged_records}))


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(help="End after this long, with a JSON summary; left out: Ctrl-C ends it.")
    ] = None,
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE", help="sqlite, or influx:URL.")] = "sqlite",
) -> None:
    """Run a broker in a folder of its own with a simulated city, offers and two applications, on free ports."""
    configure()
    with tempfile.TemporaryDirectory(prefix="mitoyen-demo-") as home:
        http, mqtt = (f"127.0.0.1:{demonstration.free_port()}" for _ in range(2))
        try:
            settings = Settings(home=Path(home), store=store, http=http, mqtt=mqtt)
            shown = lambda address: typer.echo(f"The city is open at {address}", err=True)  # noqa: E731
            summary = asyncio.run(demonstration.demo(settings, seconds, shown))
        except (MitoyenError, ValidationError) as error:
            raise _failed(error) from error
    typer.echo(json.dumps(asdict(summary)))
    if seconds is not None and not summary.holds:
        raise typer.Exit(1)


@ledger.command("verify")
def verify_ledger(
    home: HomeOption,
    registry: RegistryOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Check the hash chain. Exits 1 and names the first entry that does not hold."""
    try:
        settings = Settings(home=home, registry=registry)
        known = open_registry(settings, Home(home))
        found = verify(known.whole_ledger())
    except (MitoyenError, ValidationError) as error:
        raise _failed(error) from error
    broken = found if isinstance(found, Broken) else None
    if as_json:
        typer.echo(json.dumps({"holds": broken is None, **(broken._asdict() if broken else {"entries": found})}))
    elif broken:
        typer.echo(f"entry {broken.seq} does not hold: {broken.why}", err=True)
    else:
        typer.echo(f"all {found} entries hold")
    if broken:
        raise typer.Exit(1)


def _failed(error: Exception) -> typer.Exit:
    typer.echo(f"mitoyen: {error}", err=True)
    return typer.Exit(1)
