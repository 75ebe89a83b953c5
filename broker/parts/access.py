"""Who may what: Mosquitto's rules, ends of agreements, quotas, consents, the ledger's signature. One a Mosquitto, never partitioned.

It answers whoever asks, and passes on what whoever serves the partitions answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from contextlib import closing, suppress
from typing import Protocol

import structlog

from broker import control, secrets, signing, times
from broker.access import Used
from broker.authority import Authority
from broker.bearers import Bearers
from broker.errors import MitoyenError, Unavailable
from broker.everywhere import Authorities
from broker.home import Home
from broker.model import AgreementId
from broker.part import accounts
from broker.parts import stores
from broker.privacy.keys import load_key
from broker.reading import Formats
from broker.registry.checkpoint import Checkpoint
from broker.registry.registry import Registry
from broker.registry.snapshot import Snapshot
from broker.settings.settings import Settings
from broker.transport.protocol import ACCESS, Transport

log = structlog.get_logger()

FOLLOW_S = 1.0  # how often it looks whether the registry changed, where those that change it may not reach it
QUOTA_S = 0.1  # how often it is looked whether an agreement has had its quota
NOTICE_S = 60.0  # how often at least it is looked whether an agreement is about to end
AFTER_S = 0.01  # how long after an instant what ends at it is looked up


class Workers(Protocol):
    """Who serves the partitions: in this process, or others."""

    async def follow(self, snapshot: Snapshot) -> None:
        """Decide by this from now on. Raises Unavailable."""
        ...

    def used(self, now: int) -> Mapping[AgreementId, Used]: ...

    def exhausted(self, now: int) -> frozenset[AgreementId]: ...

    async def answer(self, call: control.WorkersCall) -> object: ...


class Access:
    """The tasks that say who may, and what they share."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        formats: Formats,
        known: Registry,
        workers: Workers,
        snapshot: Snapshot,
        transport: Transport,
    ) -> None:
        self._settings = settings
        self._home = home
        self._registry = known
        self._workers = workers
        self._transport = transport
        count = len(settings.mqtt_addresses)
        disconnecting = settings.disconnect_at_end
        self._authority = Authorities(
            [Authority(self._snapshot, workers.used, n, count, disconnecting=disconnecting) for n in range(count)]
        )
        self._bearers = Bearers(known, load_key(home.tags), formats.canonical)
        self._latest = snapshot
        self._changed = asyncio.Event()
        self._following = asyncio.Lock()
        self._signing = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        login = secrets.load(self._home.logins)["mitoyen.control"]
        await asyncio.gather(
            self._authority.run(accounts(self._settings, login)),
            self._transport.serve(ACCESS, self.answer),
            self._end_quotas(),
            self._give_notice(),
            self._sign_regularly(),
        )

    async def look(self) -> None:
        """Decide by the registry as it is, though nobody could tell of a change; until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                if await asyncio.to_thread(self._registry.revision) != self._latest.revision:
                    await self._apply({})
            except Unavailable as error:
                log.warning("registry_not_followed", reason=str(error))

    async def answer(self, call: control.Call) -> object:
        """The answer to a call, as `control` describes it. Raises MitoyenError."""
        match call:
            case control.Changed(passwords=passwords):
                return await self._apply(passwords)
            case control.Sign():
                return await self._sign()
            case control.Ready():
                return self._authority.ready and await self._workers.answer(call)
            case control.IssueCode() | control.GiveConsent() | control.WithdrawConsent() | control.TellHeld():
                return await self._answer_bearer(call)
            case control.TakenIn():
                raise Unavailable("that is for an edge")
            case _:
                return await self._workers.answer(call)

    async def _apply(self, passwords: Mapping[str, str]) -> int:
        """Have all decide by the registry as it is: its revision. Raises Unavailable."""
        async with self._following:
            snapshot = await self._snapshot()
            await _all(self._follow(snapshot), self._authority.apply(snapshot, passwords))
            return snapshot.revision

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
                with closing(stores.raw(self._settings, self._home)) as raw:
                    return await asyncio.to_thread(self._bearers.held, epc, code, raw, now)
        async with self._following:
            await self._follow(await self._snapshot())
        return following

    async def _follow(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        self._changed.set()
        await self._workers.follow(snapshot)

    async def _snapshot(self) -> Snapshot:
        return await asyncio.to_thread(self._registry.snapshot)

    async def _end_quotas(self) -> None:
        """Apply the rules anew whenever an agreement has had its quota; when a period begins, the authority does so itself."""
        known: frozenset[AgreementId] = frozenset()
        while True:
            await asyncio.sleep(QUOTA_S)
            with suppress(Unavailable):  # it is tried again, and at the next connection anyway
                exhausted = self._workers.exhausted(time.time_ns())
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
                        await self._follow(await self._snapshot())
            except Unavailable as error:
                log.warning("notices_not_given", reason=str(error))
            due = self._latest.next_change(now)
            with suppress(TimeoutError):
                patience = NOTICE_S if due is None else min(max(due - now, 0) / 1e9 + AFTER_S, NOTICE_S)
                await asyncio.wait_for(self._changed.wait(), patience)

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


async def _all(*doing: Awaitable[None]) -> None:
    """Do these together, each to its end. Raises what the first that failed did: a partition that is away delays no rule."""
    for failed in await asyncio.gather(*doing, return_exceptions=True):
        if failed is not None:
            raise failed
