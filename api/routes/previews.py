"""Previews: what an application would see of a datastream, before it is offered. The broker process computes them, by what serves."""

from __future__ import annotations

import time

import msgspec
from fastapi import APIRouter

from api import forms
from api.errors import Problem
from api.figures import NewPreview, PreviewedLive, PreviewShown
from api.routes.offers import release_of, terms_of
from api.services import OfOrganisation, Services, With
from broker import control, times, topics
from broker.access import Denied, permit
from broker.errors import Refused
from broker.licence import Terms
from broker.model import Agreement, AgreementId, Application, Offer, OfferId, OrganisationId
from broker.privacy import suitability
from broker.privacy.location import place_of
from broker.registry.reading import PROFILE

router = APIRouter(prefix="/api/v1/previews", tags=["offers"])

NAME = OfferId("preview")


@router.post("")
def preview(body: NewPreview, caller: OfOrganisation, with_: With) -> PreviewShown:
    """What exactly an application would see of a datastream of yours, live and past, under this profile and these terms.

    At most 20 a minute, and 20,000 records are looked at. That you looked at personal data is on the ledger.
    """
    now = time.time_ns()
    datastream = with_.registry.datastream(caller.id, body.datastream)
    suitability.check(body.profile, [datastream])
    if body.profile.noise is not None:
        raise Refused("noise_not_previewed", "A preview with noise would be a draw that no budget counts.")
    terms = terms_of(body.terms, now, with_)
    release = release_of(NAME, datastream, body.profile)
    offer = Offer(NAME, OrganisationId(caller.id), body.profile, terms, (release,), now)
    decision = _decision(body, offer, with_.registry.application(body.application), with_, now)
    if isinstance(decision, Denied):
        return _nothing(decision, terms)
    asked = control.Preview(
        caller.id,
        datastream.id,
        PROFILE.dump_json(body.profile).decode(),
        times.parse(body.start) if body.start else None,
        times.parse(body.end) if body.end else None,
        body.limit,
    )
    if asked.start is not None and asked.end is not None and asked.start >= asked.end:
        raise Refused("no_such_time", "start and end: expected a start before the end")
    found = msgspec.json.decode(with_.control.call(asked), type=control.Previewed)
    if found.refused:
        raise Problem(429, "Too many", "At most 20 previews a minute: wait a little.", found.refused)
    return _shown(found, offer)


def _decision(body: NewPreview, offer: Offer, application: Application, with_: Services, now: int) -> Denied | None:
    purpose = body.purpose or offer.terms.purposes[0]
    holder = with_.registry.organisation(application.organisation)
    agreement = Agreement(
        AgreementId("preview"),
        NAME,
        application.id,
        purpose,
        "active",
        now,
        application.organisation,
        offer.terms,
        suspended=holder.suspended is not None,
    )
    decision = permit(offer, agreement, now)
    return decision if isinstance(decision, Denied) else None


def _nothing(decision: Denied, terms: Terms) -> PreviewShown:
    return PreviewShown(
        permitted=False,
        reason=decision.reason,
        detail=decision.detail,
        after_approval=terms.approval == "manual",
        location=None,
        past=[],
        live=None,
        withheld=None,
        looked_at=None,
        start=None,
        end=None,
        complete=True,
    )


def _shown(found: control.Previewed, offer: Offer) -> PreviewShown:
    (release,) = offer.releases
    properties = {
        "licence": offer.terms.licence,
        "attribution": offer.terms.attribution,
        "profile": offer.profile.name,
    }
    messages = [msgspec.json.decode(message) for message in found.live]
    live = PreviewedLive(
        topic=topics.live(offer.organisation, NAME, "{cell}" if offer.profile.by_cell else release.datastream.id),
        properties=properties,
        retained=messages[-1] if found.retained else None,
        messages=messages,
    )
    return PreviewShown(
        permitted=True,
        reason=None,
        detail=None,
        after_approval=offer.terms.approval == "manual",
        location=forms.geo_point(place_of(release.datastream, offer.profile)),
        past=[msgspec.json.decode(message) for message in found.past],
        live=live,
        withheld=found.withheld,
        looked_at=found.records,
        start=times.text(found.start),
        end=times.text(found.end),
        complete=found.complete,
    )
