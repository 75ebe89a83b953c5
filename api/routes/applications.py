"""Applications: who reads."""

from __future__ import annotations

import dataclasses
import time

from fastapi import APIRouter

from api import consumers, forms
from api.errors import forbidden
from api.login import login
from api.paging import Paged
from api.services import Known, OfOrganisation, Services, Whose, With, speaks_for
from broker import keys
from broker.errors import MitoyenError
from broker.model import Application, ApplicationId, Caller, OrganisationId

router = APIRouter(prefix="/api/v1/applications", tags=["applications"])


@router.post("", status_code=201)
def register_application(
    body: consumers.NewApplication, caller: OfOrganisation, with_: With
) -> consumers.ApplicationMade:
    """Register an application; its key and its MQTT password are shown this once."""
    now, key, password = time.time_ns(), keys.new_key("application"), keys.new_password()
    application_id = ApplicationId(body.id or keys.new_id("application"))
    application = Application(application_id, OrganisationId(caller.id), body.name or application_id, ())
    account = keys.account(application.role, password, "first", now)
    application = dataclasses.replace(application, accounts=(account,))
    with_.registry.add_application(application, key, now)
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.take_back_application(application)  # nobody was told its password
        raise
    return consumers.ApplicationMade(
        id=application_id, key=key, mqtt=login(with_, caller.id, account.username, password)
    )


@router.get("")
def list_applications(whose: Whose, with_: With, paged: Paged) -> list[consumers.ApplicationShown]:
    """Your applications."""
    return [_shown(one) for one in paged.cut(with_.registry.applications(whose, paged.page), lambda one: one.id)]


@router.get("/{application}")
def show_application(application: forms.AnApplication, caller: Known, with_: With) -> consumers.ApplicationShown:
    """One of your applications, or the one whose key it is."""
    return _shown(own(application, caller, with_))


@router.patch("/{application}")
def change_application(
    application: forms.AnApplication, body: forms.ChangedName, caller: OfOrganisation, with_: With
) -> consumers.ApplicationShown:
    """Give it another name."""
    found = dataclasses.replace(own(application, caller, with_), **body.given())
    with_.registry.save_application(found)
    return _shown(found)


@router.delete("/{application}", status_code=204)
def remove_application(application: forms.AnApplication, caller: Known, with_: With) -> None:
    """Remove it with its agreements and its key. When this answers, it can no longer read or connect."""
    with_.registry.end_application(own(application, caller, with_), caller, time.time_ns())
    with_.changed()


def own(application: str, caller: Caller, with_: Services) -> Application:
    """An application, if it calls itself or its organisation does. Raises NotFound, Problem."""
    found = with_.registry.application(application)
    if not speaks_for(caller, found.id, found.organisation):
        raise forbidden(f"The application {application} is another's.")
    return found


def _shown(one: Application) -> consumers.ApplicationShown:
    return consumers.ApplicationShown(id=one.id, organisation=one.organisation, name=one.name)
