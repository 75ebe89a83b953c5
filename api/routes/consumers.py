"""Applications and their agreements: accepting an offer's terms, and ending that."""

from __future__ import annotations

import time

from fastapi import APIRouter

from api import forms
from api.errors import Problem, forbidden
from api.routes.owners import login
from api.services import Known, OfOrganisation, Services, With
from broker import keys, topics
from broker.access import Denied, permit
from broker.errors import MitoyenError
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Caller,
    Offer,
    OfferId,
    OrganisationId,
)

router = APIRouter(prefix="/api/v1", tags=["applications"])


@router.post("/applications", status_code=201)
def register_application(body: forms.NewApplication, caller: OfOrganisation, with_: With) -> forms.ApplicationMade:
    """Register an application; its key and its MQTT password are shown this once."""
    application_id = ApplicationId(body.id or keys.new_id("application"))
    key, password = keys.new_key("application"), keys.new_password()
    account = keys.account(f"application.{application_id}", password)
    application = Application(application_id, OrganisationId(caller.id), body.name or application_id, account)
    with_.registry.add_application(application, key, time.time_ns())
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.remove_application(application_id)  # nobody was told its password
        raise
    return forms.ApplicationMade(id=application_id, key=key, mqtt=login(with_, account.username, password))


@router.post("/agreements", status_code=201)
def accept_offer(body: forms.NewAgreement, caller: Known, with_: With) -> forms.AgreementShown:
    """Accept an offer for an application. 422 with the reason if its terms do not permit the purpose."""
    application = with_.registry.application(body.application)
    if not _speaks_for(caller, application):
        raise forbidden(f"The application {application.id} is another's.")
    offer = with_.registry.offer(body.offer)
    now = time.time_ns()
    wanted = Agreement(AgreementId(keys.new_id("agreement")), offer.id, application.id, body.purpose, "active", now)
    decision = permit(offer, wanted, now)
    if not isinstance(decision, Denied) and not offer.terms.permits(body.purpose):
        decision = Denied("purpose_not_permitted", f"The offer {offer.id} does not permit {body.purpose}.")
    if isinstance(decision, Denied):
        with_.registry.refuse_agreement(offer.id, application.id, body.purpose, decision.reason, now)
        raise Problem(422, "Refused by the terms", decision.detail, decision.reason)
    agreement = with_.registry.add_agreement(wanted)
    with_.changed()
    return shown(agreement, offer)


@router.get("/agreements/{agreement}")
def show_agreement(agreement: forms.Id, caller: Known, with_: With) -> forms.AgreementShown:
    """An agreement of yours."""
    found = with_.registry.agreement(agreement)
    offer = _party(found, caller, with_)
    return shown(found, offer)


@router.delete("/agreements/{agreement}", status_code=204)
def end_agreement(agreement: forms.Id, body: forms.Revocation, caller: Known, with_: With) -> None:
    """End an agreement, as either party. When this answers, live and history have stopped."""
    found = with_.registry.agreement(agreement)
    _party(found, caller, with_)
    with_.registry.revoke_agreement(found.id, caller, body.reason, time.time_ns())
    with_.changed()


def shown(agreement: Agreement, offer: Offer) -> forms.AgreementShown:
    return forms.AgreementShown(
        id=agreement.id,
        offer=agreement.offer,
        application=agreement.application,
        purpose=agreement.purpose,
        state=agreement.state,
        releases=[
            forms.ReleaseGranted(
                id=release.id,
                topic=topics.live(offer.organisation, offer.id, release.datastream.id),
                observations=f"/api/v1/releases/{release.id}/observations",
            )
            for release in offer.releases
        ],
    )


def _speaks_for(caller: Caller, application: Application) -> bool:
    return (caller.role, caller.id) in (("application", application.id), ("organisation", application.organisation))


def _party(agreement: Agreement, caller: Caller, with_: Services) -> Offer:
    """The agreement's offer, if the caller is one of its two parties. Raises Problem."""
    offer = with_.registry.offer(OfferId(agreement.offer))
    owner = (caller.role, caller.id) == ("organisation", offer.organisation)
    if not owner and not _speaks_for(caller, with_.registry.application(agreement.application)):
        raise forbidden(f"The agreement {agreement.id} is others'.")
    return offer
