"""Joining in: an organisation signs up by itself, and begins at once or as soon as the operator finds that it meets the published criteria."""

from __future__ import annotations

import asyncio
import time

import structlog
from fastapi import APIRouter, Request

from api import consumers, proceedings
from api.errors import Problem, forbidden
from api.limits import address_of
from api.paging import Paged
from api.services import Operator, Services, With
from broker import keys, times
from broker.errors import Unavailable
from broker.model import Organisation, OrganisationId
from broker.signup import SignUp

log = structlog.get_logger()
router = APIRouter(prefix="/api/v1", tags=["organisations"])

LOOK_S = 60.0  # how often at least it is looked what expired


@router.get("/signup")
def show_rules(with_: With) -> proceedings.SignupRules:
    """How one joins here. Public."""
    rules = with_.rules
    return proceedings.SignupRules(
        mode=rules.signup, criteria=list(rules.signup_criteria), unused_after_s=rules.signup_unused_ns // times.SECOND
    )


@router.post("/signup", status_code=201)
def sign_up(request: Request, body: proceedings.NewSignup, with_: With) -> proceedings.SignupMade:
    """Make an organisation; its key is shown this once. Where the operator decides, the key opens nothing before that."""
    if with_.rules.signup == "closed":
        raise forbidden("Here the operator alone registers organisations.", "signup_closed")
    with_.limits.signups.take(address_of(request.scope))
    key = keys.new_key("organisation")
    organisation = Organisation(
        OrganisationId(body.id or keys.new_id("org")), body.name, contact=body.contact, homepage=body.homepage
    )
    automatic = with_.rules.signup == "automatic"
    signup = SignUp(
        keys.new_id("signup"),
        organisation,
        keys.key_hash(key),
        time.time_ns(),
        body.statement,
        "granted" if automatic else "requested",
    )
    if automatic:
        with_.registry.signups.admit(signup)
    else:
        with_.registry.signups.ask(signup)
    return proceedings.SignupMade(
        signup=signup.id, id=organisation.id, name=organisation.name, key=key, state=signup.state
    )


@router.get("/signups")
def list_signups(_: Operator, with_: With, paged: Paged) -> list[proceedings.SignupWaiting]:
    """Those that wait for your decision, as the operator."""
    return [
        proceedings.SignupWaiting(
            signup=one.id,
            id=one.organisation.id,
            name=one.organisation.name,
            contact=one.organisation.contact,
            homepage=one.organisation.homepage,
            statement=one.statement,
            created=times.text(one.created),
        )
        for one in paged.cut(with_.registry.signups.waiting(paged.page), lambda one: one.id)
    ]


@router.get("/signups/{signup}")
def show_signup(signup: proceedings.ASignup, with_: With) -> proceedings.SignupShown:
    """What became of a sign-up. Public: it tells nothing of who it was."""
    found = with_.registry.signups.one(signup)
    return proceedings.SignupShown(signup=found.id, state=found.state, criterion=found.criterion, reason=found.reason)


@router.post("/signups/{signup}/decision")
def decide_signup(
    signup: proceedings.ASignup, body: consumers.Decision, _: Operator, with_: With
) -> proceedings.SignupShown:
    """Grant it, or refuse it by one of the criteria that you publish, as the operator."""
    if not body.grant and body.criterion not in with_.rules.signup_criteria:
        raise Problem(
            422,
            "Refused by the rules",
            "criterion: expected the one that failed, one of those that are published",
            "no_such_criterion",
        )
    found = with_.registry.signups.one(signup)
    criterion = None if body.grant else body.criterion
    with_.registry.signups.decide(found, criterion, body.reason, time.time_ns())
    return show_signup(signup, with_)


async def expire(with_: Services) -> None:
    """End what nobody decided or used in time, until cancelled."""
    unused = with_.rules.signup_unused_ns
    while True:
        now = with_.clock()
        try:
            if await asyncio.to_thread(with_.registry.signups.expire, now - unused, now):
                with_.noticed()
        except Unavailable as error:
            log.warning("signups_not_expired", reason=str(error))
        await asyncio.sleep(min(LOOK_S, unused / times.SECOND / 4))
