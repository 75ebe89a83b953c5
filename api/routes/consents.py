"""Consents: issuers of tags hand out codes, and whoever bears a tag speaks with one. A bearer needs no account and no key."""

from __future__ import annotations

import time

import msgspec
from fastapi import APIRouter

from api import bearers, forms
from api.services import OfOrganisation, Operator, With
from broker import times
from broker.control import GiveConsent, IssueCode, TellHeld, WithdrawConsent

router = APIRouter(prefix="/api/v1", tags=["consents"])


@router.put("/organisations/{organisation}/tags", status_code=204)
def name_issuer(organisation: forms.AnOrganisation, body: bearers.Issued, _: Operator, with_: With) -> None:
    """Say which tags an organisation gives out: it alone hands out codes for them. Replaces what was said before."""
    with_.registry.name_issuer(organisation, body.prefixes, time.time_ns())


@router.post("/consent-codes", status_code=201)
def issue_code(body: bearers.NewCode, caller: OfOrganisation, with_: With) -> bearers.CodeMade:
    """A one-time code for the bearer of a tag that you gave out: hand it to that person and nobody else. It replaces the one before."""
    made = bytes(with_.control.call(IssueCode(caller.id, body.tag)))
    return bearers.CodeMade.model_validate_json(made)


@router.post("/consents", status_code=201)
def give_consent(body: bearers.NewConsent, with_: With) -> bearers.ConsentGiven:
    """Consent that a tag's reads are shown by a changing name, for these purposes, from now on. The next code is for withdrawing."""
    moment = time.time_ns()
    code = msgspec.json.decode(with_.control.call(GiveConsent(body.tag, body.code, body.purposes)), type=str)
    return bearers.ConsentGiven(purposes=body.purposes, since=times.text(moment), code=code)


@router.post("/consents/withdrawal")
def withdraw_consent(body: bearers.Withdrawal, with_: With) -> bearers.Withdrawn:
    """Withdraw all consents of a tag: nothing of it is released any more when this answers. With `erase` its raw reads, and what
    per-person releases showed of it, are erased within moments.
    """
    code = msgspec.json.decode(with_.control.call(WithdrawConsent(body.tag, body.code, body.erase)), type=str)
    return bearers.Withdrawn(erase=body.erase, code=code)


@router.post("/consents/export")
def export_held(body: bearers.WithCode, with_: With) -> bearers.Held:
    """What is held about a tag: its consents and its raw reads, the oldest first."""
    return bearers.Held.model_validate_json(bytes(with_.control.call(TellHeld(body.tag, body.code))))
