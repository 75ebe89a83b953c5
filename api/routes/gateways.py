"""Gateways: connecting hardware, and seeing how it does."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query

from api import forms
from api.login import gateway_login
from api.paging import Paged
from api.services import OfOrganisation, Services, Whose, With
from broker import keys, times
from broker.control import Gateways, Refusals
from broker.errors import MitoyenError
from broker.model import Gateway, OrganisationId
from broker.presence import Presence, state

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"])


@router.post("", status_code=201)
def register_gateway(body: forms.NewGateway, caller: OfOrganisation, with_: With) -> forms.GatewayMade:
    """Register a gateway; its MQTT password is shown this once."""
    now, password = time.time_ns(), keys.new_password()
    gateway_id = body.id or keys.new_id("gateway")
    gateway = Gateway(OrganisationId(caller.id), gateway_id, body.name or gateway_id, body.format, ())
    account = keys.account(gateway.role, password, "first", now)
    gateway = dataclasses.replace(gateway, accounts=(account,))
    with_.registry.add_gateway(gateway, now)
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.take_back_gateway(gateway)  # nobody was told its password
        raise
    return forms.GatewayMade(id=gateway_id, mqtt=gateway_login(with_, gateway, account.username, password))


@router.get("")
def list_gateways(whose: Whose, with_: With, paged: Paged) -> list[forms.GatewayShown]:
    """Your gateways, and how each does."""
    found = paged.cut(with_.registry.gateways(whose, paged.page), lambda one: one.id)
    heard = _heard(with_, whose, [one.id for one in found])
    return [_shown(with_, one, heard) for one in found]


@router.get("/{gateway}")
def show_gateway(gateway: forms.AGateway, whose: Whose, with_: With) -> forms.GatewayShown:
    """When it was last heard, whether it is silent, and how many of its records were taken and refused."""
    found = with_.registry.gateway(whose, gateway)
    return _shown(with_, found, _heard(with_, whose, [gateway]))


@router.patch("/{gateway}")
def change_gateway(
    gateway: forms.AGateway, body: forms.ChangedName, caller: OfOrganisation, with_: With
) -> forms.GatewayShown:
    """Give it another name."""
    found = dataclasses.replace(with_.registry.gateway(caller.id, gateway), **body.given())
    with_.registry.save_gateway(found)
    return _shown(with_, found, _heard(with_, caller.id, [gateway]))


@router.delete("/{gateway}", status_code=204)
def remove_gateway(gateway: forms.AGateway, caller: OfOrganisation, with_: With) -> None:
    """Remove it; 409 while it has datastreams. When this answers, it can no longer connect."""
    with_.registry.end_gateway(with_.registry.gateway(caller.id, gateway), time.time_ns())
    with_.changed()


@router.get("/{gateway}/rejections")
def show_rejections(
    gateway: forms.AGateway,
    whose: Whose,
    with_: With,
    limit: Annotated[int, Query(ge=1, le=1_000, examples=[10])] = 100,
) -> list[forms.Rejection]:
    """The newest refused records, with their reasons."""
    with_.registry.gateway(whose, gateway)
    kept = msgspec.json.decode(with_.control.call(Refusals(whose, gateway, limit)), type=list[_Refused])
    return [
        forms.Rejection(
            time=times.text(r.time),
            topic=r.topic,
            index=r.place,
            reason=r.reason,
            payload=r.payload,
            encoding=r.encoding,
        )
        for r in kept
    ]


def _heard(with_: Services, organisation: str, gateways: list[str]) -> dict[str, Presence]:
    found = msgspec.json.decode(with_.control.call(Gateways(organisation, gateways)), type=list[Presence])
    return {one.gateway: one for one in found}


def _shown(with_: Services, gateway: Gateway, heard: dict[str, Presence]) -> forms.GatewayShown:
    known = heard.get(gateway.id) or Presence(gateway.organisation, gateway.id)
    now = state(known, time.time_ns(), with_.silent_after)
    return forms.GatewayShown(
        id=gateway.id,
        name=gateway.name,
        format=gateway.format,
        state=now.state,
        since=times.text(now.since) if now.since is not None else None,
        reason=now.reason,
        last_seen=times.text(known.last_seen) if known.last_seen is not None else None,
        accepted=known.accepted,
        rejected=known.refused,
    )


class _Refused(msgspec.Struct):
    time: int
    topic: str
    place: int
    reason: str
    payload: str
    encoding: str | None
