"""Organisations: who shares here, and who may go on."""

from __future__ import annotations

import dataclasses
import time

from fastapi import APIRouter

from api import forms
from api.errors import forbidden
from api.paging import Paged
from api.services import Known, Operator, With
from broker import keys
from broker.model import Caller, Organisation, OrganisationId

router = APIRouter(prefix="/api/v1/organisations", tags=["organisations"])


@router.post("", status_code=201)
def register_organisation(body: forms.NewOrganisation, _: Operator, with_: With) -> forms.OrganisationMade:
    """Register an organisation; its key is shown this once."""
    organisation = Organisation(
        OrganisationId(body.id or keys.new_id("org")), body.name, contact=body.contact, homepage=body.homepage
    )
    key = keys.new_key("organisation")
    with_.registry.add_organisation(organisation, key, time.time_ns())
    return forms.OrganisationMade(id=organisation.id, name=organisation.name, key=key)


@router.get("")
def list_organisations(with_: With, paged: Paged) -> list[forms.OrganisationShown]:
    """Who shares here. Public."""
    return [_shown(one) for one in paged.cut(with_.registry.organisations(paged.page), lambda one: one.id)]


@router.get("/{organisation}")
def show_organisation(organisation: forms.AnOrganisation, with_: With) -> forms.OrganisationShown:
    """One organisation. Public."""
    return _shown(with_.registry.organisation(organisation))


@router.patch("/{organisation}")
def change_organisation(
    organisation: forms.AnOrganisation, body: forms.ChangedOrganisation, caller: Known, with_: With
) -> forms.OrganisationShown:
    """Describe it anew, as the organisation itself or the operator. What is left out stays."""
    _itself(caller, organisation)
    found = with_.registry.organisation(organisation)
    changed = dataclasses.replace(found, **body.given())
    with_.registry.save_organisation(changed, caller, time.time_ns())
    return _shown(changed)


@router.delete("/{organisation}", status_code=204)
def remove_organisation(organisation: forms.AnOrganisation, caller: Known, with_: With) -> None:
    """Remove it, its contact and its key; 409 while it has gateways, applications or offers."""
    _itself(caller, organisation)
    with_.registry.end_organisation(organisation, caller, time.time_ns())
    with_.changed()


@router.put("/{organisation}/suspension", status_code=204)
def suspend_organisation(organisation: forms.AnOrganisation, body: forms.Reason, _: Operator, with_: With) -> None:
    """Stop everything of it: its keys, its gateways, its applications and its offers. When this answers, they have stopped."""
    with_.registry.suspend_organisation(organisation, body.reason, time.time_ns())
    with_.changed()


@router.delete("/{organisation}/suspension", status_code=204)
def resume_organisation(organisation: forms.AnOrganisation, _: Operator, with_: With) -> None:
    """Let it go on as it was."""
    with_.registry.suspend_organisation(organisation, None, time.time_ns())
    with_.changed()


def _itself(caller: Caller, organisation: str) -> None:
    if caller.role != "operator" and (caller.role, caller.id) != ("organisation", organisation):
        raise forbidden(f"The organisation {organisation} is another.")


def _shown(one: Organisation) -> forms.OrganisationShown:
    return forms.OrganisationShown(
        id=one.id, name=one.name, contact=one.contact, homepage=one.homepage, suspended=one.suspended
    )
