"""Applications: who reads."""

from __future__ import annotations

import dataclasses
import time

from fastapi import APIRouter

from api import forms
from api.errors import forbidden
from api.login import login
from api.paging import Paged
from api.services import Known, OfOrganisation, Services, Whose, With, speaks_for
from broker import keys
from broker.errors import MitoyenError
from broker.model import Application, ApplicationId, Caller, OrganisationId

router = APIRouter(prefix="/api/v1/applications", tags=["applications"])


@router.post("", status_code=201)
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
        with_.registry.take_back_application(application_id)  # nobody was told its password
        raise
    return forms.ApplicationMade(id=application_id, key=key, mqtt=login(with_, account.username, password))


@router.get("")
def list_applications(whose: Whose, with_: With, paged: Paged) -> list[forms.ApplicationShown]:
    """Your applications."""
    return [_shown(one) for one in paged.cut(with_.registry.applications(whose, paged.page), lambda one: one.id)]


@router.get("/{application}")
def show_application(application: forms.AnApplication, caller: Known, with_: With) -> forms.ApplicationShown:
    """One of your applications, or the one whose key it is."""
    return _shown(_own(application, caller, with_))


@router.patch("/{application}")
def change_application(
    application: forms.AnApplication, body: forms.ChangedName, caller: OfOrganisation, with_: With
) -> forms.ApplicationShown:
    """Give it another name."""
    found = dataclasses.replace(_own(application, caller, with_), **body.given())
    with_.registry.save_application(found)
    return _shown(found)


@router.delete("/{application}", status_code=204)
def remove_application(application: forms.AnApplication, caller: Known, with_: With) -> None:
    """Remove it with its agreements and its key. When this answers, it can no longer read or connect."""
    _own(application, caller, with_)
    with_.registry.end_application(application, caller, time.time_ns())
    with_.changed()


def _own(application: str, caller: Caller, with_: Services) -> Application:
    found = with_.registry.application(application)
    if not speaks_for(caller, found.id, found.organisation):
        raise forbidden(f"The application {application} is another's.")
    return found


def _shown(one: Application) -> forms.ApplicationShown:
    return forms.ApplicationShown(id=one.id, organisation=one.organisation, name=one.name)
