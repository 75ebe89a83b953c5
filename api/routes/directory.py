"""What anyone finds without a key: every datastream there is, offered or not, in a list and on a map; and the sandbox, to try things with."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from api import forms
from api.atlas import atlas
from api.compress import compressed
from api.paging import MOST, link_next
from api.routes.offers import offer_shown
from api.services import With
from broker.access import Permitted, permit
from broker.model import Datastream, Offer, Release
from broker.privacy.location import COARSE, place_of

router = APIRouter(prefix="/api/v1", tags=["public"])

GEOJSON = "application/geo+json"
MOST_ON_A_MAP = 100_000  # closed ones: what a browser still draws


@router.get("/directory")
def list_directory(
    request: Request,
    response: Response,
    with_: With,
    organisation: Annotated[forms.Id | None, Query(examples=["air-lyon"])] = None,
    closed: Annotated[
        bool | None, Query(description="Those that are not offered, or those that are", examples=[True])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, examples=[1000])] = 100,
    after: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z0-9_-]{1,63}/[a-z0-9_-]{1,63}$",
            description="Organisation and id of the last one that you have",
            examples=["air-lyon/pm25-roof-1"],
        ),
    ] = None,
) -> list[forms.Listed]:
    """Everyone's datastreams, also those that nobody offers, with why. Public."""
    place = tuple(after.split("/")) if after else None
    assert place is None or len(place) == 2  # noqa: PLR2004 - as the pattern has it
    found = with_.registry.directory(place, limit + 1, organisation, closed=closed)
    if len(found) > limit:
        last, _ = found[limit - 1]
        link_next(request, response, after=f"{last.organisation}/{last.id}")
    return [_listed(datastream, offers) for datastream, offers in found[:limit]]


@router.get("/directory/map", response_class=Response)
def show_map(
    request: Request,
    with_: With,
    if_none_match: Annotated[
        str | None, Header(description="The `ETag` of the one that you have", examples=['"1"'])
    ] = None,
) -> Response:
    """All of the directory in one GeoJSON answer, each with its place as its offers tell it: what a map draws. Public."""
    revision, made = request.app.state.atlas
    if revision != with_.registry.revision():
        revision = with_.registry.revision()  # before what is read, so that a change meanwhile is read again
        offers = with_.registry.offers()
        readable = frozenset(str(one.id) for one in offers if isinstance(permit(one, None, with_.clock()), Permitted))
        closed = [one for one, _ in with_.registry.directory(None, MOST_ON_A_MAP, closed=True)]
        made = atlas(offers, closed, readable)
        request.app.state.atlas = revision, made
    headers = {"ETag": f'"{revision}"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return compressed(request, made, headers, GEOJSON)


@router.get("/directory/{organisation}/{datastream}")
def show_listed(organisation: forms.AnOrganisation, datastream: forms.ADatastream, with_: With) -> forms.ListedWhole:
    """One datastream, with each offer that it is in. Public."""
    found = with_.registry.datastream(organisation, datastream)
    offers = [one for one in with_.registry.offers(organisation=organisation) if _shows(one, found)]
    shown = [dataclasses.replace(one, releases=_only(one, found)) for one in offers]
    return forms.ListedWhole(
        **_listed(found, [one.id for one in offers]).model_dump(),
        unit=found.unit,
        description=found.description,
        offered=[offer_shown(one) for one in shown],
    )


@router.get("/sandbox")
def sandbox(with_: With) -> list[forms.SandboxRelease]:
    """Simulated releases that are open: live and history of them need neither key nor agreement. Public."""
    return [
        forms.SandboxRelease(
            release=release.id,
            offer=offer.id,
            datastream=release.datastream.id,
            observed_property=release.datastream.observed_property,
            unit=release.datastream.unit,
            licence=offer.terms.licence,
            attribution=offer.terms.attribution,
            live=f"/api/v1/releases/{release.id}/live",
            latest=f"/api/v1/releases/{release.id}/latest",
            observations=None if release.datastream.kind == "camera" else f"/api/v1/releases/{release.id}/observations",
        )
        for offer in with_.registry.offers()
        if isinstance(permit(offer, None, with_.clock()), Permitted)
        for release in offer.releases
        if release.datastream.simulated
    ]


def _shows(offer: Offer, datastream: Datastream) -> bool:
    return any(release.datastream.stream == datastream.stream for release in offer.releases)


def _only(offer: Offer, datastream: Datastream) -> tuple[Release, ...]:
    return tuple(release for release in offer.releases if release.datastream.stream == datastream.stream)


def _listed(one: Datastream, offers: list[str]) -> forms.Listed:
    return forms.Listed(
        organisation=one.organisation,
        id=one.id,
        kind=one.kind,
        observed_property=one.observed_property,
        theme=one.theme,
        personal_data=one.personal_data,
        simulated=one.simulated,
        location=forms.geo_point(place_of(one, COARSE)),
        offers=offers,
        closed=None if offers else one.closed,
    )
