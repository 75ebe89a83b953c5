"""Gateways: connecting hardware, and seeing how it does."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query

from api import adoption, forms, hardware
from api.login import gateway_login
from api.paging import Paged
from api.routes import datastreams
from api.services import OfOrganisation, Services, Whose, With
from broker import keys, times
from broker.control import Gateways, Refusals, Suggested
from broker.errors import MitoyenError
from broker.model import Gateway, OrganisationId
from broker.place import Place
from broker.presence import Presence, state
from broker.suggestions import Suggestion

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"])


@router.post("", status_code=201)
def register_gateway(body: hardware.NewGateway, caller: OfOrganisation, with_: With) -> hardware.GatewayMade:
    """Register a gateway; its MQTT password is shown this once."""
    now, password = time.time_ns(), keys.new_password()
    gateway_id = body.id or keys.new_id("gateway")
    gateway = Gateway(OrganisationId(caller.id), gateway_id, body.name or gateway_id, body.format, (), body.zone)
    account = keys.account(gateway.role, password, "first", now)
    gateway = dataclasses.replace(gateway, accounts=(account,))
    with_.registry.add_gateway(gateway, now)
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.take_back_gateway(gateway)  # nobody was told its password
        raise
    return hardware.GatewayMade(id=gateway_id, mqtt=gateway_login(with_, gateway, account.username, password))


@router.get("")
def list_gateways(whose: Whose, with_: With, paged: Paged) -> list[hardware.GatewayShown]:
    """Your gateways, and how each does."""
    found = paged.cut(with_.registry.gateways(whose, paged.page), lambda one: one.id)
    heard = _heard(with_, whose, [one.id for one in found])
    return [_shown(with_, one, heard) for one in found]


@router.get("/{gateway}")
def show_gateway(gateway: forms.AGateway, whose: Whose, with_: With) -> hardware.GatewayShown:
    """When it was last heard, whether it is silent, and how many of its records were taken and refused."""
    found = with_.registry.gateway(whose, gateway)
    return _shown(with_, found, _heard(with_, whose, [gateway]))


@router.patch("/{gateway}")
def change_gateway(
    gateway: forms.AGateway, body: forms.ChangedName, caller: OfOrganisation, with_: With
) -> hardware.GatewayShown:
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
) -> list[hardware.Rejection]:
    """The newest refused records, with their reasons."""
    with_.registry.gateway(whose, gateway)
    kept = msgspec.json.decode(with_.control.call(Refusals(whose, gateway, limit)), type=list[_Refused])
    return [
        hardware.Rejection(
            time=times.text(r.time),
            topic=r.topic,
            index=r.place,
            reason=r.reason,
            payload=r.payload,
            encoding=r.encoding,
        )
        for r in kept
    ]


@router.get("/{gateway}/suggestions")
def list_suggestions(gateway: forms.AGateway, whose: Whose, with_: With) -> list[hardware.SuggestionShown]:
    """What its devices say that no datastream is made of yet, since the broker was started."""
    with_.registry.gateway(whose, gateway)
    found = msgspec.json.decode(with_.control.call(Suggested(whose, gateway)), type=list[Suggestion])
    return [_suggested(one) for one in found]


@router.post("/{gateway}/adopt", status_code=201)
def adopt_device(
    gateway: forms.AGateway, body: hardware.Adoption, caller: OfOrganisation, with_: With
) -> list[forms.DatastreamShown]:
    """Make datastreams of what a device says, all of it or the properties that you name, as it was understood."""
    with_.registry.gateway(caller.id, gateway)
    suggested = msgspec.json.decode(with_.control.call(Suggested(caller.id, gateway)), type=list[Suggestion])
    taken, made = with_.registry.datastream_ids(caller.id), []
    for one in adoption.chosen(suggested, body.device, body.properties):
        new = adoption.datastream(
            one, caller.id, gateway, taken,
            place=datastreams.place(body.location), theme=body.theme,
            personal_data=body.personal_data, asset_prefixes=body.asset_prefixes, smooth=body.smooth,
        )  # fmt: skip
        taken.add(new.id)
        made.append(new)
    with_.registry.add_datastreams(made, time.time_ns())
    with_.changed()
    return [datastreams.shown(one) for one in made]


def _suggested(one: Suggestion) -> hardware.SuggestionShown:
    place = Place(one.longitude, one.latitude) if one.longitude is not None and one.latitude is not None else None
    return hardware.SuggestionShown(
        device=one.device,
        property=one.property,
        kind=one.kind,
        value=one.value,
        unit=one.unit,
        unit_known=one.unit_known,
        first=times.text(one.first),
        last=times.text(one.last),
        heard=one.heard,
        name=one.name,
        model=one.model,
        location=forms.geo_point(place),
    )


def _heard(with_: Services, organisation: str, gateways: list[str]) -> dict[str, Presence]:
    found = msgspec.json.decode(with_.control.call(Gateways(organisation, gateways)), type=list[Presence])
    return {one.gateway: one for one in found}


def _shown(with_: Services, gateway: Gateway, heard: dict[str, Presence]) -> hardware.GatewayShown:
    known = heard.get(gateway.id) or Presence(gateway.organisation, gateway.id)
    now = state(known, time.time_ns(), with_.silent_after)
    return hardware.GatewayShown(
        id=gateway.id,
        name=gateway.name,
        format=gateway.format,
        zone=gateway.zone,
        state=now.state,
        since=times.text(now.since) if now.since is not None else None,
        reason=now.reason,
        last_seen=times.text(known.last_seen) if known.last_seen is not None else None,
        accepted=known.accepted,
        rejected=known.refused,
        outbox=hardware.OutboxShown.model_validate_json(known.outbox) if known.outbox else None,
    )


class _Refused(msgspec.Struct):
    time: int
    topic: str
    place: int
    reason: str
    payload: str
    encoding: str | None
