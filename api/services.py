"""What the routes work with, put together once, and who is calling."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import denied, forbidden, unauthenticated
from api.forms import Id
from broker import keys
from broker.access import Denied, Permitted, permit
from broker.control import CaughtUp, Changed, Control
from broker.errors import Malformed, Unavailable
from broker.keeper import state
from broker.model import Caller, Offer
from broker.registry.registry import Registry
from broker.settings import Listener
from broker.store.protocol import Store


@dataclass(slots=True)
class Services:
    """One per process. Everything here may be used from several threads."""

    registry: Registry
    released: Store
    control: Control
    keeper_state: Path
    mqtt_host: str | None
    """The name that they are told, if it is another than what is listened on."""
    listeners: tuple[Listener, ...]
    """Where applications and gateways connect, the plain one first."""
    silent_after: int
    """How long (ns) a gateway may say nothing."""
    _changes: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    epoch: int = 0
    """Grows with every change that is noticed."""

    def changed(self, passwords: dict[str, str] | None = None) -> None:
        """Make a change of the registry effective everywhere; returns when it is. Raises Unavailable."""
        self.noticed()
        self.control.call(Changed(passwords or {}))

    def noticed(self) -> None:
        """Something changed: whoever decided before decides anew."""
        self.epoch = next(self._changes)

    def permit(self, caller: Caller | None, offer: Offer) -> Permitted:
        """The one decision, for whoever calls. Raises Problem: 401 for nobody, 403 for the wrong one."""
        now = time.time_ns()
        agreement = None
        if caller is not None and caller.role == "application":
            agreement = self.registry.agreement_between(caller.id, offer.id)
        decision = permit(offer, agreement, now)
        if isinstance(decision, Denied):
            raise unauthenticated() if caller is None else denied(decision)
        return decision

    def caught_up(self) -> bool:
        """Whether everything that was acknowledged before now is kept; waits a little for it."""
        try:
            return msgspec.json.decode(self.control.call(CaughtUp()), type=bool)
        except Unavailable:
            return False

    def keeper(self) -> state.KeeperState | None:
        """What the keeper said last, or None if it has not said anything lately."""
        said = state.read(self.keeper_state)
        fresh = said is not None and time.time_ns() - said.time < state.FRESH_S * 1e9
        return said if fresh else None


def services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


_bearer = HTTPBearer(auto_error=False, description="An organisation's, an application's or the operator's key.")
Credentials: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
With: TypeAlias = Annotated[Services, Depends(services)]


def anyone(credentials: Credentials, with_: With) -> Caller | None:
    """Whoever calls; None without a key. A key that is nobody's is refused, not passed over."""
    if credentials is None:
        return None
    caller = with_.registry.caller(credentials.credentials)
    if caller is None:
        raise unauthenticated()
    if caller.suspended:
        raise forbidden("Your organisation is suspended: ask the operator.", "organisation_suspended")
    return caller


Anyone: TypeAlias = Annotated[Caller | None, Depends(anyone)]


def _known(caller: Anyone) -> Caller:
    if caller is None:
        raise unauthenticated()
    return caller


Known: TypeAlias = Annotated[Caller, Depends(_known)]


def _operator(caller: Known) -> Caller:
    if caller.role != "operator":
        raise forbidden("Only the operator may do this.", "operator_only")
    return caller


def _organisation(caller: Known) -> Caller:
    if caller.role != "organisation":
        raise forbidden("Only an organisation may do this: use an organisation's key.", "organisation_only")
    return caller


Operator: TypeAlias = Annotated[Caller, Depends(_operator)]
OfOrganisation: TypeAlias = Annotated[Caller, Depends(_organisation)]


def _whose(
    caller: Known,
    organisation: Annotated[Id | None, Query(description="The operator says whose", examples=["air-lyon"])] = None,
) -> str:
    if caller.role == "operator":
        if organisation is None:
            raise Malformed("organisation: expected whose, since the operator has none of its own")
        return organisation
    own = _organisation(caller).id
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
