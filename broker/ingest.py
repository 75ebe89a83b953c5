"""Taking messages in: decode, check (both in `understanding.py`), journal, acknowledge. In that order, which is the promise.

Mosquitto never makes a QoS 1 publisher wait and drops what it can't hold, so this path waits for nothing but the journal:
stores and applications are served from there, each at its own pace. One batch is on its way there at a time, and what comes
meanwhile is the next: so the order is kept whatever becomes of it, and the slower the journal, the larger its batches. SQLite's
commit is made on the event loop's own thread: there is nothing better to do until it is done, and handing it to another thread
costs as much as the commit.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from broker import topics
from broker.errors import JournalFull, Unavailable
from broker.journal.protocol import Batch, Beside, Journal
from broker.metrics import BATCHES, COMMIT, JOURNAL_FULL, RECORDS_ACCEPTED, RECORDS_REFUSED
from broker.mqtt import codec, connection
from broker.mqtt.codec import Message
from broker.mqtt.connection import Account, Connection
from broker.reading import Answer, Formats
from broker.routes import NOWHERE
from broker.topics import Source
from broker.understanding import Taken, Understanding

log = structlog.get_logger()

SESSION_EXPIRY_S = 7 * 86_400  # a broker that is down over a long weekend finds what Mosquitto kept for it
CONCLUDE_S = 1.0  # how often it is looked which tags are gone: a window is seconds
RETRY_S = 1.0  # how often a connection or a full journal is tried again
SUBSCRIBED_AT_ONCE = 1_000  # filters in one packet: 70 KB
_PRESENCE = f"/{topics.PRESENCE}"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """The bounds of a batch, and how far a device's clock may run ahead."""

    batch_records: int
    batch_delay_s: float
    ahead: int
    """ns."""


class Ingest:
    """The one reader of `in/#`, or of what `listen_to` names with a `mark` of its own. `on_batch` gets every batch that was journalled;
    `places` what to keep with it; `on_new_session` is called when Mosquitto had no session of ours and now has one.
    """

    def __init__(
        self,
        journal: Journal,
        settings: IngestSettings,
        *,
        formats: Formats,
        on_batch: Callable[[Batch], None],
        places: Callable[[], dict[str, int]],
        on_new_session: Callable[[], None],
        mark: str | None = None,
    ) -> None:
        self.understanding = Understanding(journal, formats, settings.ahead, self._tell)
        self._journal = journal
        self._settings = settings
        self._on_batch = on_batch
        self._places = places
        self._on_new_session = on_new_session
        self._mark = (mark or topics.MARK).encode()
        self._filters = {mark or topics.EVERY_INPUT}
        self._listened_to: set[str] = set()
        """Those of them that Mosquitto knows of."""
        self._running = False
        self._connection: Connection | None = None
        self._subscribed = False
        self._idle = asyncio.Event()
        """No batch is on its way to the journal."""
        self._idle.set()
        self._flush: asyncio.Handle | None = None
        self._marks: dict[bytes, asyncio.Future[int]] = {}

    @property
    def connected(self) -> bool:
        return self._subscribed

    async def run(self, account: Account) -> None:
        """Take messages in until cancelled, connecting again whenever the connection is lost."""
        self._running = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._conclude(), name="ingest concludes")
            tasks.create_task(self._listen(account), name="ingest listens")

    async def _listen(self, account: Account) -> None:
        while True:
            await self._idle.wait()  # what is on its way is known by then when it is delivered once more
            self.understanding.sightings.forget()
            try:
                async with connection.connect(
                    account, self._take, session_expiry_s=SESSION_EXPIRY_S
                ) as self._connection:
                    self._commit()  # what the session held may have come together with the answer to CONNECT
                    await self._subscribe(self._filters)
                    self._subscribed = True
                    if not self._connection.connected.result().session_present:
                        self._on_new_session()
                    log.info("ingest_connected")
                    await self._connection.lost
                log.warning("ingest_connection_lost")
            except (Unavailable, TimeoutError) as error:
                log.warning("ingest_not_connected", reason=str(error))
            finally:
                self._forget_pending()
            await asyncio.sleep(RETRY_S)

    async def listen_to(self, filters: Iterable[str]) -> None:
        """Take in what comes on these, too. Raises Unavailable where Mosquitto does not know of it yet; it is told with the next connection."""
        self._filters |= set(filters)
        new = self._filters - self._listened_to
        if new and self._running:
            if not self._subscribed:
                raise Unavailable("nothing is taken in: there is no connection to Mosquitto")
            await self._subscribe(new)

    async def _subscribe(self, filters: Iterable[str]) -> None:
        assert self._connection is not None
        every = sorted(filters)
        for at in range(0, len(every), SUBSCRIBED_AT_ONCE):
            await self._connection.subscribe(every[at : at + SUBSCRIBED_AT_ONCE])
        self._listened_to |= set(every)

    async def caught_up(self) -> int:
        """Wait until everything that Mosquitto took before this call is journalled; returns the batch that ends with it.

        Mosquitto delivers in order, so a message of our own comes after all of it. Raises Unavailable when there is no
        connection, or it is lost meanwhile.
        """
        if self._connection is None or not self._subscribed:
            raise Unavailable("nothing is taken in: there is no connection to Mosquitto")
        mark = secrets.token_bytes(8)
        passed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._marks[mark] = passed
        try:
            await self._connection.room()
            self._connection.publish([(codec.heading(self._mark.decode()), codec.NO_PROPERTIES, mark, False)], _ignore)
            return await passed
        finally:
            self._marks.pop(mark, None)

    def _take(self, messages: list[Message]) -> None:
        now, understanding = time.time_ns(), self.understanding
        taken = understanding.taken
        for message in messages:
            if message.topic == self._mark:
                taken.packet_ids.append(message.packet_id)
                taken.passed.append(message.payload)
                continue
            entry = understanding.understand(message, now)
            taken.entries.append(entry)
            if message.packet_id:
                taken.packet_ids.append(message.packet_id)
            taken.records += len(entry.points) + len(entry.refusals)
            understanding.messages += 1
        self._commit_soon()

    def _commit_soon(self) -> None:
        taken = self.understanding.taken
        if taken.records >= self._settings.batch_records:
            self._commit()
        elif self._flush is None and (taken.entries or taken.packet_ids):
            self._flush = asyncio.get_running_loop().call_later(self._settings.batch_delay_s, self._commit)

    async def _conclude(self) -> None:
        """Tell, once a second, which tags are gone; only while we would hear it if they were not."""
        while True:
            await asyncio.sleep(CONCLUDE_S)
            if not self._subscribed or self.understanding.routes is NOWHERE:
                continue
            self.understanding.conclude()
            self._commit_soon()

    def _tell(self, whose: Source, answers: Sequence[Answer]) -> None:
        """Publish what devices are to be told on their own topics; a format says so seldom, and again if it is lost."""
        if answers and self._connection is not None:
            packets = [
                (codec.heading(f"in/{whose.organisation}/{whose.gateway}/{topic}"), codec.NO_PROPERTIES, payload, False)
                for topic, payload in answers
            ]
            self._connection.publish(packets, _ignore)

    def _commit(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._connection is None:
            return
        if not self._idle.is_set():
            if self.understanding.taken.records >= self._settings.batch_records:
                self._connection.pause()
            return
        taken, self.understanding.taken = self.understanding.taken, Taken()
        if taken.entries:
            self._append(taken)
        else:
            self._acknowledge(taken)

    def _append(self, taken: Taken) -> None:
        taken.sights |= self.understanding.sightings.handed_over()
        beside = Beside({**self._places(), "messages": self.understanding.messages}, taken.untimed, taken.sights)
        self._idle.clear()
        try:
            self._journal.append(taken.entries, beside, partial(self._journalled, taken, time.perf_counter()))
        except JournalFull as error:
            JOURNAL_FULL.inc()
            log.error("journal_full", reason=str(error))
            self.understanding.taken = taken
            self._idle.set()
            assert self._connection is not None
            self._connection.pause()
            self._flush = asyncio.get_running_loop().call_later(RETRY_S, self._commit)

    def _journalled(self, taken: Taken, began: float, batches: list[Batch]) -> None:
        COMMIT.observe(time.perf_counter() - began)
        self.understanding.untimed |= taken.untimed
        self._idle.set()
        self._acknowledge(taken)
        for batch in batches:
            self._count(batch)
            self._on_batch(batch)
        meanwhile = self.understanding.taken
        if meanwhile.entries or meanwhile.packet_ids:  # they have waited
            self._commit()

    def _acknowledge(self, taken: Taken) -> None:
        for mark in taken.passed:
            if (passed := self._marks.get(mark)) is not None and not passed.done():
                passed.set_result(self._journal.last)
        if self._connection is not None and not self._connection.lost.done():
            self._connection.acknowledge(taken.packet_ids)
            self._connection.resume()

    def _count(self, batch: Batch) -> None:
        BATCHES.inc()
        RECORDS_ACCEPTED.inc(sum(len(entry.points) for entry in batch.entries))
        refused = Counter(refusal.cause for entry in batch.entries for refusal in entry.refusals)
        for cause, count in refused.items():
            RECORDS_REFUSED.labels(cause).inc(count)

    def _forget_pending(self) -> None:
        # not acknowledged, so Mosquitto delivers it again
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self.understanding.taken = Taken()
        for waiting in self._marks.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the connection to Mosquitto was lost"))
        self._connection = None
        self._subscribed = False


def _ignore(_reason: int) -> None:
    """A mark that Mosquitto refuses does not come, and whoever waits for it has a time limit; answers are given anew."""
