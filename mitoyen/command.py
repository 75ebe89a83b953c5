"""The command line: `mitoyen`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from pydantic import ValidationError

from broker import signing
from broker.errors import Malformed, MitoyenError, NotFound
from broker.home import Home
from broker.model import FormatName
from broker.opening import registry as open_registry
from broker.reading import Custom
from broker.registry.audit import Broken, Holds, verify
from broker.settings.pictures import PictureSettings
from broker.settings.settings import Settings
from broker.vision.level import LevelName
from broker.vision.redact import Order
from gateways import formats, show
from gateways.agent import configuration as gateway_configuration
from mitoyen import alone, exports, migrate, partitions, redaction, simulation
from mitoyen import audit as attacks
from mitoyen import backup as backups
from mitoyen import certificates as certificates_
from mitoyen import demo as demonstration
from mitoyen.demo_city import RECORDINGS
from mitoyen.logging import configure
from mitoyen.options import HomeOption, JournalOption, RegistryOption, failed
from mitoyen.ports import free_ports
from mitoyen.progress import Progress
from mitoyen.supervise import new_operator_key
from mitoyen.supervise import up as supervise
from simulators import loading

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A city's sensors, opened."
)
ledger = typer.Typer(no_args_is_help=True, help="The public record of offers, agreements, refusals and revocations.")
app.add_typer(ledger, name="ledger")
operator_key = typer.Typer(no_args_is_help=True, help="The operator's key.")
app.add_typer(operator_key, name="operator-key")
app.add_typer(migrate.app, name="migrate")
app.add_typer(partitions.commands, name="partitions")
app.command()(alone.part)


@app.command()
def up(
    home: HomeOption,
    http: Annotated[str, typer.Option(envvar="MITOYEN_HTTP", help="Where HTTP is served.")] = "127.0.0.1:8080",
    mqtt: Annotated[str, typer.Option(envvar="MITOYEN_MQTT", help="Where Mosquitto listens.")] = "127.0.0.1:1883",
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE", help="sqlite, or influx:URL.")] = "sqlite",
    registry: RegistryOption = None,
    journal: JournalOption = "sqlite",
    mqtts: Annotated[str | None, typer.Option(envvar="MITOYEN_MQTTS", help="HOST:PORT for MQTT over TLS.")] = None,
    mqtt_mtls: Annotated[
        str | None,
        typer.Option(envvar="MITOYEN_MQTT_MTLS", help="HOST:PORT for TLS where gateways show a certificate as well."),
    ] = None,
    mqtt_ws: Annotated[
        str | None, typer.Option(envvar="MITOYEN_MQTT_WS", help="HOST:PORT for MQTT over WebSockets.")
    ] = None,
    mqtt_wss: Annotated[
        str | None, typer.Option(envvar="MITOYEN_MQTT_WSS", help="HOST:PORT for WebSockets over TLS.")
    ] = None,
    *,
    sensorthings_write: Annotated[
        bool,
        typer.Option(
            "--sensorthings-write",
            envvar="MITOYEN_SENSORTHINGS_WRITE",
            help="For conformance suites, on loopback: /v1.1 is a throw-away graph that anyone may write to.",
        ),
    ] = False,
) -> None:
    """Run the broker until SIGTERM. Every setting is also an environment variable MITOYEN_…

    TLS needs MITOYEN_TLS_CERTIFICATE and MITOYEN_TLS_KEY, and client certificates MITOYEN_TLS_CLIENT_CA.
    """
    configure()
    listeners = {"mqtt": mqtt, "mqtts": mqtts, "mqtt_mtls": mqtt_mtls, "mqtt_ws": mqtt_ws, "mqtt_wss": mqtt_wss}
    try:
        settings = Settings.read(
            home=home,
            http=http,
            store=store,
            registry=registry,
            journal=journal,
            sensorthings_write=sensorthings_write,
            **listeners,
        )
        asyncio.run(supervise(settings))
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error


@app.command()
def simulate(
    file: Annotated[
        Path | None, typer.Argument(help="What is simulated and replayed, and as which gateways (YAML).")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End after this long; left out: go on, or with --output 60.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the file's.")] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="In place of the file's; above 1 the city's clock starts a day ago if the file names no start."
        ),
    ] = None,
    owners: Annotated[
        int | None, typer.Option(help="In place of the file's: deal the city to so many organisations.")
    ] = None,
    sensors: Annotated[int | None, typer.Option(help="In place of the file's.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the messages to this file, a line each, and connect to nothing.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Write what was really the case to this file, a line for each record.")
    ] = None,
    *,
    example: Annotated[bool, typer.Option("--example", help="Print a FILE to begin with, and end.")] = False,
    progress: Annotated[bool | None, typer.Option(help="Say how far it is; left out: on a terminal only.")] = None,
) -> None:
    """Play a simulated city, or recordings, against a running broker, as hardware would. Prints a JSON summary.

    `mitoyen simulate --example > city.yaml` writes a file to begin with. One seed is the same bytes each time: --output shows them.
    """
    if example:
        typer.echo(loading.EXAMPLE, nl=False)
        return
    if file is None:
        raise typer.BadParameter("expected a FILE; --example prints one")
    configure()
    shown = progress if progress is not None else sys.stderr.isatty()
    try:
        instead = {"seed": seed, "speed": speed, "owners": owners, "sensors": sensors}
        asked = loading.load(file, connects=output is None, **instead)
        summary = simulation.run(asked, file, seconds, output, truth, Progress(_say) if shown else None, _say)
    except (MitoyenError, OSError) as error:
        raise failed(error) from error
    typer.echo(json.dumps(summary))


@app.command()
def gateway(
    file: Annotated[Path, typer.Argument(help="Which broker and which sources (YAML); see docs/owner.md.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Say whether FILE and the login hold, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say at the end, in JSON, what became of it all.")] = False,
) -> None:
    """Carry what devices say to a broker, from your own machine, and lose nothing while the broker is away.

    Runs until SIGTERM, or until all sources have ended and everything has its receipt.
    """
    if not check:
        options = ["--json"] if as_json else []
        own = [sys.executable, "-m", "mitoyen.gateway", str(file), *options]
        os.execv(sys.executable, own)  # nosec B606  # noqa: S606 - itself, with less loaded
    try:
        configuration = gateway_configuration.load(file)
        login = gateway_configuration.login(configuration.broker)
    except MitoyenError as error:
        raise failed(error) from error
    found: dict[str, object] = {
        "gateway": f"{login.organisation}/{login.gateway}",
        "broker": f"{login.host}:{login.port}",
        "sources": {source.name: source.kind for source in configuration.sources},
    }
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"{file} holds: {', '.join(f'{name}: {value}' for name, value in found.items())}")


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(help="End after this long, with a JSON summary; left out: Ctrl-C ends it.")
    ] = None,
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE", help="sqlite, or influx:URL.")] = "sqlite",
    recordings: Annotated[
        Path, typer.Option(help="Folder with recordings of real road sensors, replayed if it is there.")
    ] = RECORDINGS,
) -> None:
    """Run a broker in a folder of its own with a simulated city, offers and two applications, on free ports."""
    configure()
    with tempfile.TemporaryDirectory(prefix="mitoyen-demo-") as home:
        http, mqtt = (f"127.0.0.1:{port}" for port in free_ports(2))
        try:
            settings = Settings(home=Path(home), store=store, http=http, mqtt=mqtt)
            summary = asyncio.run(demonstration.demo(settings, seconds, recordings.absolute(), _say))
        except (MitoyenError, ValidationError) as error:
            raise failed(error) from error
    typer.echo(json.dumps(asdict(summary)))
    if seconds is not None and not summary.holds:
        raise typer.Exit(1)


@app.command()
def decode(
    format_: Annotated[FormatName, typer.Argument(metavar="FORMAT", help=", ".join(get_args(FormatName)))],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A payload; or messages, one a line.")],
    topic: Annotated[str, typer.Option(help="What follows the gateway's own prefix.")] = "",
    zone: Annotated[str, typer.Option(help="What a time without zone means, such as Europe/Paris.")] = "UTC",
) -> None:
    """Print what a gateway would understand of a payload, as JSON lines, or why it refuses it. Stores nothing.

    A FILE whose lines are {"topic": …, "payload": …} is taken as messages in order. Exits 1 if anything is refused.
    """
    try:
        understand = formats.make(format_, Custom(ZoneInfo(zone))).understand
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(f"zone {zone!r}: expected a name of the time zone database") from error
    refused = False
    for on, payload in show.unwrapped(file.read_bytes(), topic):
        for line in show.shown(understand(on, payload, time.time_ns())):
            typer.echo(json.dumps(line, ensure_ascii=False))
            refused = refused or "refused" in line
    if refused:
        raise typer.Exit(1)


@app.command()
def redact(
    pictures: Annotated[list[Path], typer.Argument(help="JPEG or PNG files.")],
    out: Annotated[Path, typer.Option(help="The folder that they are written to, under the same names.")],
    level: Annotated[LevelName, typer.Option(help="How thoroughly it looks.")] = "normal",
    *,
    soft: Annotated[bool, typer.Option("--soft", help="Blur the fill together with what is around it.")] = False,
) -> None:
    """Write pictures as they would be released: faces and plates covered, metadata dropped. `boxes.json` says where.

    What can't be read is named, nothing is written for it, and the status is 1. MITOYEN_MODELS names the folder with the models.
    """
    try:
        settings = PictureSettings()
        refused = redaction.redact(pictures, out, settings, level, Order(soft=soft), _say)
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error
    if refused:
        raise typer.Exit(1)


@app.command()
def audit(
    release: Annotated[str, typer.Argument(help="Its id, as the offer names it.")],
    home: HomeOption,
    store: Annotated[str, typer.Option(envvar="MITOYEN_STORE", help="sqlite, or influx:URL.")] = "sqlite",
    registry: RegistryOption = None,
    days: Annotated[int, typer.Option(min=1, help="How many of the last days are attacked.")] = 14,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Attack a release as a curious consumer would, and print what it re-identified, beside chance and the raw data.

    Reads the files of HOME, on the broker's own machine; the broker may be running.
    """
    try:
        found = attacks.audit(Settings.read(home=home, store=store, registry=registry), release, days)
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error
    typer.echo(json.dumps(attacks.as_json(found)) if as_json else attacks.as_text(found))


@app.command()
def certificates(
    out: Annotated[Path, typer.Option(help="The folder that they are written to.")],
    host: Annotated[
        list[str] | None, typer.Option(help="A name or address of the server; localhost is always one. Repeatable.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(help="A gateway that gets a certificate of its own. Repeatable.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=397, help="How long they hold.")] = 90,
) -> None:
    """Make certificates for a trial of TLS: an authority, the server's, and clients'. For anything else get real ones."""
    try:
        made = certificates_.make(out, host or [], client or [], days)
    except MitoyenError as error:
        raise failed(error) from error
    typer.echo("\n".join(str(path) for path in made))
    _say("For trials alone: whoever has this folder can pass for your server.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="It is written anew.")],
    home: HomeOption,
    stores: Annotated[
        str | None,
        typer.Option(help="Where the stores are in InfluxDB: the command that copies them, run in its turn."),
    ] = None,
) -> None:
    """Copy a home into one file, also while the broker runs. A registry in PostgreSQL is its own to back up, after this."""
    try:
        names = backups.backup(Home(home), file, stores)
    except (MitoyenError, OSError) as error:
        raise failed(error) from error
    _say(f"{file}: {', '.join(names)}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `mitoyen backup` wrote.")], home: HomeOption) -> None:
    """Write what is in a backup to a home that does not exist yet."""
    try:
        names = backups.restore(file, Home(home))
    except (MitoyenError, OSError) as error:
        raise failed(error) from error
    _say(f"{home}: {', '.join(names)}")


@ledger.command("verify")
def verify_ledger(
    file: Annotated[
        Path | None, typer.Argument(help="An export (GET /api/v1/ledger?format=ndjson); left out: the home's registry.")
    ] = None,
    home: Annotated[Path | None, typer.Option(envvar="MITOYEN_HOME", help="Whose ledger, without a FILE.")] = None,
    registry: RegistryOption = None,
    key: Annotated[
        str | None, typer.Option(help="Who must have signed it, in base64; left out: the key that it announces first.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="An older export: all that it has must be there, unchanged.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Check chain, texts and signatures; of a FILE without any broker. Exits 1 and names the first entry that does not hold."""
    try:
        older = exports.read(against) if against else []
        if against and isinstance(itself := verify(exports.read(against), whole=True), Broken):
            raise Malformed(f"{against} does not hold itself: entry {itself.seq}: {itself.why}")
        if file is not None:
            found = verify(exports.read(file), key=key, older=older, whole=True)
        elif home is not None:
            known = open_registry(Settings.read(home=home, registry=registry), Home(home))
            found = verify(known.whole_ledger(), key=key, older=older)
        else:
            raise typer.BadParameter("expected a FILE, or --home")
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error
    broken = found if isinstance(found, Broken) else None
    if as_json:
        typer.echo(json.dumps({"holds": broken is None, **found._asdict()}))
    elif isinstance(found, Holds):
        signed = f"signed up to entry {found.signed} with {found.key}" if found.signed else "none of them signed"
        typer.echo(f"all {found.entries} entries hold, {signed}; {found.erased} texts were erased")
    else:
        typer.echo(f"entry {found.seq} does not hold: {found.why}", err=True)
    if broken:
        raise typer.Exit(1)


@ledger.command("rotate-key")
def rotate_ledger_key(home: HomeOption, registry: RegistryOption = None) -> None:
    """Sign with a new key from now on; the old one signs that it is so. The broker may be running."""
    try:
        known = open_registry(Settings.read(home=home, registry=registry), Home(home))
        public = signing.rotate(known, Home(home).ledger_key)
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error
    typer.echo(public)


@operator_key.command("rotate")
def rotate_operator_key(home: HomeOption, registry: RegistryOption = None) -> None:
    """Write a new key to HOME/operator.key and let the old one open nothing any more; the broker may be running."""
    try:
        settings = Settings.read(home=home, registry=registry)
        known = open_registry(settings, Home(home))
        if not known.has_operator():
            raise NotFound(f"{home} has no operator's key yet: `mitoyen up` makes it")
        path = new_operator_key(known, Home(home))
    except (MitoyenError, ValidationError) as error:
        raise failed(error) from error
    typer.echo(f"the new key is in {path}", err=True)


def _say(line: str) -> None:
    typer.echo(line, err=True)
