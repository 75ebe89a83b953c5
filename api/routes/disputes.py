"""Disputes: whoever was refused, or treated unlike others, gets a public ruling by the operator."""

from __future__ import annotations

import time

from fastapi import APIRouter

from api import forms, proceedings
from api.errors import forbidden
from api.paging import Paged
from api.services import Known, OfOrganisation, Operator, Services, With
from broker import keys, times
from broker.errors import Refused
from broker.model import AgreementId, Caller, OfferId, OrganisationId
from broker.proceedings import Dispute, Grievance, Ruling

router = APIRouter(prefix="/api/v1/disputes", tags=["disputes"])

STATES: dict[Grievance, tuple[str, ...]] = {
    "refusal": ("refused",),
    "discrimination": ("refused", "suspended", "revoked"),
    "suspension": ("suspended",),
    "revocation": ("revoked",),
}
"""What an agreement must have become to be disputed over so."""


@router.post("", status_code=201)
def open_dispute(body: proceedings.NewDispute, caller: OfOrganisation, with_: With) -> proceedings.DisputeShown:
    """Complain of a refusal, a suspension, a revocation or a discrimination, in public."""
    if [body.agreement, body.offer, body.request].count(None) != 2:  # noqa: PLR2004 - one of the three
        raise Refused("about_one", "expected an agreement, an offer or a request that the dispute is about")
    dispute = Dispute(
        keys.new_id("dispute"),
        OrganisationId(caller.id),
        _against(body, caller, with_),
        body.over,
        body.statement,
        time.time_ns(),
        agreement=AgreementId(body.agreement) if body.agreement else None,
        offer=OfferId(body.offer) if body.offer else None,
        request=body.request,
    )
    if dispute.against == caller.id:
        raise forbidden("A dispute is with another organisation.", "your_own")
    with_.registry.proceedings.open_dispute(dispute)
    return _shown(dispute)


@router.get("")
def list_disputes(with_: With, paged: Paged) -> list[proceedings.DisputeShown]:
    """All disputes with their rulings. Public."""
    found = with_.registry.proceedings.disputes(paged.page)
    return [_shown(one) for one in paged.cut(found, lambda one: one.id)]


@router.get("/{dispute}")
def show_dispute(dispute: proceedings.ADispute, with_: With) -> proceedings.DisputeShown:
    """One dispute. Public."""
    return _shown(with_.registry.proceedings.dispute(dispute))


@router.post("/{dispute}/ruling")
def rule(
    dispute: proceedings.ADispute, body: proceedings.GivenRuling, _: Operator, with_: With
) -> proceedings.DisputeShown:
    """Rule on it, once and in public, as the operator."""
    ruling = Ruling(body.upheld, body.reasons, time.time_ns())
    with_.registry.proceedings.rule(with_.registry.proceedings.dispute(dispute), ruling)
    return show_dispute(dispute, with_)


@router.delete("/{dispute}", status_code=204)
def remove_dispute(dispute: proceedings.ADispute, body: forms.Reason, caller: Known, with_: With) -> None:
    """Take it back, as whoever opened it, or take it down as the operator: what was written is erased, the ledger tells why."""
    found = with_.registry.proceedings.dispute(dispute)
    if caller.role != "operator" and (caller.role, caller.id) != ("organisation", found.by):
        raise forbidden(f"The dispute {dispute} is another's.")
    with_.registry.proceedings.remove_dispute(dispute, caller.role, body.reason, time.time_ns())


def _against(body: proceedings.NewDispute, caller: Caller, with_: Services) -> OrganisationId:
    """Whose act is disputed, if there is one to dispute."""
    if body.agreement is not None:
        agreement = with_.registry.agreement(body.agreement)
        if agreement.holder != caller.id:
            raise forbidden(f"The agreement {body.agreement} is others'.")
        if agreement.state not in STATES[body.over]:
            raise Refused("nothing_to_dispute", f"the agreement {body.agreement} is {agreement.state}")
        return with_.registry.offer(agreement.offer).organisation
    if body.offer is not None:
        return with_.registry.offer(body.offer).organisation
    request = with_.registry.proceedings.request(body.request or "")
    if request.answer is None or request.answer.outcome != "declined":
        raise Refused("nothing_to_dispute", f"the request {request.id} was not declined")
    return request.of


def _shown(one: Dispute) -> proceedings.DisputeShown:
    ruling = one.ruling
    return proceedings.DisputeShown(
        id=one.id,
        by=one.by,
        against=one.against,
        over=one.over,
        agreement=one.agreement,
        offer=one.offer,
        request=one.request,
        statement=one.statement,
        created=times.text(one.created),
        ruling=proceedings.RulingShown(upheld=ruling.upheld, reasons=ruling.reasons, time=times.text(ruling.time))
        if ruling
        else None,
    )
