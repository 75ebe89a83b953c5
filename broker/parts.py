"""The processes that `mitoyen up` runs, put together: the broker and the keeper. The composition roots of the core."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import ExitStack, closing, suppress
from zoneinfo import ZoneInfo

import structlog

from broker import control, mosquitto, secrets, signing, times
from broker.audits import Audits
from broker.authority import Authority
from broker.bearers import Bearers
from broker.entry import Entry
from broker.errors import JournalFull, MitoyenError, Unavailable
from broker.home import Home
from broker.ingest import Ingest, IngestSettings
from broker.journal.protocol import NOTHING, Batch
from broker.journal.sqlite import SqliteJournal, SqliteReader
from broker.keeper.keeper import Keeper, KeeperSettings
from broker.keeper.live import PahoPublisher
from broker.keeper.progress import Progress, kept, place_of
from broker.meter import Meter, hours, totals
from broker.metrics import JOURNAL_BYTES
from broker.model import AgreementId
from broker.opening import prefix, registry, writer
from broker.outbound import PLACE, Outbound
from broker.part import account, alone
from broker.previews import Previews
from broker.privacy import tags
from broker.privacy.keys import PseudonymKeys, load_key
from broker.reading import Custom, Formats
from broker.registry.checkpoint import Checkpoint
from broker.registry.snapshot import Snapshot
from broker.routes import compile_routes
from broker.settings import Settings
from broker.store.open import open_raw, open_stores
from broker.store.protocol import Store

log = structlog.get_logger()

TIDY_S = 1.0  # how often places are written and the journal is trimmed when nothing comes in
LOOK_S = 0.01  # how often the keeper's place is looked up while somebody waits for it
QUOTA_S = 0.1  # how often it is looked whether an agreement has had its quota
NOTICE_S = 60.0  # how often at least it is looked whether an agreement is about to end


def run_broker(settings: Settings, formats: Formats) -> None:
    """Take in, publish, authorise; until SIGTERM."""
    home = Home(settings.home)
    with alone(home.run / "broker.lock"):
        asyncio.run(_Broker(settings, home, formats).run())


def run_keeper(settings: Settings) -> None:
    """Keep what the journal holds; until SIGTERM."""
    home = Home(settings.home)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    with ExitStack() as stack:
        stack.enter_context(alone(home.run / "keeper.lock"))
        stores = open_stores(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings))
        stack.enter_context(closing(stores.raw))
        stack.enter_context(closing(stores.released))
        login = secrets.load(home.logins)["mitoyen.live"]
        live = stack.enter_context(closing(PahoPublisher(account(settings, login, "-keeper"))))
        keeper = Keeper(
            registry=stack.enter_context(closing(registry(settings, home))),
            journal=stack.enter_context(closing(SqliteReader(home.journal))),
            progress=stack.enter_context(closing(Progress(home.keeper))),
            raw=stores.raw,
            released=stores.released,
            keys=PseudonymKeys(home.pseudonyms, settings.wrapping_key or home.wrapping),
            hash_of=tags.hasher(load_key(home.tags)),
            live=live,
            state_file=home.keeper_state,
            settings=KeeperSettings(settings.lateness_ns, settings.silent_after_ns),
            report=lambda published: control.Control(home.socket).call(control.WindowsPublished(published)),
        )
        keeper.run(stop)


class _Broker:
    """The tasks of the broker process, and what they share."""

    def __init__(self, settings: Settings, home: Home, formats: Formats) -> None:
        self._settings = settings
        self._home = home
        self._formats = formats
        self._registry = registry(settings, home)
        self._journal = SqliteJournal(home.journal, limit_bytes=settings.journal_limit_mb << 20)
        self._meter = Meter(home.meter)
        pseudonyms = PseudonymKeys(home.pseudonyms, settings.wrapping_key or home.wrapping)
        self._outbound = Outbound(self._journal, pseudonyms, settings.lateness_ns, self._meter)
        self._ingest = Ingest(
            self._journal,
            IngestSettings(settings.batch_records, settings.batch_delay_ms / 1000, settings.ahead_ns),
            formats=formats,
            on_batch=self._journalled,
            places=lambda: {PLACE: self._outbound.place},
            on_new_session=lambda: mosquitto.keep_sessions(home.mosquitto),
        )
        self._previews = Previews(
            lambda: open_raw(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings)),
            self._note_preview,
            settings.lateness_ns,
        )
        self._audits = Audits(home.settings, self._note_preview)
        self._authority = Authority(self._snapshot, self._meter.used)
        self._bearers = Bearers(self._registry, load_key(home.tags), formats.canonical)
        self._latest = Snapshot(-1)
        self._changed = asyncio.Event()
        self._warm: asyncio.Task[float | None] | None = None
        """Loads what knows units, once a gateway speaks a format that has some."""
        self._following = asyncio.Lock()
        self._signing = asyncio.Lock()
        self._kept = 0
        self._held_until = 0.0
        """Until when nothing is trimmed, for a backup (monotonic)."""

    async def run(self) -> None:
        logins = secrets.load(self._home.logins)
        loop = asyncio.get_running_loop()
        await self._remember_last()
        self._follow(await self._snapshot())
        work = asyncio.gather(
            self._authority.run(account(self._settings, logins["mitoyen.control"])),
            self._outbound.run(account(self._settings, logins["mitoyen.live"])),
            self._ingest.run(account(self._settings, logins["mitoyen.ingest"])),
            control.serve(self._home.socket, self._answer),
            self._tidy(),
            self._end_quotas(),
            self._give_notice(),
            self._sign_regularly(),
        )
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            log.info("broker_stopped")
        finally:
            self._keep_places()
            self._previews.close()
            self._meter.close(time.time_ns())
            self._journal.close()
            self._registry.close()

    async def _append(self, entries: list[Entry]) -> None:
        """Journal what did not come over Mosquitto. Raises JournalFull."""
        safe = asyncio.Event()

        def journalled(batches: list[Batch]) -> None:
            for batch in batches:
                self._journalled(batch)
            safe.set()

        self._journal.append(entries, NOTHING, journalled)
        await safe.wait()

    def _journalled(self, batch: Batch) -> None:
        self._outbound.offer(batch)

    async def _snapshot(self) -> Snapshot:
        return await asyncio.to_thread(self._registry.snapshot)

    def _follow(self, snapshot: Snapshot) -> None:
        erasing = self._latest.revision >= 0 and snapshot.erasures != self._latest.erasures
        self._latest = snapshot
        self._changed.set()
        self._meter.follow(snapshot, time.time_ns())
        routes = compile_routes(snapshot, self._formats.decoders)
        self._ingest.routes = routes
        self._outbound.consents = snapshot.consented(self._bearers.hash_of)
        self._outbound.change(routes)
        if erasing:
            self._outbound.take_back()
        if routes.foreign and self._warm is None:  # 1 s, which the first conversion would else take of the loop
            self._warm = asyncio.create_task(asyncio.to_thread(self._formats.convert, 1.0, "K", "Cel"), name="units")

    async def _remember_last(self) -> None:
        """Learn each datastream's last points, from the raw store and from what is not stored yet."""
        snapshot = await self._snapshot()
        streams = {d.stream: f"in/{d.organisation}/{d.gateway}/{d.id}" for d in snapshot.datastreams}
        settings, home = self._settings, self._home
        try:
            opened = open_stores(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings))
            with closing(opened.raw), closing(opened.released):
                for stream, point in (await asyncio.to_thread(opened.raw.latest, list(streams))).items():
                    self._outbound.remember(stream, [point])
        except Unavailable as error:
            log.warning("last_values_unknown", reason=str(error))
        of_topic = {topic: stream for stream, topic in streams.items()}
        place = place_of(home.keeper)
        while place < self._outbound.place and (batches := await self._journal.read(place)):
            for batch in batches:
                for entry in batch.entries:
                    if entry.points and entry.topic in of_topic:
                        self._outbound.remember(of_topic[entry.topic], sorted(entry.points, key=lambda p: p.time))
            place = batches[-1].seq

    async def _answer(self, call: control.Call) -> object:
        match call:
            case control.Changed(passwords=passwords):
                async with self._following:
                    snapshot = await self._snapshot()
                    self._follow(snapshot)
                    await self._authority.apply(snapshot, passwords)
                    return snapshot.revision
            case control.CaughtUp():
                return await self._caught_up()
            case control.HoldJournal():
                self._held_until = time.monotonic() + control.HELD_S
                return os.getpid()
            case control.Sign():
                return await self._sign()
            case control.Ready():
                return self._ingest.connected and self._outbound.connected and self._authority.ready.is_set()
            case control.IssueCode() | control.GiveConsent() | control.WithdrawConsent() | control.TellHeld():
                return await self._answer_bearer(call)
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

    async def _answer_owner(self, call: control.OwnersCall) -> object:
        match call:
            case control.Gateways(organisation=organisation, gateways=gateways):
                asked = set(gateways)
                heard = self._journal.presences()
                return [one for one in heard if one.organisation == organisation and one.gateway in asked]
            case control.Refusals(organisation=organisation, gateway=gateway, limit=limit):
                return [one._asdict() for one in self._journal.refusals(organisation, gateway, limit)]
            case control.Reconcile():
                return await self._reconciled()
            case control.FramesSeen(entries=entries):
                if entries:
                    await self._append(entries)
                return None
            case control.Preview():
                return await self._previews.answer(call, self._latest.datastreams, time.time_ns())
            case control.Audit():
                return await self._audits.answer(call, self._latest.datastreams, time.time_ns())
            case control.Suggested(organisation=organisation, gateway=gateway):
                foreign = self._ingest.routes.foreign.get((organisation, gateway))
                return self._ingest.suggestions.of((organisation, gateway), foreign.streams if foreign else {})
            case control.Decode():
                return await asyncio.to_thread(self._decoded, call)

    async def _answer_bearer(self, call: control.BearerCall) -> object:
        now = time.time_ns()
        match call:
            case control.IssueCode(organisation=organisation, epc=epc):
                return await asyncio.to_thread(self._bearers.issue, organisation, epc, now)
            case control.GiveConsent(epc=epc, code=code, purposes=purposes):
                following = await asyncio.to_thread(self._bearers.give, epc, code, purposes, now)
            case control.WithdrawConsent(epc=epc, code=code, erase=erase):
                following = await asyncio.to_thread(self._bearers.withdraw, epc, code, erase=erase, now=now)
            case control.TellHeld(epc=epc, code=code):
                with closing(self._raw()) as raw:
                    return await asyncio.to_thread(self._bearers.held, epc, code, raw, now)
        async with self._following:
            self._follow(await self._snapshot())
        return following

    def _note_preview(self, organisation: str, datastream: str) -> None:
        self._registry.accounts.note_preview(organisation, datastream, time.time_ns())

    def _raw(self) -> Store:
        """The raw store, to read. Close it."""
        settings, home = self._settings, self._home
        opened = open_stores(settings.store, home.root, prefix=prefix(settings, home), account=writer(settings))
        opened.released.close()
        return opened.raw

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
                return await asyncio.to_thread(hours, self._home.meter, start, end, offer, agreement)
            case control.TotalUsage():
                self._meter.flush(now)
                return await asyncio.to_thread(totals, self._home.meter)

    async def _reconciled(self) -> control.Reconciled:
        last, heard = self._journal.last, self._journal.presences()
        found = await asyncio.to_thread(kept, self._home.keeper)
        accepted = [(one.organisation, one.gateway, one.accepted, one.refused) for one in heard]
        return control.Reconciled(found.place == last, accepted, found.tallies, found.waiting)

    async def _caught_up(self) -> bool:
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(control.CAUGHT_UP_S):
                newest = await self._ingest.caught_up()
                while self._kept < newest:
                    self._kept = await asyncio.to_thread(place_of, self._home.keeper)
                    if self._kept < newest:
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

    async def _end_quotas(self) -> None:
        """Apply the rules anew whenever an agreement has had its quota; when a period begins, the authority does so itself."""
        known: frozenset[AgreementId] = frozenset()
        while True:
            await asyncio.sleep(QUOTA_S)
            with suppress(Unavailable):  # it is tried again, and at the next connection anyway
                exhausted = self._meter.exhausted(time.time_ns())
                if exhausted != known:
                    await self._authority.apply(self._latest, {})
                    known = exhausted

    async def _give_notice(self) -> None:
        """Tell applications of agreements that are about to end or ended by themselves, and take down what is over."""
        while True:
            now = time.time_ns()
            self._changed.clear()
            try:
                if await asyncio.to_thread(self._told_of_ends, self._latest, now):
                    async with self._following:
                        self._follow(await self._snapshot())
            except Unavailable as error:
                log.warning("notices_not_given", reason=str(error))
            due = self._latest.next_change(now)
            with suppress(TimeoutError):
                patience = NOTICE_S if due is None else min(max(due - now, 0) / 1e9 + LOOK_S, NOTICE_S)
                await asyncio.wait_for(self._changed.wait(), patience)

    async def _sign(self) -> Checkpoint:
        """Sign the ledger as it is, with the key as it is: it may have been rotated meanwhile."""
        async with self._signing:
            key = await asyncio.to_thread(signing.load, self._home.ledger_key)
            return await asyncio.to_thread(self._registry.public_record.sign, key, time.time_ns())

    async def _sign_regularly(self) -> None:
        while True:
            try:
                await self._sign()
            except MitoyenError as error:
                log.error("ledger_not_signed", reason=str(error))
            await asyncio.sleep(self._settings.checkpoint_every_ns / times.SECOND)

    def _told_of_ends(self, snapshot: Snapshot, now: int) -> bool:
        self._registry.record_consents(now)
        changed = False
        for notice in snapshot.notices:
            if notice.until <= now:
                self._registry.end_notice(notice.id, now)
                changed = True
        for agreement in (*snapshot.paused, *(one for of in snapshot.agreements.values() for one in of)):
            ends = agreement.terms.expires
            if ends is not None and ends - now <= self._settings.notice_before_ns:
                changed |= self._registry.notify(agreement, "expired" if ends <= now else "expiring", now)
        return changed

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            self._kept = await asyncio.to_thread(place_of, self._home.keeper)
            try:
                if time.monotonic() > self._held_until:
                    self._journal.trim(min(self._kept, self._outbound.place))
                self._keep_places()
                self._meter.flush(time.time_ns())
            except (JournalFull, Unavailable) as error:
                log.error("not_written_down", reason=str(error))
            JOURNAL_BYTES.set(self._journal.used_bytes())

    def _keep_places(self) -> None:
        self._journal.keep_places({PLACE: self._outbound.place})
