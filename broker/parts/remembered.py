"""Where what partitions remember lies, and who may write it: a file of the home and a lock on another; or PostgreSQL, and a session there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from broker import meter
from broker.access import Used
from broker.errors import Malformed
from broker.home import Home
from broker.journal import beside
from broker.keeper import progress
from broker.model import AgreementId
from broker.part import alone, standing_by
from broker.privacy.keys import PseudonymKeys
from broker.registry.snapshot import Snapshot
from broker.settings.settings import Settings
from broker.tables.lease import LOOK_S, Candidate
from broker.tables.moving import move
from broker.tables.names import Names
from broker.tables.postgresql import PostgresSource, PostgresTables, Server
from broker.tables.protocol import Source, Tables
from broker.tables.sqlite import SqliteSource, SqliteTables


class OfWorker(NamedTuple):
    """What whoever serves a partition writes."""

    meter: Tables
    beside: Tables | None
    """What is beside its journal; None where that is a file of the home."""


class Sources(NamedTuple):
    """What other processes read of a partition."""

    keeper: Source
    meter: Source
    beside: Source

    def close(self) -> None:
        for one in self:
            one.close()


def server(settings: Settings) -> Server:
    """The registry's PostgreSQL."""
    assert settings.registry is not None, "the settings' own check"
    return Server(settings.registry, settings.registry_password)


def sources(settings: Settings, home: Home, partition: int = 0) -> Sources:
    """Where what is remembered of a partition is read. Close them."""
    if settings.elsewhere:
        one = PostgresSource(server(settings), partition)
        return Sources(one, one, one)
    own = home.partition(partition, settings.partitions)
    return Sources(SqliteSource(own.keeper), SqliteSource(own.meter), SqliteSource(own.beside))


def names(settings: Settings, home: Home, tables: Tables) -> PseudonymKeys:
    """The keys of pseudonyms, in these tables' keeping where another home's may be others."""
    wrapping = settings.wrapping_key or home.wrapping
    if settings.elsewhere:
        return PseudonymKeys(home.pseudonyms, wrapping, Names(tables).agree)
    return PseudonymKeys(home.pseudonyms, wrapping)


def used(settings: Settings, home: Home, snapshot: Snapshot, now: int) -> list[dict[AgreementId, Used]]:
    """What agreements with a quota used, as each partition wrote it down. Raises Unavailable."""
    agreements = [one for of in snapshot.agreements.values() for one in of]
    found = []
    for partition in range(settings.partitions):
        with closing(sources(settings, home, partition)) as own:
            found.append(meter.used_of(own.meter, agreements, now))
    return found


def prepare(settings: Settings, home: Home) -> None:
    """Make the tables that several processes read, before any of them runs, and move there what lies in files. Raises Unavailable, and Malformed
    where it would be forgotten what was drawn and spent.
    """
    if settings.registry is not None and not settings.elsewhere and _is_there(server(settings)):
        raise Malformed("what partitions remember lies in PostgreSQL: expected MITOYEN_EDGES, as before")
    if settings.elsewhere:
        for partition in range(settings.partitions):
            own = home.partition(partition, settings.partitions)
            with closing(PostgresTables(server(settings), partition, "preparing")) as tables:
                for schema in (progress.SCHEMA, meter.SCHEMA, beside.SCHEMA):
                    tables.make(schema)
                for file in (own.keeper, own.meter, own.beside):
                    if file.exists():
                        _move(file, tables)


def _move(file: Path, tables: Tables) -> None:
    if tables.execute("select seq from place") != [(0,)] and file.stem == "keeper":
        raise Malformed(f"{file}: expected none, since PostgreSQL has a keeper's progress already")
    if file.stem == "beside":
        with closing(SqliteTables(file)) as old:
            beside.upgrade(old.db)
    move(file, tables)


def _is_there(at: Server) -> bool:
    with closing(PostgresSource(at, 0)) as source, source.reading() as read:
        return read("select to_regclass('place') is not null", ()) == [(True,)]


@asynccontextmanager
async def of_worker(settings: Settings, home: Home, partition: int) -> AsyncIterator[OfWorker]:
    """Open it once nobody else serves the partition."""
    if settings.elsewhere:
        with closing(await _taken(Candidate(server(settings), partition, "worker"))) as tables:
            yield OfWorker(tables, tables)
    else:
        own = home.partition(partition, settings.partitions)
        async with standing_by(own.serving):
            with closing(SqliteTables(own.meter)) as tables:
                yield OfWorker(tables, None)


@contextmanager
def of_keeper(settings: Settings, home: Home, partition: int, stop: threading.Event) -> Iterator[Tables | None]:
    """Open it once nobody else keeps the partition; None if it is told to stop before."""
    if settings.elsewhere:
        with closing(Candidate(server(settings), partition, "keeper")) as candidate:
            taken = None
            while taken is None and not stop.is_set():
                taken = candidate.attempt()
                if taken is None:
                    stop.wait(LOOK_S)
            if taken is None:
                yield None
                return
            with closing(taken):
                yield taken
    else:
        own = home.partition(partition, settings.partitions)
        with alone(own.keeping), closing(SqliteTables(own.keeper)) as tables:
            yield tables


async def _taken(candidate: Candidate) -> PostgresTables:
    with closing(candidate):
        while (taken := await asyncio.to_thread(candidate.attempt)) is None:  # noqa: ASYNC110 - no event: it is for PostgreSQL to say
            await asyncio.sleep(LOOK_S)
        return taken
