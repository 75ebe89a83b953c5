"""Signing in to the portal with an OpenID Connect provider's word, where the operator named one.

Whoever it says somebody is counts as the organisation that its claim names, by a key that nobody is shown: a session opens what a key opens,
its owner sees it among the keys and may end it, and it ends by itself.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, TypeAlias

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse

from api import oidc
from api.errors import Problem
from api.limits import address_of
from api.provider import BEGUN_S, SignIns
from api.routes.sessions import sessions
from api.services import Services, With
from api.sessions import LIFE_S, give
from broker import keys, times
from broker.errors import NotFound, Refused, Unavailable
from broker.model import Caller, Key
from broker.registry.keyring import SESSION

router = APIRouter(prefix="/session/provider", include_in_schema=False)
log = structlog.get_logger()

BEGUN = "mitoyen_sign_in"
"""A cookie with the state of the sign-in that this browser began: it has to come with the way back from the provider's site."""
_HERE = re.compile(r"/(?!/)[\w/?=&.%-]*", re.ASCII)


def _sign_ins(request: Request) -> SignIns:
    found = request.app.state.sign_ins
    if not isinstance(found, SignIns):
        raise Problem(404, "Not found", "Here people sign in with keys.", "no_provider")
    return found


Named: TypeAlias = Annotated[SignIns, Depends(_sign_ins)]


@router.get("")
async def begin(
    request: Request, sign_ins: Named, to: Annotated[str, Query(max_length=500)] = "/owner"
) -> RedirectResponse:
    """Go and sign in there."""
    try:
        address, state = await sign_ins.begin(to if _HERE.fullmatch(to) else "/owner")
    except Unavailable as error:
        return _told("unreachable", error)
    answer = RedirectResponse(address, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        BEGUN, state, max_age=int(BEGUN_S), httponly=True, samesite="lax", secure=secure, path="/session/provider"
    )
    return answer


@router.get("/answer")
async def end(request: Request, sign_ins: Named, with_: With) -> RedirectResponse:
    """Back from there."""
    with_.limits.wrong_keys.check(address_of(request.scope))
    try:
        claims, to = await sign_ins.end(request.query_params, request.cookies.get(BEGUN))
        secret = await asyncio.to_thread(_key, claims, sign_ins.client, with_)
    except Unavailable as error:
        return _told("unreachable", error)
    except Refused as refused:
        with_.limits.wrong_keys.take(address_of(request.scope))
        return _told(refused.reason, refused)
    answer = RedirectResponse(to, 303)
    answer.delete_cookie(BEGUN, path="/session/provider")
    give(answer, sessions(request).begin(secret)[0], secure=request.url.scheme == "https")
    return answer


def _key(claims: oidc.Claims, client: oidc.Client, with_: Services) -> str:
    """What the session is of: a new key of the organisation, which lives as long as it. Raises Refused."""
    organisation = _organisation(claims, client, with_)
    now, secret = with_.clock(), keys.new_key("organisation")
    name = f"signed in: {claims.get('preferred_username') or claims['sub']}"[:200]
    key = Key(keys.new_id(SESSION), name, created=now, expires=now + LIFE_S * times.SECOND)
    with_.registry.keyring.begin_session(Caller("organisation", organisation), key, secret)
    return secret


def _organisation(claims: oidc.Claims, client: oidc.Client, with_: Services) -> str:
    """Which one is meant. Raises Refused."""
    found = [one for one in oidc.named(claims, client) if _known(one, with_)]
    if len(found) != 1:
        raise Refused("no_organisation", "The provider names no organisation that is registered here, or several.")
    if with_.registry.organisation(found[0]).suspended is not None:
        raise Refused("organisation_suspended", "Your organisation is suspended: ask the operator.")
    return found[0]


def _known(organisation: str, with_: Services) -> bool:
    try:
        with_.registry.organisation(organisation)
    except NotFound:
        return False
    return True


def _told(reason: str, error: Exception) -> RedirectResponse:
    """Back to where one signs in, with why not."""
    log.warning("sign_in_refused", reason=reason, detail=str(error))
    return RedirectResponse(f"/sign-in?refused={reason}", 303)
