"""Opening the journal that the settings name: for the parts of the core alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext
from pathlib import Path

from broker.errors import Malformed
from broker.home import Home
from broker.journal import jetstream
from broker.journal.beside import upgrade
from broker.journal.jetstream import JetStreamJournal
from broker.journal.protocol import Journal, JournalReader
from broker.journal.sqlite import SqliteJournal, SqliteReader
from broker.journal.stream import Stream
from broker.natsservers import named, reach
from broker.opening import nats_name
from broker.parts.remembered import sources
from broker.settings.settings import Settings
from broker.tables.protocol import Tables
from broker.tables.sqlite import SqliteTables


@asynccontextmanager
async def opened(
    settings: Settings, home: Home, partition: int = 0, beside: Tables | None = None
) -> AsyncIterator[Journal]:
    """A partition's, for whoever serves it; what is beside a replicated one lies in a file of the home, or in these tables. Raises Unavailable."""
    own = home.partition(partition, settings.partitions)
    if settings.journal == "sqlite":
        with closing(SqliteJournal(own.journal, limit_bytes=_limit(settings))) as journal:
            yield journal
        return
    with nullcontext(beside) if beside is not None else closing(_file(own.beside)) as tables:
        async with _replicated(settings, home, partition, tables, alone=not settings.edges) as replicated:
            yield replicated


@asynccontextmanager
async def at_edge(settings: Settings, home: Home, edge: int, partition: int) -> AsyncIterator[JetStreamJournal]:
    """A partition's, for whoever takes in at one Mosquitto of several. Raises Unavailable."""
    with closing(_file(home.edge(edge).beside(partition))) as tables:
        async with _replicated(settings, home, partition, tables, alone=False) as journal:
            yield journal


def _file(path: Path) -> SqliteTables:
    tables = SqliteTables(path)
    upgrade(tables.db)
    return tables


def _replicated(
    settings: Settings, home: Home, partition: int, beside: Tables, *, alone: bool
) -> AbstractAsyncContextManager[JetStreamJournal]:
    at, name = named(settings), stream(settings, home, partition)
    replicas, limit = settings.journal_replicas, _limit(settings)
    return jetstream.opened(at, name, beside, replicas=replicas, limit_bytes=limit, alone=alone)


def reader(settings: Settings, home: Home, partition: int = 0) -> JournalReader:
    """A partition's, to read. Close it."""
    own = home.partition(partition, settings.partitions)
    if settings.journal == "sqlite":
        return SqliteReader(own.journal)
    beside = sources(settings, home, partition).beside
    return jetstream.JetStreamReader(named(settings), stream(settings, home, partition), beside)


async def prepare(settings: Settings, home: Home) -> None:
    """Make the streams that are not there. Raises Unavailable, and Malformed where the home's batches are in another kind of journal."""
    each = home.every_partition(settings.partitions)
    if settings.journal == "sqlite":
        if any(own.beside.exists() for own in each):
            raise Malformed(f"the journal of {home.root} is on NATS: name it with --journal")
        return
    if any(own.journal.exists() for own in each):
        raise Malformed(f"the journal of {home.root} is in SQLite: `mitoyen migrate journal` moves it")
    async with reach(named(settings)) as client:
        for number in range(settings.partitions):
            made = Stream(client, stream(settings, home, number))
            await made.ensure(replicas=settings.journal_replicas, limit_bytes=_limit(settings))


def stream(settings: Settings, home: Home, partition: int) -> str:
    """A partition's stream."""
    return f"{nats_name(settings, home)}_{partition}"


def _limit(settings: Settings) -> int:
    return settings.journal_limit_mb << 20
