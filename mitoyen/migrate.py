"""`mitoyen migrate journal`: a home's journal, moved from its SQLite file to NATS while nothing runs. Every batch keeps its number, so that
all who read the journal go on where they were. What was interrupted goes on where it was, too.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import NamedTuple

import typer
from pydantic import ValidationError

from broker.errors import Malformed, MitoyenError, Unavailable
from broker.home import Home, PartitionHome
from broker.journal.jetstream import COUNTED
from broker.journal.sqlite import SqliteJournal
from broker.journal.stream import Stream
from broker.natsservers import named, reach
from broker.parts import journals
from broker.settings.settings import Settings
from mitoyen.options import HomeOption, JournalOption, failed
from mitoyen.supervise import held

app = typer.Typer(no_args_is_help=True, help="Move what a home keeps to where a city that grew keeps it.")


class Moved(NamedTuple):
    """A partition's journal."""

    batches: int
    last: int
    """The newest one's number."""
    stream: str


@app.callback()
def main() -> None:
    """One subcommand more is to come one day, and their names are to stay."""


@app.command("journal")
def journal_command(home: HomeOption, journal: JournalOption) -> None:
    """Move the journal from the home to NATS, while the broker is stopped; then start it with the same --journal."""
    try:
        settings = Settings.read(home=home, journal=journal)
        for moved in asyncio.run(move(settings, Home(settings.home))):
            typer.echo(f"{moved.batches} batches up to number {moved.last} are in the stream {moved.stream}", err=True)
    except (MitoyenError, ValidationError, OSError) as error:
        raise failed(error) from error


async def move(settings: Settings, home: Home) -> list[Moved]:
    """Raises Malformed where there is nothing to move or no place for it, Unavailable, and OSError."""
    if settings.journal == "sqlite":
        raise Malformed("expected --journal nats://HOST:PORT,…, where the journal is to go")
    each = {number: own for number, own in enumerate(home.every_partition(settings.partitions)) if own.journal.exists()}
    if not each:
        raise Malformed(f"{home.root} has no journal in SQLite: there is nothing to move")
    with held(home):
        async with reach(named(settings)) as client:
            return [
                await _move(own, Stream(client, journals.stream(settings, home, number)), settings)
                for number, own in each.items()
            ]


async def _move(own: PartitionHome, stream: Stream, settings: Settings) -> Moved:
    with closing(SqliteJournal(own.journal, limit_bytes=settings.journal_limit_mb << 20)) as old:
        last = old.last  # opening it brings it up to date
    with closing(sqlite3.connect(own.journal)) as db:
        first = db.execute("select min(seq) from batches").fetchone()[0] or last + 1
        await _copy(db, stream, settings, first)
        _keep_beside(db, own, last)
    own.journal.rename(own.journal.with_suffix(".migrated"))
    return Moved(last - first + 1, last, stream.name)


async def _copy(db: sqlite3.Connection, stream: Stream, settings: Settings, first: int) -> None:
    held_already = await stream.ensure(
        replicas=settings.journal_replicas, limit_bytes=settings.journal_limit_mb << 20, first=first
    )
    for seq, body in db.execute("select seq, body from batches where seq > ? order by seq", (held_already.last_seq,)):
        if len(body) > stream.most_bytes:
            raise Malformed(
                f"batch {seq} has {len(body)} bytes: give NATS a larger max_payload than {stream.most_bytes}"
            )
        stored = await stream.store(body, f"batch-{seq}")
        if stored != seq:
            raise Unavailable(f"the stream gave batch {seq} the number {stored}: it is not this home's alone")


def _keep_beside(db: sqlite3.Connection, own: PartitionHome, last: int) -> None:
    """All but the batches, in a file of its own, whole or not at all."""
    new = own.beside.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with closing(sqlite3.connect(new)) as copy:
        db.backup(copy)
        copy.execute("drop table batches")
        copy.execute("insert or replace into places values (?, ?)", (COUNTED, last))
        copy.commit()
        copy.execute("vacuum")
    new.replace(own.beside)
