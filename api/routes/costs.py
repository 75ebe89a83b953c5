"""Costs: what an offer's owner charged for an agreement, and what the other side says to it. Public sums: `transparency.py`."""

from __future__ import annotations

import time
from decimal import Decimal

from fastapi import APIRouter

from api import forms
from api.errors import Problem, forbidden
from api.figures import AnswerToCharge, ChargeShown, NewCharge
from api.routes.agreements import party
from api.services import Known, Services, With, speaks_for
from broker import keys, times
from broker.model import Agreement, Caller, Charge, ChargeState, Offer

router = APIRouter(prefix="/api/v1", tags=["costs"])


@router.post("/agreements/{agreement}/charges", status_code=201)
def state_charge(agreement: forms.AnAgreement, body: NewCharge, caller: Known, with_: With) -> ChargeShown:
    """State what an agreement on an offer of yours cost. On the public record, with whether the other side confirms it."""
    found, offer = party(agreement, caller, with_)
    _owner(offer, caller)
    begins, ends = (times.parse(moment) if moment else None for moment in (body.begins, body.ends))
    if begins is not None and ends is not None and begins >= ends:
        raise Problem(
            422, "Refused by the rules", "begins and ends: expected a beginning before the end", "no_such_time"
        )
    charge = Charge(
        body.id or keys.new_id("charge"),
        found.id,
        Decimal(body.amount),
        body.currency,
        time.time_ns(),
        begins,
        ends,
    )
    with_.registry.accounts.state_charge(charge, offer.id)
    return _shown(charge)


@router.get("/agreements/{agreement}/charges")
def list_charges(agreement: forms.AnAgreement, caller: Known, with_: With) -> list[ChargeShown]:
    """What was charged for it, the oldest first; for both parties."""
    found, _ = party(agreement, caller, with_)
    return [_shown(charge) for charge in with_.registry.accounts.charges(found.id)]


@router.post("/charges/{charge}/answer")
def answer_charge(charge: forms.ACharge, body: AnswerToCharge, caller: Known, with_: With) -> ChargeShown:
    """Confirm that it was paid, or decline it, as the side that was charged."""
    found, agreement, _ = _charge(charge, caller, with_)
    if not speaks_for(caller, agreement.application, agreement.holder):
        raise forbidden("The side that was charged answers.")
    to: ChargeState = "confirmed" if body.confirm else "declined"
    with_.registry.accounts.change_charge(found, to, caller, time.time_ns(), None if body.confirm else body.reason)
    return _shown(with_.registry.accounts.charge(charge))


@router.delete("/charges/{charge}", status_code=204)
def withdraw_charge(charge: forms.ACharge, body: forms.Reason, caller: Known, with_: With) -> None:
    """Take a charge of yours back; one that was paid, when you have given it back."""
    found, _, offer = _charge(charge, caller, with_)
    _owner(offer, caller)
    with_.registry.accounts.change_charge(found, "withdrawn", caller, time.time_ns(), body.reason)


def _charge(charge: str, caller: Caller, with_: Services) -> tuple[Charge, Agreement, Offer]:
    found = with_.registry.accounts.charge(charge)
    return found, *party(found.agreement, caller, with_)


def _owner(offer: Offer, caller: Caller) -> None:
    if (caller.role, caller.id) != ("organisation", offer.organisation):
        raise forbidden("The owner of the offer states what it costs.")


def _shown(charge: Charge) -> ChargeShown:
    return ChargeShown(
        id=charge.id,
        agreement=charge.agreement,
        amount=str(charge.amount),
        currency=charge.currency,
        created=times.text(charge.created),
        begins=times.text(charge.begins) if charge.begins is not None else None,
        ends=times.text(charge.ends) if charge.ends is not None else None,
        state=charge.state,
        reason=charge.reason,
    )
