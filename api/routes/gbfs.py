"""GBFS feeds of offers of bike-share streams, for whoever may read them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from api import forms, gbfs
from api.address import base_of
from api.services import Anyone, With
from broker.meter import ANYONE, Delivered

router = APIRouter(prefix="/gbfs", tags=["GBFS"])


@router.get("/{offer}/{feed}.json", response_class=Response)
def feed(
    request: Request,
    offer: forms.AnOffer,
    feed: Annotated[gbfs.Feed, Path(examples=["station_status"])],
    caller: Anyone,
    with_: With,
) -> Response:
    """A GBFS 3.0 feed of an offer; begin with `gbfs.json`."""
    found = with_.known.offer(offer)
    with_.permit(caller, found)
    latest = with_.released.latest(gbfs.streams(gbfs.stations(found))) if feed.startswith("station") else {}
    owner = with_.registry.organisation(found.organisation)
    made = gbfs.feed(feed, f"{base_of(request)}/gbfs/{found.id}", found, owner, latest, with_.clock())
    body = msgspec.json.encode(made)
    agreement = with_.agreement(caller, found)
    under = agreement.id if agreement and found.terms.access != "open" else ANYONE
    with_.delivered(Delivered(found.id, under, len(latest), len(body)))
    return Response(body, media_type="application/json", headers={"Cache-Control": "private, no-store"})
