"""Organisations, their gateways and datastreams: connecting hardware."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api import forms
from api.errors import forbidden
from api.paging import link_next
from api.services import Known, OfOrganisation, Operator, Services, With, client_prefix
from broker import keys, times, topics
from broker.control import GatewayStatus, Refusals
from broker.errors import MitoyenError, Refused
from broker.model import Datastream, Gateway, Organisation, OrganisationId
from broker.place import Place

router = APIRouter(prefix="/api/v1", tags=["owners"])


@router.post("/organisations", status_code=201)
def register_organisation(body: forms.NewOrganisation, _: Operator, with_: With) -> forms.OrganisationMade:
    """Register an organisation; its key is shown this once."""
    organisation = Organisation(
        OrganisationId(body.id or keys.new_id("org")), body.name, contact=body.contact, homepage=body.homepage
    )
    key = keys.new_key("organisation")
    with_.registry.add_organisation(organisation, key, time.time_ns())
    return forms.OrganisationMade(id=organisation.id, name=organisation.name, key=key)


@router.get("/organisations")
def list_organisations(
    request: Request,
    response: Response,
    with_: With,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    after: forms.Id | None = None,
) -> list[forms.OrganisationShown]:
    """Who shares here. Public."""
    found = with_.registry.organisations(after=after, limit=limit)
    if len(found) == limit:
        link_next(request, response, after=found[-1].id)
    return [forms.OrganisationShown(id=one.id, name=one.name, homepage=one.homepage) for one in found]


@router.post("/gateways", status_code=201)
def register_gateway(body: forms.NewGateway, caller: OfOrganisation, with_: With) -> forms.GatewayMade:
    """Register a gateway; its MQTT password is shown this once."""
    gateway_id, password = body.id or keys.new_id("gateway"), keys.new_password()
    account = keys.account(f"gateway.{caller.id}.{gateway_id}", password)
    organisation = OrganisationId(caller.id)
    with_.registry.add_gateway(
        Gateway(organisation, gateway_id, body.name or gateway_id, body.format, account), time.time_ns()
    )
    try:
        with_.changed({account.username: password})
    except MitoyenError:
        with_.registry.remove_gateway(organisation, gateway_id)  # nobody was told its password
        raise
    made = login(with_, account.username, password)
    return forms.GatewayMade(
        id=gateway_id, mqtt=forms.GatewayMqtt(**made.model_dump(), topic=topics.input_template(caller.id, gateway_id))
    )


@router.get("/gateways/{gateway}")
def show_gateway(gateway: forms.Id, caller: OfOrganisation, with_: With) -> forms.GatewayState:
    """When it was last heard, and how many of its records were taken and refused."""
    with_.registry.gateway(caller.id, gateway)
    counts = msgspec.json.decode(with_.control.call(GatewayStatus(caller.id, gateway)), type=_Counts)
    seen = times.text(counts.last_seen) if counts.last_seen is not None else None
    return forms.GatewayState(id=gateway, last_seen=seen, accepted=counts.accepted, rejected=counts.refused)


@router.get("/gateways/{gateway}/rejections")
def show_rejections(
    gateway: forms.Id, caller: OfOrganisation, with_: With, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> list[forms.Rejection]:
    """The newest refused records, with their reasons."""
    with_.registry.gateway(caller.id, gateway)
    kept = msgspec.json.decode(with_.control.call(Refusals(caller.id, gateway, limit)), type=list[_Refused])
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


@router.post("/datastreams", status_code=201)
def register_datastream(body: forms.NewDatastream, caller: OfOrganisation, with_: With) -> forms.DatastreamShown:
    """Register a datastream of one of your gateways."""
    place = Place(*body.location.coordinates[:2]) if body.location else None
    if place is not None and not (abs(place.longitude) <= 180 and abs(place.latitude) <= 90):  # noqa: PLR2004 - degrees
        raise Refused("no_such_place", "location: expected longitude, latitude in degrees (RFC 7946)")
    personal = body.personal_data if body.personal_data is not None else body.kind == "rfid"
    datastream = Datastream(
        organisation=OrganisationId(caller.id),
        id=body.id or keys.new_id("datastream"),
        place=place,
        personal_data=personal,
        asset_prefixes=tuple(body.asset_prefixes),
        **body.model_dump(exclude={"id", "location", "personal_data", "asset_prefixes"}),
    )
    with_.registry.add_datastream(datastream, time.time_ns())
    with_.changed()
    return shown(datastream)


@router.get("/datastreams")
def list_datastreams(caller: Known, with_: With) -> list[forms.DatastreamShown]:
    """Your own datastreams."""
    if caller.role == "application":
        raise forbidden("An application has no datastreams: look at the offers.", "organisation_only")
    own = caller.id if caller.role == "organisation" else None
    return [shown(datastream) for datastream in with_.registry.datastreams(own)]


def shown(datastream: Datastream) -> forms.DatastreamShown:
    place = datastream.place
    location = forms.geo_point(place)
    return forms.DatastreamShown(
        id=datastream.id,
        organisation=datastream.organisation,
        gateway=datastream.gateway,
        kind=datastream.kind,
        observed_property=datastream.observed_property,
        unit=datastream.unit,
        location=location,
        theme=datastream.theme,
        personal_data=datastream.personal_data,
        privacy_unit=datastream.privacy_unit,
        asset_prefixes=list(datastream.asset_prefixes),
        description=datastream.description,
    )


def login(with_: Services, username: str, password: str) -> forms.Mqtt:
    host, port = with_.mqtt
    return forms.Mqtt(
        host=host, port=port, username=username, password=password, client_id_prefix=client_prefix(username, password)
    )


class _Counts(msgspec.Struct):
    accepted: int
    refused: int
    last_seen: int | None


class _Refused(msgspec.Struct):
    time: int
    topic: str
    place: int
    reason: str
    payload: str
    encoding: str | None
