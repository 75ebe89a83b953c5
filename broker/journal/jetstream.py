"""A journal that outlives machines: a stream of NATS JetStream, which a majority of its servers has on disk before a batch is safe.

Its numbers are the stream's. One pack is on its way at a time and sent until its number is known, with a mark by which the servers
know it again: so nothing is lost, doubled or out of order when a leader dies. A full stream takes nothing until there is room. What
is beside the batches lies in a SQLite file: times of messages without any are written there before their batch is sent, all else is
derived from batches that are safe, and after a crash once more from where it was.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
import structlog

from broker.entry import Entry, Refusal
from broker.errors import JournalFull, Unavailable
from broker.journal.beside import BesideTables, heard, presences
from broker.journal.protocol import Batch, Beside, OnSafe, RefusedMessage, Sights, Untimed
from broker.journal.stream import Stream
from broker.metrics import JOURNAL_FULL
from broker.natsservers import Servers, reach
from broker.presence import Presence
from broker.smoothing import Seen, Sight
from broker.tables.protocol import Source, Tables

log = structlog.get_logger()

_T = TypeVar("_T")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode

COUNTED = "counted"
"""The place up to which what gateways sent is counted."""
TRIMMED = "trimmed"
"""The place up to which batches are forgotten, or about to be. It is written to disk, and with it all that was written before."""
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # before a pack is sent again: a leader is chosen within seconds
LOOK_S = 0.1  # how often it is looked for more where no word of it comes
LAGS = 100  # times that a server may be asked which has not yet heard of what is safe: 5 s
TIDY_S = 1.0  # how often it is trimmed and measured


class _Appended(NamedTuple):
    entries: list[Entry]
    beside: Beside
    on_safe: OnSafe


class JetStreamJournal:
    """The writer's side, made by `opened`."""

    def __init__(self, stream: Stream, beside: Tables, *, last: int, alone: bool) -> None:
        """`alone`: nobody else writes, so that what is written need not be read to be followed. Whoever opened the tables closes them."""
        self._stream = stream
        self._alone = alone
        self._tables = beside
        self._beside = BesideTables(beside)
        self._written_by = secrets.token_hex(8)
        self._packs = 0
        self._appended: asyncio.Queue[_Appended] = asyncio.Queue()  # bounded by whoever waits for what it appended
        self.last = last
        """The number of the newest batch that is safe."""
        self._used = 0
        self._wanted = self._trimmed = 0

    def append(self, entries: list[Entry], beside: Beside, on_safe: OnSafe) -> None:
        """Send a batch, after those before it; `on_safe` is called once a majority has it on disk.

        Raises ValueError for no entries. A full stream is asked again until it has room.
        """
        if not entries:
            raise ValueError("a batch has at least one entry: whoever reads the journal takes its time from them")
        self._appended.put_nowait(_Appended(entries, beside, on_safe))

    async def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first, some megabytes at most. Raises Unavailable."""
        for _ in range(LAGS):
            found = await self._stream.read(after, most_bytes)
            if found or self.last <= max(after, self._trimmed):
                return _batches(found)
            await asyncio.sleep(PAUSES_S[0])
        raise Unavailable(f"the journal's stream lacks what comes after {after}: its last was {self.last}")

    def place(self, name: str) -> int:
        """The last batch that reader `name` is done with; 0 if none."""
        return self._beside.place(name)

    def keep_places(self, places: Mapping[str, int]) -> None:
        """Write the readers' places now. Raises JournalFull."""
        with self._beside.writing(on_disk=False):
            self._beside.keep_places(places)

    def trim(self, upto: int) -> None:
        """Forget batches up to this number, within seconds. The places of their readers are kept before."""
        self._wanted = upto

    def used_bytes(self) -> int:
        """Bytes that the stream held a moment ago."""
        return self._used

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard."""
        return presences(self._tables.execute)

    def refusals(self, organisation: str, gateway: str, limit: int) -> list[RefusedMessage]:
        """The newest first."""
        return self._beside.refusals(organisation, gateway, limit)

    def untimed(self) -> dict[int, Untimed]:
        """By packet id, the messages without times that may be delivered once more."""
        return self._beside.untimed()

    def sights(self, came: int) -> dict[str, dict[Seen, Sight]]:
        """The tags that are there, by input topic; their last reads are taken to have come at `came` (ns)."""
        return self._beside.sights(came)

    def forget_sights(self, topic: str) -> None:
        """Erase what is remembered of a topic's tags. Raises Unavailable."""
        self._beside.forget_sights(topic)

    # --- what runs while it is open

    async def write(self) -> None:
        """Send what is appended, one batch after the other; until cancelled."""
        while True:
            appended = await self._appended.get()
            await self._keep_untimed(appended.beside)
            batches = []
            for entries, body in packs(appended.entries, self._stream.most_bytes):
                self._packs += 1
                mark = f"{self._written_by}-{self._packs}"
                batches.append(Batch(await _insist(partial(self._stream.store, body, mark)), entries))
            await self._derive(batches if self._alone else [], appended.beside.sights)
            self.last = max(self.last, batches[-1].seq)
            appended.on_safe(batches)
            if not self._alone:
                await self._stream.tell()

    async def follow(self, on_batches: OnSafe) -> None:
        """Count what others write, in order, and hand it on; until cancelled."""
        news, place = await self._stream.news(), self._beside.place(COUNTED)
        while True:
            news.clear()
            try:
                batches = await self.read(place)
            except Unavailable as error:
                log.warning("journal_not_followed", reason=str(error))
                await asyncio.sleep(TIDY_S)
                continue
            if batches:
                await self._derive(batches, {})
                place = batches[-1].seq
                self.last = max(self.last, place)
                on_batches(batches)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), LOOK_S)

    async def tidy(self) -> None:
        """Trim and measure the stream now and then; until cancelled."""
        while True:
            await asyncio.sleep(TIDY_S)
            with suppress(Unavailable, JournalFull):  # next time
                if self._wanted > self._trimmed:
                    await self._trim()
                self._used = (await self._stream.state()).bytes

    async def _trim(self) -> None:
        """Forget what is counted as well, and only once that is on disk: who begins again further back would wait for it for ever."""
        upto = min(self._wanted, self._beside.place(COUNTED))
        if upto > self._trimmed:
            with self._beside.writing():
                self._beside.keep_places({TRIMMED: upto})
            await self._stream.purge(upto)
            self._trimmed = upto

    async def catch_up(self) -> None:
        """Count what was safe before a crash and not counted. Raises Unavailable."""
        while batches := await self.read(self._beside.place(COUNTED)):
            await self._derive(batches, {})

    async def _keep_untimed(self, beside: Beside) -> None:
        """Before they leave, and on disk: delivered once more they must have the same time."""

        def write() -> None:
            self._beside.keep_untimed(beside.untimed)
            self._beside.keep_places({"messages": beside.places["messages"]})

        if beside.untimed:
            await _insist(partial(self._write, write, on_disk=True))

    async def _derive(self, batches: list[Batch], sights: Sights) -> None:
        def write() -> None:
            for batch in batches:
                self._beside.count(batch.entries)
            if batches:
                self._beside.keep_places({COUNTED: batches[-1].seq})
            self._beside.keep_sights(sights)

        if not batches and not sights:
            return
        await _insist(partial(self._write, write, on_disk=False))

    async def _write(self, what: Callable[[], None], *, on_disk: bool) -> None:
        with self._beside.writing(on_disk=on_disk):
            what()


class JetStreamReader:
    """Another process's side: reads only, and waits for it. Its loop runs while it is asked; a connection that was lost meanwhile is made anew."""

    def __init__(self, servers: Servers, name: str, beside: Source) -> None:
        self._servers, self._name = servers, name
        self._beside = beside
        self._loop = asyncio.new_event_loop()
        self._connected = AsyncExitStack()
        self._stream: Stream | None = None

    def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first. Raises Unavailable."""
        return _batches(self._loop.run_until_complete(self._read(after, most_bytes)))

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard. Raises Unavailable."""
        return heard(self._beside)

    def close(self) -> None:
        self._beside.close()
        self._loop.run_until_complete(self._connected.aclose())
        self._loop.close()

    async def _read(self, after: int, most_bytes: int) -> list[tuple[int, bytes]]:
        if self._stream is None:
            self._stream = Stream(await self._connected.enter_async_context(reach(self._servers)), self._name)
        return await self._stream.read(after, most_bytes)


@asynccontextmanager
async def opened(
    servers: Servers, name: str, beside: Tables, *, replicas: int, limit_bytes: int, alone: bool = True
) -> AsyncIterator[JetStreamJournal]:
    """A journal to write, its stream made if it is not there. Raises Unavailable."""
    async with reach(servers) as client:
        stream = Stream(client, name)
        state = await stream.ensure(replicas=replicas, limit_bytes=limit_bytes)
        journal = JetStreamJournal(stream, beside, last=state.last_seq, alone=alone)
        if alone:
            await journal.catch_up()
        async with _while_it_runs(journal):
            yield journal


@asynccontextmanager
async def _while_it_runs(journal: JetStreamJournal) -> AsyncIterator[None]:
    """Whoever has it open is cancelled should its work end, which is then raised."""
    owner = asyncio.current_task()
    assert owner is not None
    work = asyncio.gather(journal.write(), journal.tidy())
    work.add_done_callback(lambda work: None if work.cancelled() else owner.cancel())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


def packs(entries: list[Entry], most_bytes: int) -> Iterator[tuple[list[Entry], bytes]]:
    """Entries in as many packs as it takes, each with what it is on the wire. A message that fits in none is refused."""
    body = _encode(entries)
    if len(body) <= most_bytes:
        yield entries, body
    elif len(entries) > 1:
        middle = len(entries) // 2
        yield from packs(entries[:middle], most_bytes)
        yield from packs(entries[middle:], most_bytes)
    else:
        (entry,) = entries
        why = f"too large: {len(body)} bytes as it is journalled, of {most_bytes}; send it as several"
        refusal = Refusal(0, why, "too_large")
        refused = Entry(entry.topic, entry.arrived, [], [refusal], b"", entry.response_topic, entry.correlation)
        yield from packs([refused], most_bytes)


def _batches(packs: list[tuple[int, bytes]]) -> list[Batch]:
    return [Batch(seq, _decode(body)) for seq, body in packs]


async def _insist(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Try until it is done: whoever appended waits, and acknowledges nothing meanwhile."""
    pauses = iter(PAUSES_S)
    while True:
        try:
            return await attempt()
        except JournalFull as error:
            JOURNAL_FULL.inc()
            log.error("journal_full", reason=str(error))
        except Unavailable as error:
            log.warning("journal_waits", reason=str(error))
        await asyncio.sleep(next(pauses, PAUSES_S[-1]))
