"""What anyone finds without a key: every datastream there is, offered or not; and the sandbox, to try things with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import forms
from api.paging import MOST, link_next
from api.services import With
from broker.access import Permitted, permit
from broker.model import Datastream
from broker.privacy.location import COARSE, place_of

router = APIRouter(prefix="/api/v1", tags=["public"])


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
            observations=f"/api/v1/releases/{release.id}/observations",
        )
        for offer in with_.registry.offers()
        if isinstance(permit(offer, None, with_.clock()), Permitted)
        for release in offer.releases
        if release.datastream.simulated
    ]


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
