"""Agreements: accepting an offer's terms, and ending that."""

from __future__ import annotations

import dataclasses
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api import consumers, forms, odrl
from api.address import base_of
from api.errors import Problem, forbidden
from api.paging import Paged
from api.routes.offers import terms_shown
from api.services import Known, Services, With, speaks_for
from broker import keys, topics
from broker.access import Denied, permit
from broker.model import Agreement, AgreementId, Caller, Offer, Release

router = APIRouter(prefix="/api/v1/agreements", tags=["agreements"])


@router.post("", status_code=201)
def accept_offer(body: consumers.NewAgreement, caller: Known, with_: With) -> consumers.AgreementShown:
    """Accept an offer for an application. 422 with the reason if its terms do not permit the purpose."""
    application = with_.registry.application(body.application)
    if not speaks_for(caller, application.id, application.organisation):
        raise forbidden(f"The application {application.id} is another's.")
    offer = with_.registry.offer(body.offer)
    now = time.time_ns()
    wanted = Agreement(
        AgreementId(keys.new_id("agreement")),
        offer.id,
        application.id,
        body.purpose,
        "active",
        now,
        application.organisation,
        offer.terms,
        offer.version,
    )
    decision = permit(offer, wanted, now)
    if not isinstance(decision, Denied) and not offer.terms.permits(body.purpose):
        decision = Denied("purpose_not_permitted", f"The offer {offer.id} does not permit {body.purpose}.")
    if isinstance(decision, Denied):
        with_.registry.refuse_agreement(offer.id, application.id, body.purpose, decision.reason, now)
        raise Problem(422, "Refused by the terms", decision.detail, decision.reason)
    if offer.terms.approval == "manual":
        wanted = dataclasses.replace(wanted, state="requested")
    agreement = with_.registry.add_agreement(wanted)
    with_.changed()
    return _shown(agreement, offer)


@router.get("")
def list_agreements(caller: Known, with_: With, paged: Paged) -> list[consumers.AgreementShown]:
    """Those that you are a party of, as owner of the offer or of the application."""
    if caller.role == "operator":
        raise forbidden("The operator is no party of an agreement: look at the ledger.")
    found = paged.cut(with_.registry.agreements(caller, paged.page), lambda one: one.id)
    offers = {name: with_.registry.offer(name) for name in {one.offer for one in found}}
    return [_shown(one, offers[one.offer]) for one in found]


@router.get("/{agreement}", response_model=consumers.AgreementShown)
def show_agreement(
    request: Request, agreement: forms.AnAgreement, caller: Known, with_: With
) -> consumers.AgreementShown | Response:
    """An agreement of yours. With `Accept: application/ld+json`, as ODRL."""
    found, offer = party(agreement, caller, with_)
    if odrl.wanted(request.headers.get("accept", "")):
        return JSONResponse(odrl.agreement(base_of(request), found, offer), media_type=odrl.JSON_LD)
    return _shown(found, offer)


@router.post("/{agreement}/decision")
def decide_request(
    agreement: forms.AnAgreement, body: consumers.Decision, caller: Known, with_: With
) -> consumers.AgreementShown:
    """Grant a request, or refuse it by one of the published criteria, as owner of the offer."""
    found, offer = party(agreement, caller, with_)
    if (caller.role, caller.id) != ("organisation", offer.organisation):
        raise forbidden("The owner of the offer decides.")
    if not body.grant and body.criterion not in found.terms.criteria:
        raise Problem(
            422,
            "Refused by the rules",
            "criterion: expected the one that failed, one of those that the terms publish",
            "no_such_criterion",
        )
    with_.registry.decide_request(found, None if body.grant else body.criterion, body.reason, time.time_ns())
    with_.changed()
    return _shown(*party(agreement, caller, with_))


@router.post("/{agreement}/renewal")
def renew_agreement(
    agreement: forms.AnAgreement, body: consumers.Renewal, caller: Known, with_: With
) -> consumers.AgreementShown:
    """Go on under the offer's present terms, as holder of the application."""
    assert body.accept
    found, offer = party(agreement, caller, with_)
    if not speaks_for(caller, found.application, found.holder):
        raise forbidden("The application's side accepts terms.")
    now = time.time_ns()
    decision = permit(offer, dataclasses.replace(found, terms=offer.terms, version=offer.version), now)
    if isinstance(decision, Denied):
        raise Problem(422, "Refused by the terms", decision.detail, decision.reason)
    renewed = with_.registry.renew_agreement(found, offer, now)
    with_.changed()
    return _shown(renewed, offer)


@router.put("/{agreement}/suspension", status_code=204)
def suspend_agreement(agreement: forms.AnAgreement, body: forms.Reason, caller: Known, with_: With) -> None:
    """Stop what it permits for a time, as owner of the offer. When this answers, live and history have stopped."""
    _suspend(agreement, body.reason, caller, with_)


@router.delete("/{agreement}/suspension", status_code=204)
def resume_agreement(agreement: forms.AnAgreement, caller: Known, with_: With) -> None:
    """Let it go on as it was agreed to."""
    _suspend(agreement, None, caller, with_)


@router.delete("/{agreement}", status_code=204)
def end_agreement(agreement: forms.AnAgreement, body: forms.Reason, caller: Known, with_: With) -> None:
    """End an agreement, as either party. When this answers, live and history have stopped."""
    found, _ = party(agreement, caller, with_)
    with_.registry.revoke_agreement(found.id, caller, body.reason, time.time_ns())
    with_.changed()


def _suspend(agreement: str, reason: str | None, caller: Caller, with_: Services) -> None:
    found, offer = party(agreement, caller, with_)
    if (caller.role, caller.id) != ("organisation", offer.organisation):
        raise forbidden("The owner of the offer suspends.")
    with_.registry.suspend_agreement(found, caller, reason, time.time_ns())
    with_.changed()


def party(agreement: str, caller: Caller, with_: Services) -> tuple[Agreement, Offer]:
    """An agreement and its offer, if the caller is one of its two parties. Raises Problem."""
    found = with_.registry.agreement(agreement)
    offer = with_.registry.offer(found.offer)
    owner = (caller.role, caller.id) == ("organisation", offer.organisation)
    if not owner and not speaks_for(caller, found.application, found.holder):
        raise forbidden(f"The agreement {agreement} is others'.")
    return found, offer


def _shown(agreement: Agreement, offer: Offer) -> consumers.AgreementShown:
    return consumers.AgreementShown(
        id=agreement.id,
        offer=agreement.offer,
        application=agreement.application,
        purpose=agreement.purpose,
        state="expired" if _over(agreement) else agreement.state,
        reason=agreement.reason,
        version=agreement.version,
        terms=terms_shown(agreement.terms),
        releases=[_granted(offer, release) for release in (offer.releases if agreement.state == "active" else ())],
    )


def _granted(offer: Offer, release: Release) -> consumers.ReleaseGranted:
    path = f"/api/v1/releases/{release.id}"
    return consumers.ReleaseGranted(
        id=release.id,
        topic=offer.topic(release),
        status=topics.status(offer.organisation, offer.id, release.datastream.id),
        observations=None if release.datastream.kind == "camera" else f"{path}/observations",
        latest=f"{path}/latest",
    )


def _over(agreement: Agreement) -> bool:
    expires = agreement.terms.expires
    return agreement.state in ("active", "suspended") and expires is not None and expires <= time.time_ns()
