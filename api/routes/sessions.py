"""Signing in to the portal. For programs there are keys: these calls are the portal's own, and no part of the description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.errors import Problem, forbidden
from api.forms import Form, Text
from api.limits import address_of
from api.services import Services, With
from api.sessions import COOKIE, Session, Sessions, give, proves
from broker.model import Caller
from broker.registry.keyring import SESSION

router = APIRouter(prefix="/session", include_in_schema=False)


class SignIn(Form):
    key: Text


class SessionShown(BaseModel):
    role: Literal["operator", "organisation", "application"]
    id: str
    name: str
    scopes: list[str]
    expires: str
    csrf: str


@router.get("")
def show_session(request: Request, with_: With) -> SessionShown | None:
    """Who is signed in; null: nobody."""
    session = sessions(request).of(request)
    caller = with_.caller_of(session.key_hash) if session else None
    return None if session is None or caller is None or caller.suspended else _shown(session, caller, with_)


@router.post("", status_code=201)
def sign_in(request: Request, response: Response, body: SignIn, with_: With) -> SessionShown:
    """Begin a session with a key."""
    address = address_of(request.scope)
    with_.limits.wrong_keys.check(address)
    key = body.key.strip()
    caller = with_.caller(key)
    if caller is None:
        with_.limits.wrong_keys.take(address)
        raise Problem(
            401,
            "No valid key",
            "This is nobody’s key. Keys begin with mitoyen_ and are shown once, when made.",
            "no_valid_key",
        )
    if caller.suspended:
        raise forbidden("Your organisation is suspended: ask the operator.", "organisation_suspended")
    token, session = sessions(request).begin(key)
    give(response, token, secure=request.url.scheme == "https")
    return _shown(session, caller, with_)


@router.delete("", status_code=204)
def sign_out(request: Request, response: Response, with_: With) -> None:
    """End it, and a key that was made for it alone."""
    session = sessions(request).of(request)
    if session is not None and not proves(request, session):
        raise forbidden("Sign out from the portal itself.", "csrf")
    sessions(request).end(request)
    caller = with_.caller_of(session.key_hash) if session else None
    if caller is not None and caller.key is not None and caller.key.id.startswith(SESSION):
        with_.registry.keyring.end(caller, caller.key.id, caller, with_.clock())
        with_.noticed()
    response.delete_cookie(COOKIE, path="/")


def sessions(request: Request) -> Sessions:
    found = request.app.state.sessions
    assert isinstance(found, Sessions)
    return found


def _shown(session: Session, caller: Caller, with_: Services) -> SessionShown:
    assert caller.key is not None
    return SessionShown(
        role=caller.role,
        id=caller.id,
        name=_name(caller, with_),
        scopes=sorted(caller.key.scopes),
        expires=datetime.fromtimestamp(session.expires, UTC).isoformat(),
        csrf=session.csrf,
    )


def _name(caller: Caller, with_: Services) -> str:
    """What people call it; the operator has no name."""
    if caller.role == "organisation":
        return with_.registry.organisation(caller.id).name
    return with_.registry.application(caller.id).name if caller.role == "application" else ""
