"""What serves a partition: it takes in, gives out, and answers what is asked of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from broker import control, secrets
from broker.access import Used
from broker.audits import Audits
from broker.entry import Entry
from broker.errors import JournalFull, Unavailable
from broker.everywhere import Outbounds
from broker.home import Home
from broker.journal.jetstream import JetStreamJournal
from broker.journal.protocol import NOTHING, Batch, Journal
from broker.keeper.progress import kept, place_of, waits
from broker.meter import Meter, hours, totals
from broker.metrics import JOURNAL_BYTES
from broker.model import AgreementId
from broker.outbound import PLACE, Outbound
from broker.part import account, accounts
from broker.parts import remembered, stores
from broker.parts.taking import AtEdges, Here, Taking
from broker.previews import Previews
from broker.privacy import tags
from broker.privacy.keys import load_key
from broker.reading import Custom, Formats
from broker.registry.registry import Registry
from broker.registry.snapshot import Snapshot
from broker.routes import NOWHERE, Routes, compile_routes, grown
from broker.settings.settings import Settings
from broker.tables.protocol import Tables
from broker.together import together

log = structlog.get_logger()

TIDY_S = 1.0  # how often places are written and the journal is trimmed when nothing comes in
LOOK_S = 0.01  # how often the keeper's place is looked up while somebody waits for it


class Worker:
    """The tasks of a partition, and what they share."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        formats: Formats,
        known: Registry,
        journal: Journal,
        meter: Tables,
        partition: int = 0,
        edges: Sequence[control.Control] = (),
    ) -> None:
        """`meter`: the tables in which it counts use. `edges`: who takes in for it, where it does not itself."""
        self._settings = settings
        self._home = home
        self._sources = remembered.sources(settings, home, partition)
        self._formats = formats
        self._registry = known
        self._hash_of = tags.hasher(load_key(home.tags))
        self._journal = journal
        self._meter = Meter(meter)
        pseudonyms = remembered.names(settings, home, meter)
        self._outbound = Outbounds(
            [
                Outbound(journal, pseudonyms, settings.lateness_ns, self._meter, meter.check, name=_place(n))
                for n in range(len(settings.mqtt_addresses))
            ]
        )
        suffix = "" if settings.partitions == 1 else f"-{partition}"
        logins = secrets.load(home.logins)
        self._accounts = accounts(settings, logins["mitoyen.live"], suffix)
        self._taking: Taking
        if settings.edges:
            assert isinstance(journal, JetStreamJournal), "the settings' own check"
            self._taking = AtEdges(journal, edges, partition, on_batches=self._outbound.offer_all)
        else:
            at = account(settings, logins["mitoyen.ingest"], suffix)
            self._taking = Here(
                settings, formats, journal, at, home.mosquitto, partition,
                on_batch=self._outbound.offer, places=lambda: self._outbound.places,
            )  # fmt: skip
        self._previews = Previews(partial(stores.raw, settings, home), self._note_preview, settings.lateness_ns)
        self._audits = Audits(home.settings, self._note_preview)
        self._latest = Snapshot(-1)
        self._routes = NOWHERE
        self._warm: asyncio.Task[float | None] | None = None
        """Loads what knows units, once a gateway speaks a format that has some."""
        self._kept = 0
        self._held_until = 0.0
        """Until when nothing is trimmed, for a backup (monotonic)."""

    async def run(self) -> None:
        """Until cancelled. Raises LeaseLost."""
        await together(self._outbound.run(self._accounts), self._taking.run(), self._tidy())

    def close(self) -> None:
        """Write down what is known in memory alone. Raises LeaseLost."""
        self._previews.close()
        self._sources.close()
        self._keep_places()
        self._meter.close(time.time_ns())

    async def remember_last(self, snapshot: Snapshot) -> None:
        """Learn each datastream's last points, from the raw store and from what is not stored yet."""
        streams = {d.stream: d.topic for d in snapshot.datastreams}
        try:
            opened = stores.both(self._settings, self._home)
            with closing(opened.raw), closing(opened.released):
                for stream, point in (await asyncio.to_thread(opened.raw.latest, list(streams))).items():
                    self._outbound.remember(stream, [point])
        except Unavailable as error:
            log.warning("last_values_unknown", reason=str(error))
        of_topic = {topic: stream for stream, topic in streams.items()}
        place = place_of(self._sources.keeper)
        while place < self._outbound.place and (batches := await self._journal.read(place)):
            for batch in batches:
                for entry in batch.entries:
                    if entry.points and entry.topic in of_topic:
                        self._outbound.remember(of_topic[entry.topic], sorted(entry.points, key=lambda p: p.time))
            place = batches[-1].seq

    async def follow(self, snapshot: Snapshot) -> None:
        """What comes from now on is decided by this. Raises Unavailable where Mosquitto could not be told whose messages to deliver."""
        before, self._latest = self._latest, snapshot
        added = snapshot.added_to(before)
        if added is None:
            self._routes = routes = compile_routes(snapshot, self._formats.decoders)
            self._decide(before, snapshot, routes)
        else:
            self._routes = routes = grown(self._routes, added, snapshot, self._formats.decoders)
            self._outbound.grow(snapshot, routes, added.offers, snapshot.consented(self._hash_of))
        if routes.foreign and self._warm is None:  # 1 s, which the first conversion would else take of the loop
            self._warm = asyncio.create_task(asyncio.to_thread(self._formats.convert, 1.0, "K", "Cel"), name="units")
        await self._taking.follow(snapshot, routes)

    def _decide(self, before: Snapshot, snapshot: Snapshot, routes: Routes) -> None:
        self._meter.follow(snapshot, time.time_ns())
        self._outbound.change(snapshot, routes, snapshot.consented(self._hash_of))
        if before.revision >= 0 and snapshot.erasures != before.erasures:
            self._outbound.take_back()

    def used(self, now: int) -> Mapping[AgreementId, Used]:
        """What agreements with a quota were delivered in the period that `now` (ns) falls in."""
        return self._meter.used(now)

    def exhausted(self, now: int) -> frozenset[AgreementId]:
        """Agreements that had their quota."""
        return self._meter.exhausted(now)

    async def answer(self, call: control.WorkersCall) -> object:
        """The answer to a call, as `control` describes it. Raises MitoyenError."""
        match call:
            case control.CaughtUp(streams=streams):
                return await self._caught_up(streams)
            case control.HoldJournal():
                self._held_until = time.monotonic() + control.HELD_S
                return os.getpid()
            case control.Ready():
                return self._taking.connected and self._outbound.connected
            case control.Reconcile():
                return await self._reconciled()
            case control.FramesSeen(entries=entries):
                if entries:
                    await self._append(entries)
                return None
            case (
                control.HttpDelivered()
                | control.WindowsPublished()
                | control.QuotaUsed()
                | control.Usage()
                | control.TotalUsage()
            ):
                return await self._answer_of_meter(call)
            case _:
                return await self._answer_owner(call)

    async def _append(self, entries: list[Entry]) -> None:
        """Journal what did not come over Mosquitto. Raises JournalFull."""
        safe = asyncio.Event()

        def journalled(batches: list[Batch]) -> None:
            for batch in batches:
                self._outbound.offer(batch)
            safe.set()

        self._journal.append(entries, NOTHING, journalled)
        await safe.wait()

    async def _answer_owner(self, call: control.OwnersCall) -> object:
        match call:
            case control.Gateways(organisation=organisation, gateways=gateways):
                asked = set(gateways)
                heard = self._journal.presences()
                return [one for one in heard if one.organisation == organisation and one.gateway in asked]
            case control.Refusals(organisation=organisation, gateway=gateway, limit=limit):
                return [one._asdict() for one in self._journal.refusals(organisation, gateway, limit)]
            case control.Preview():
                return await self._previews.answer(call, self._latest.datastreams, time.time_ns())
            case control.Audit():
                return await self._audits.answer(call, self._latest.datastreams, time.time_ns())
            case control.Suggested():
                return await self._taking.suggested(call)
            case control.Decode():
                return await asyncio.to_thread(self._decoded, call)

    async def _answer_of_meter(self, call: control.MeterCall) -> object:
        now = time.time_ns()
        match call:
            case control.HttpDelivered(what=what):
                self._meter.delivered(what)
                return sorted(self._meter.exhausted(now))
            case control.WindowsPublished(what=published):
                for offer, records, size in published:
                    self._meter.published(offer, records, size)
                return None
            case control.QuotaUsed():
                return self._meter.used(now)
            case control.Usage(start=start, end=end, offer=offer, agreement=agreement):
                self._meter.flush(now)
                return await asyncio.to_thread(hours, self._sources.meter, start, end, offer, agreement)
            case control.TotalUsage():
                self._meter.flush(now)
                return await asyncio.to_thread(totals, self._sources.meter)

    async def _reconciled(self) -> control.Reconciled:
        last, heard = self._journal.last, self._journal.presences()
        found = await asyncio.to_thread(kept, self._sources.keeper)
        accepted = [(one.organisation, one.gateway, one.accepted, one.refused) for one in heard]
        return control.Reconciled(found.place == last, accepted, found.tallies, found.waiting)

    async def _caught_up(self, streams: tuple[str, ...]) -> bool:
        asked = time.time_ns()
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(control.CAUGHT_UP_S):
                newest = await self._taking.caught_up()
                while self._kept < newest:
                    self._kept = await asyncio.to_thread(place_of, self._sources.keeper)
                    if self._kept < newest:
                        await asyncio.sleep(LOOK_S)
                due = bool(streams)
                while due:
                    due = await asyncio.to_thread(waits, self._sources.keeper, streams, asked)
                    if due:
                        await asyncio.sleep(LOOK_S)
                return True
        return False

    def _decoded(self, asked: control.Decode) -> object:
        """What would be understood of a payload; nothing is kept."""
        understood = self._formats.make(asked.format, Custom(ZoneInfo(asked.zone))).understand(
            asked.topic, asked.payload, time.time_ns()
        )
        log.info("payload_decoded", organisation=asked.organisation, format=asked.format, size=len(asked.payload))
        return {"items": self._formats.show(understood), "about": list(understood.about)}

    def _note_preview(self, organisation: str, datastream: str) -> None:
        self._registry.accounts.note_preview(organisation, datastream, time.time_ns())

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            self._kept = await asyncio.to_thread(place_of, self._sources.keeper)
            try:
                self._keep_places()
                if time.monotonic() > self._held_until:
                    self._journal.trim(min(self._kept, self._outbound.place))
                self._meter.tidy(time.time_ns())
            except (JournalFull, Unavailable) as error:
                log.error("not_written_down", reason=str(error))
            JOURNAL_BYTES.set(self._journal.used_bytes())

    def _keep_places(self) -> None:
        self._journal.keep_places(self._outbound.places)


def _place(mosquitto: int) -> str:
    """The name of what was published at one of the Mosquittos."""
    return f"{PLACE}-{mosquitto}" if mosquitto else PLACE
