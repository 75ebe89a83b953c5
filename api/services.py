"""What the routes work with, put together once, and who is calling."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import denied, forbidden, unauthenticated
from api.forms import Id
from api.limits import Limits, address_of
from api.remembered import Remembered
from api.sessions import proves
from broker import keys
from broker.access import NOTHING, Denied, Permitted, Used, chosen, permit
from broker.control import CaughtUp, Changed, Control, HttpDelivered, QuotaUsed
from broker.errors import Malformed, Unavailable
from broker.keeper import state
from broker.meter import Delivered
from broker.model import Agreement, ApplicationId, Caller, Key, Offer, OfferId, Scope
from broker.registry.registry import Registry
from broker.settings.listeners import Listener
from broker.settings.rules import HouseRules
from broker.store.pictures import Pictures
from broker.store.protocol import Store

LOOKING = ("GET", "HEAD")
"""Whatever is asked with another method changes something."""
KEEP_USES_S = 60.0  # how often it is kept when keys were used: not at each request, which would be a write for each
TELL_S = 0.25  # how far a live stream may run past its quota


@dataclass(frozen=True, slots=True)
class Readable:
    """An offer that a caller may read, and under what."""

    offer: Offer
    agreement: Agreement | None
    permitted: Permitted


@dataclass(slots=True)
class Services:
    """One per process. Everything here may be used from several threads."""

    registry: Registry
    released: Store
    pictures: Pictures
    control: Control
    keepers: tuple[Callable[[], state.KeeperState | None], ...]
    """What the keepers say, by partition."""
    listeners: tuple[tuple[Listener, ...], ...]
    """Where applications and gateways are told to connect, by Mosquitto, the plain one first."""
    silent_after: int
    """How long (ns) a gateway may say nothing."""
    limits: Limits
    """How much one caller may ask."""
    rules: HouseRules = field(default_factory=HouseRules)
    webhook_key: bytes = field(default=b"", repr=False)
    """What webhooks' secrets are derived from."""
    restarts: Path | None = None
    """Where `mitoyen up` tells what it started again."""
    clock: Callable[[], int] = time.time_ns
    _changes: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    epoch: int = 0
    """Grows with every change that is noticed."""
    _uses: dict[str, int] = field(default_factory=dict)
    """When (ns) which key was used last."""
    _noted: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    known: Remembered = field(init=False)
    """The registry, for what every request asks of it."""

    def __post_init__(self) -> None:
        self.known = Remembered(self.registry)

    def changed(self, passwords: dict[str, str] | None = None) -> None:
        """Make a change of the registry effective everywhere; returns when it is. Raises Unavailable."""
        self.noticed()
        self.control.call(Changed(passwords or {}))

    def noticed(self) -> None:
        """Something changed: whoever decided before decides anew."""
        self.epoch = next(self._changes)

    def permit(self, caller: Caller | None, offer: Offer, scope: Scope = "history") -> Permitted:
        """The one decision, for whoever calls with a key that has this scope. Raises Problem: 401 for nobody, 403 for the wrong one."""
        key = within(caller, scope)
        agreement = self.agreement(caller, offer)
        decision = permit(offer, agreement, self.clock(), self.used(agreement))
        if isinstance(decision, Denied):
            raise unauthenticated() if caller is None else denied(decision)
        ends = [one for one in (decision.until, key.expires if key else None) if one is not None]
        return dataclasses.replace(decision, until=min(ends, default=None))

    def permit_still(self, caller: Caller | None, offer: Offer, scope: Scope = "history") -> Permitted:
        """The same for one that was permitted before: key, terms or its owner's standing may have changed since."""
        if caller is not None and (caller.key is None or not self.registry.keyring.lives(caller.key.id, self.clock())):
            raise unauthenticated()
        return self.permit(caller, self.known.offer(offer.id), scope)

    def readable(self, caller: Caller | None) -> tuple[int, dict[str, Readable]]:
        """All offers that the caller may read now, by the same decision; and the registry's revision that it was made on."""
        within(caller, "history")
        snapshot = self.known.snapshot()
        own: dict[OfferId, list[Agreement]] = {}
        if caller is not None and caller.role == "application":
            for one in snapshot.agreements_of(ApplicationId(caller.id)):
                own.setdefault(one.offer, []).append(one)
        found = {}
        for offer in snapshot.offers.values():
            agreement = chosen(offer, own.get(offer.id, ()), self.clock(), self.used)
            decision = permit(offer, agreement, self.clock(), self.used(agreement))
            if isinstance(decision, Permitted):
                found[str(offer.id)] = Readable(offer, agreement, decision)
        return snapshot.revision, found

    def open_to_anyone(self) -> dict[str, Offer]:
        """All offers that anyone may read now, by the same decision. Raises Unavailable."""
        offers = self.known.snapshot().offers.values()
        return {str(one.id): one for one in offers if isinstance(permit(one, None, self.clock()), Permitted)}

    def still_open(self, offer: str) -> Offer | None:
        """An offer as it is now, if anyone may read it. Raises Unavailable."""
        found = self.known.snapshot().offers.get(OfferId(offer))
        return found if found is not None and isinstance(permit(found, None, self.clock()), Permitted) else None

    def agreement(self, caller: Caller | None, offer: Offer) -> Agreement | None:
        """What the caller reads an offer under, if it is an application that has one."""
        if caller is None or caller.role != "application":
            return None
        return chosen(offer, self.known.agreements_between(caller.id, offer.id), self.clock(), self.used)

    def delivered(self, *what: Delivered) -> None:
        """Count what was answered; whoever had its quota is decided on anew. Raises Unavailable."""
        told = [one for one in what if one.records or one.bytes]
        if told and msgspec.json.decode(self.control.call(HttpDelivered(told)), type=list[str]):
            self.noticed()

    def note(self, offer: str, agreement: str, size: int) -> None:
        """Count an event of a live stream; all are told together by `tell_noted`, several times a second."""
        records, total = self._noted.get((offer, agreement), (0, 0))
        self._noted[offer, agreement] = records + 1, total + size

    async def tell_noted(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            noted, self._noted = self._noted, {}
            try:
                await asyncio.to_thread(
                    self.delivered, *(Delivered(*whose, *counts) for whose, counts in noted.items())
                )
            except Unavailable:
                for whose, (records, size) in noted.items():  # told the next time
                    more, total = self._noted.get(whose, (0, 0))
                    self._noted[whose] = records + more, size + total

    def caller(self, key: str) -> Caller | None:
        """Whose key this is, if it is anyone's and did not expire."""
        return self.caller_of(keys.key_hash(key))

    def caller_of(self, key_hash: str) -> Caller | None:
        """The same of a key whose hash alone is known."""
        found, now = self.known.caller_of(key_hash), self.clock()
        if found is None or found.key is None or (found.key.expires is not None and found.key.expires <= now):
            return None
        self._uses[found.key.id] = now
        return found

    async def keep_uses(self) -> None:
        """Keep when keys were used last; until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(KEEP_USES_S)
                await asyncio.to_thread(self._keep_uses)
        finally:
            self._keep_uses()

    def _keep_uses(self) -> None:
        uses, self._uses = self._uses, {}
        try:
            self.registry.keyring.used(dict(uses))
        except Unavailable:
            self._uses = {**uses, **self._uses}  # kept the next time

    def used(self, agreement: Agreement | None) -> Used:
        if agreement is None or agreement.state != "active" or agreement.terms.quota is None:
            return NOTHING
        used = msgspec.json.decode(self.control.call(QuotaUsed()), type=dict[str, Used])
        if agreement.id not in used:
            raise Unavailable("the broker does not know yet what this agreement used")
        return used[agreement.id]

    def caught_up(self, organisation: str | None = None, streams: Iterable[str] = ()) -> bool:
        """Whether everything that was acknowledged before now is kept, of an organisation or of all, and of these released streams what was
        due is released; waits a little for it.
        """
        try:
            return msgspec.json.decode(self.control.call(CaughtUp(organisation, tuple(streams))), type=bool)
        except Unavailable:
            return False

    def keeper(self, organisation: str | None = None) -> state.KeeperState | None:
        """What the keeper of an organisation said last, or all of them together; None if one has not said anything lately."""
        keepers = self.keepers
        if organisation is not None and len(keepers) > 1:
            keepers = (keepers[self.known.snapshot().partitions.of(organisation)],)
        said = [one for one in (keeper() for keeper in keepers) if one is not None]
        if len(said) < len(keepers):
            return None
        together = state.worst(said)
        return together if time.time_ns() - together.time < state.FRESH_S * 1e9 else None


async def services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


# the dependencies that ask nobody are `async`: a thread for each would take longer than they do
_bearer = HTTPBearer(auto_error=False, description="An organisation's, an application's or the operator's key.")
Credentials: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
With: TypeAlias = Annotated[Services, Depends(services)]


def within(caller: Caller | None, scope: Scope) -> Key | None:
    """The caller's key, if it may be used for this. Raises Problem."""
    key = caller.key if caller else None
    if key is not None and scope not in key.scopes:
        raise forbidden(f"This key is not for that: it lacks the scope {scope}.", "scope")
    return key


def anyone(request: Request, credentials: Credentials, with_: With) -> Caller | None:
    """Whoever calls; None without a key and a session. A key that is nobody's is refused, not passed over."""
    if credentials is None:
        return _signed_in(request, with_)
    address = address_of(request.scope)
    with_.limits.wrong_keys.check(address)
    caller = with_.caller(credentials.credentials)
    if caller is None or caller.key is None:
        with_.limits.wrong_keys.take(address)
        raise unauthenticated()
    return _admitted(request, caller, caller.key, with_)


def _signed_in(request: Request, with_: Services) -> Caller | None:
    """Whose session it is. One that is over is nobody's, so that what is public stays open to whoever was signed in."""
    session = request.app.state.sessions.of(request)
    caller = with_.caller_of(session.key_hash) if session else None
    if caller is None or caller.key is None:
        return None
    if request.method not in LOOKING and not proves(request, session):
        raise forbidden("A change is asked for from the portal itself, or with a key.", "csrf")
    return _admitted(request, caller, caller.key, with_)


def _admitted(request: Request, caller: Caller, key: Key, with_: Services) -> Caller:
    """Raises Problem: 429 for too many calls, 403 if its key may not do this."""
    with_.limits.key.take(key.id)
    if caller.suspended:
        raise forbidden("Your organisation is suspended: ask the operator.", "organisation_suspended")
    if request.method not in LOOKING:
        within(caller, "manage")
    return caller


Anyone: TypeAlias = Annotated[Caller | None, Depends(anyone)]


async def _known(request: Request, caller: Anyone) -> Caller:
    if caller is None:
        raise unauthenticated()
    if request.method in LOOKING:
        within(caller, "read")
    return caller


Known: TypeAlias = Annotated[Caller, Depends(_known)]


async def _operator(caller: Known) -> Caller:
    if caller.role != "operator":
        raise forbidden("Only the operator may do this.", "operator_only")
    return caller


async def _organisation(caller: Known) -> Caller:
    if caller.role != "organisation":
        raise forbidden("Only an organisation may do this: use an organisation's key.", "organisation_only")
    return caller


Operator: TypeAlias = Annotated[Caller, Depends(_operator)]
OfOrganisation: TypeAlias = Annotated[Caller, Depends(_organisation)]


async def _whose(
    caller: Known,
    organisation: Annotated[Id | None, Query(description="The operator says whose", examples=["air-lyon"])] = None,
) -> str:
    if caller.role == "operator":
        if organisation is None:
            raise Malformed("organisation: expected whose, since the operator has none of its own")
        return organisation
    own = (await _organisation(caller)).id
    if organisation not in (None, own):
        raise forbidden(f"What the organisation {organisation} has is its own.")
    return own


Whose: TypeAlias = Annotated[str, Depends(_whose)]
"""The organisation whose things are read: the caller's own."""


def speaks_for(caller: Caller, application: str, organisation: str) -> bool:
    """Whether it is the application itself, or the organisation whose it is."""
    return (caller.role, caller.id) in (("application", application), ("organisation", organisation))


def client_prefix(username: str, secret: str) -> str:
    """A beginning for a client's MQTT client ids that nobody can guess, so that nobody takes its session over."""
    return keys.key_hash(f"{username} {secret}")[:16] + "-"
