"""Datastreams: what an owner's hardware observes."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import asdict

from fastapi import APIRouter

from api import forms
from api.paging import Paged
from api.services import OfOrganisation, Whose, With
from broker import keys
from broker.errors import Refused
from broker.model import Datastream, OrganisationId, Origin
from broker.place import Place

router = APIRouter(prefix="/api/v1/datastreams", tags=["datastreams"])


@router.post("", status_code=201)
def register_datastream(body: forms.NewDatastream, caller: OfOrganisation, with_: With) -> forms.DatastreamShown:
    """Register a datastream of one of your gateways."""
    personal = body.personal_data if body.personal_data is not None else body.kind != "measurement"
    if body.kind == "camera" and not personal:
        raise Refused("camera_is_personal", "personal_data: a camera's pictures always are")
    if body.smooth is not None and body.kind != "rfid":
        raise Refused("no_tags", "smooth: only tag reads become the events of their tags")
    datastream = Datastream(
        organisation=OrganisationId(caller.id),
        id=body.id or keys.new_id("datastream"),
        place=place(body.location),
        personal_data=personal,
        asset_prefixes=tuple(body.asset_prefixes),
        origin=_origin(body.origin),
        **body.model_dump(exclude={"id", "location", "personal_data", "asset_prefixes", "origin"}),
    )
    with_.registry.add_datastream(datastream, time.time_ns())
    with_.changed()
    return shown(datastream)


@router.get("")
def list_datastreams(whose: Whose, with_: With, paged: Paged) -> list[forms.DatastreamShown]:
    """Your own datastreams."""
    return [shown(one) for one in paged.cut(with_.registry.datastreams(whose, paged.page), lambda one: one.id)]


@router.get("/{datastream}")
def show_datastream(datastream: forms.ADatastream, whose: Whose, with_: With) -> forms.DatastreamShown:
    """One of your datastreams."""
    return shown(with_.registry.datastream(whose, datastream))


@router.patch("/{datastream}")
def change_datastream(
    datastream: forms.ADatastream, body: forms.ChangedDatastream, caller: OfOrganisation, with_: With
) -> forms.DatastreamShown:
    """Describe it anew; what is left out stays. Kind and unit can't change: what is stored would come to mean something else."""
    given = body.given()
    if "location" in given:
        given["place"] = place(body.location)
        del given["location"]
    if "origin" in given:
        given["origin"] = _origin(body.origin)
    changed = dataclasses.replace(with_.registry.datastream(caller.id, datastream), **given)
    with_.registry.save_datastream(changed)
    with_.changed()
    return shown(changed)


@router.delete("/{datastream}", status_code=204)
def remove_datastream(datastream: forms.ADatastream, caller: OfOrganisation, with_: With) -> None:
    """Remove it and erase all that it observed; 409 while an offer has it."""
    with_.registry.end_datastream(caller.id, datastream, time.time_ns())
    with_.changed()


def place(location: forms.GeoPoint | None) -> Place | None:
    place = Place(*location.coordinates[:2]) if location else None
    if place is not None and not (abs(place.longitude) <= 180 and abs(place.latitude) <= 90):  # noqa: PLR2004 - degrees
        raise Refused("no_such_place", "location: expected longitude, latitude in degrees (RFC 7946)")
    return place


def _origin(origin: forms.Origin | None) -> Origin | None:
    return Origin(**origin.model_dump()) if origin else None


def shown(datastream: Datastream) -> forms.DatastreamShown:
    return forms.DatastreamShown(
        id=datastream.id,
        organisation=datastream.organisation,
        gateway=datastream.gateway,
        kind=datastream.kind,
        observed_property=datastream.observed_property,
        unit=datastream.unit,
        location=forms.geo_point(datastream.place),
        theme=datastream.theme,
        personal_data=datastream.personal_data,
        location_h3=datastream.location_h3,
        privacy_unit=datastream.privacy_unit,
        privacy_unit_id=datastream.privacy_unit_id,
        asset_prefixes=list(datastream.asset_prefixes),
        description=datastream.description,
        origin=forms.Origin(**asdict(datastream.origin)) if datastream.origin else None,
        simulated=datastream.simulated,
        smooth=datastream.smooth,
        closed=datastream.closed,
    )
