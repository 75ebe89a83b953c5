"""Logins for MQTT of gateways and applications: a second one for the same role, so that the first can be given up without a gap."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path

from api import credentials, forms, hardware
from api.login import gateway_login, login
from api.routes.applications import own
from api.services import Known, OfOrganisation, Services, Whose, With
from broker import keys, times
from broker.errors import MitoyenError
from broker.model import MqttAccount

router = APIRouter(prefix="/api/v1", tags=["keys"])

Username = Annotated[str, Path(pattern=r"^[a-z0-9_.-]{1,160}$", examples=["gateway.air-lyon.roof-1"])]


@router.post("/gateways/{gateway}/logins", status_code=201)
def add_gateway_login(
    gateway: forms.AGateway, body: credentials.NewLogin, caller: OfOrganisation, with_: With
) -> hardware.GatewayMqtt:
    """Another login for a gateway; its password is shown this once. The others go on."""
    found = with_.registry.gateway(caller.id, gateway)
    return gateway_login(with_, found, *_add(with_, found.role, body.name))


@router.get("/gateways/{gateway}/logins")
def list_gateway_logins(gateway: forms.AGateway, whose: Whose, with_: With) -> list[credentials.LoginShown]:
    """How a gateway of yours may log in, the oldest first; never a password."""
    return _shown(with_.registry.gateway(whose, gateway).accounts)


@router.delete("/gateways/{gateway}/logins/{username}", status_code=204)
def revoke_gateway_login(gateway: forms.AGateway, username: Username, caller: OfOrganisation, with_: With) -> None:
    """Give one up. When this answers, whoever was connected with it is disconnected and can't log in again."""
    with_.registry.keyring.end_login(with_.registry.gateway(caller.id, gateway).role, username)
    with_.changed()


@router.post("/applications/{application}/logins", status_code=201)
def add_application_login(
    application: forms.AnApplication, body: credentials.NewLogin, caller: Known, with_: With
) -> forms.Mqtt:
    """Another login for an application; its password is shown this once. The others go on."""
    mine = own(application, caller, with_)
    return login(with_, mine.organisation, *_add(with_, mine.role, body.name))


@router.get("/applications/{application}/logins")
def list_application_logins(
    application: forms.AnApplication, caller: Known, with_: With
) -> list[credentials.LoginShown]:
    """How an application of yours may log in, the oldest first; never a password."""
    return _shown(own(application, caller, with_).accounts)


@router.delete("/applications/{application}/logins/{username}", status_code=204)
def revoke_application_login(
    application: forms.AnApplication,
    username: Annotated[Username, Path(examples=["application.smog-alert"])],
    caller: Known,
    with_: With,
) -> None:
    """Give one up. When this answers, whoever was connected with it is disconnected and can't log in again."""
    with_.registry.keyring.end_login(own(application, caller, with_).role, username)
    with_.changed()


def _add(with_: Services, role: str, name: str) -> tuple[str, str]:
    """Username and password of another login."""
    password = keys.new_password()
    account = keys.account(f"{role}.{secrets.token_hex(4)}", password, name, time.time_ns())
    with_.registry.keyring.add_login(role, account)
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.keyring.end_login(role, account.username)  # nobody was told its password
        raise
    return account.username, password


def _shown(accounts: Sequence[MqttAccount]) -> list[credentials.LoginShown]:
    return [credentials.LoginShown(username=a.username, name=a.name, created=times.text(a.created)) for a in accounts]
