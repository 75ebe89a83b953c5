"""Offers: datastreams under a profile and terms, open to all on the same ones."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api import forms, odrl
from api.address import base_of
from api.errors import forbidden
from api.paging import Paged
from api.services import OfOrganisation, Services, With
from broker import keys, times
from broker.errors import Conflict, NotFound, Refused
from broker.identity import identity
from broker.licence import HIGH_VALUE, KNOWN, Quota, Terms, canonical, duties, uri
from broker.model import Caller, Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.privacy import suitability
from broker.privacy.linkability import linkability
from broker.privacy.location import place_of
from broker.privacy.profile import Profile
from broker.registry.reading import PROFILE, TERMS

router = APIRouter(prefix="/api/v1/offers", tags=["offers"])


@router.post("", status_code=201)
def publish_offer(body: forms.NewOffer, caller: OfOrganisation, with_: With) -> forms.OfferShown:
    """Offer your datastreams. Refused (422) with the reason where the profile does not suit one."""
    now = time.time_ns()
    terms = terms_of(body.terms, now, with_)
    own = {d.id: d for d in with_.registry.datastreams_named(caller.id, body.datastreams)}
    missing = [name for name in body.datastreams if name not in own]
    if missing:
        raise NotFound(f"you have no datastream {', '.join(missing[:5])}")
    if len(set(body.datastreams)) < len(body.datastreams):
        raise Refused("datastream_twice", "datastreams: name each once")
    offer_id = OfferId(body.id or keys.new_id("offer"))
    chosen = [own[name] for name in body.datastreams]
    suitability.check(body.profile, chosen)
    releases = [release_of(offer_id, one, body.profile) for one in chosen]
    offer = Offer(offer_id, OrganisationId(caller.id), body.profile, terms, tuple(releases), now)
    with_.registry.add_offer(offer)
    with_.changed()
    return offer_shown(offer)


@router.get("", response_model=list[forms.OfferShown])
def list_offers(
    request: Request,
    with_: With,
    paged: Paged,
    organisation: Annotated[forms.Id | None, Query(examples=["air-lyon"])] = None,
) -> list[forms.OfferShown] | Response:
    """What is offered, by all or by one organisation. Public. With `Accept: application/ld+json`, as ODRL."""
    found = paged.cut(with_.registry.offers(paged.page, organisation), lambda one: one.id)
    if odrl.wanted(request.headers.get("accept", "")):
        document = odrl.offers(base_of(request), found)
        return JSONResponse(document, headers=dict(paged.response.headers), media_type=odrl.JSON_LD)
    return [offer_shown(one) for one in found]


@router.get("/{offer}", response_model=forms.OfferShown)
def show_offer(request: Request, offer: forms.AnOffer, with_: With) -> forms.OfferShown | Response:
    """One offer, also when it was withdrawn. Public. With `Accept: application/ld+json`, as ODRL."""
    found = with_.registry.offer(offer)
    if odrl.wanted(request.headers.get("accept", "")):
        return JSONResponse(odrl.offer(base_of(request), found), media_type=odrl.JSON_LD)
    return offer_shown(found)


@router.put("/{offer}/terms")
def change_terms(offer: forms.AnOffer, body: forms.NewTerms, caller: OfOrganisation, with_: With) -> forms.OfferShown:
    """Another version of its terms, for whoever accepts from now on; agreements keep theirs until they end or are renewed."""
    found = _own(offer, caller, with_)
    if found.withdrawn is not None:
        raise Conflict(f"the offer {offer} was withdrawn")
    changed = with_.registry.change_terms(found, terms_of(body, time.time_ns(), with_), time.time_ns())
    with_.changed()
    return offer_shown(changed)


@router.delete("/{offer}", status_code=204)
def withdraw_offer(offer: forms.AnOffer, body: forms.Reason, caller: OfOrganisation, with_: With) -> None:
    """Withdraw an offer of yours with all its agreements, and erase what no other offer shows. When this answers, live and
    history have stopped.
    """
    _own(offer, caller, with_)
    with_.registry.withdraw_offer(offer, caller, body.reason, time.time_ns())
    with_.changed()


def _own(offer: str, caller: Caller, with_: Services) -> Offer:
    found = with_.registry.offer(offer)
    if found.organisation != caller.id:
        raise forbidden(f"The offer {offer} is another's.")
    return found


def terms_shown(terms: Terms) -> dict[str, Any]:
    """Terms as they are written: without what they leave out."""
    written: dict[str, Any] = TERMS.dump_python(terms, mode="json", exclude_none=True, exclude_defaults=True)
    written |= {"access": terms.access, "purposes": list(terms.purposes)}
    if terms.expires is not None:
        written["expires"] = times.text(terms.expires)
    return written


def _linkability(offer: Offer) -> forms.LinkabilityShown | None:
    found = linkability(offer.profile)
    return forms.LinkabilityShown(**found._asdict()) if found else None


def offer_shown(offer: Offer) -> forms.OfferShown:
    return forms.OfferShown(
        id=offer.id,
        organisation=offer.organisation,
        profile=PROFILE.dump_python(offer.profile, mode="json", exclude_none=True),
        linkability=_linkability(offer),
        version=offer.version,
        terms=terms_shown(offer.terms),
        licence=_licence(offer.terms.licence),
        duties=list(duties(offer.terms)),
        simulated=all(release.datastream.simulated for release in offer.releases),
        created=times.text(offer.created),
        withdrawn=times.text(offer.withdrawn) if offer.withdrawn is not None else None,
        releases=[
            forms.ReleaseShown(
                id=release.id,
                datastream=release.datastream.id,
                profile=offer.profile.name,
                topic=offer.topic(release),
                kind=release.datastream.kind,
                observed_property=release.datastream.observed_property,
                unit=release.datastream.unit,
                theme=release.datastream.theme,
                description=release.datastream.description,
                simulated=release.datastream.simulated,
                location=forms.geo_point(place_of(release.datastream, offer.profile)),
            )
            for release in offer.releases
        ],
    )


def _licence(licence: str) -> forms.LicenceShown:
    known = KNOWN.get(licence)
    return forms.LicenceShown(
        id=licence, name=known.name if known else None, uri=uri(licence), open=known.open if known else None
    )


def terms_of(body: forms.NewTerms, now: int, with_: Services) -> Terms:
    expires = times.parse(body.expires) if body.expires else None
    if expires is not None and expires <= now:
        raise Refused("expires_in_the_past", "terms/expires: expected a time that is still to come")
    if len(body.purposes) > 1 and "any" in body.purposes:
        raise Refused("purposes_contradict", 'terms/purposes: either ["any"] or a list of purposes')
    if with_.rules.justify_purposes and body.purposes != ["any"] and not body.justification:
        raise Refused("no_justification", "terms/justification: whoever restricts purposes publishes why")
    if body.approval == "manual" and not body.criteria:
        raise Refused("no_criteria", "terms/criteria: with approval by hand, publish what you decide by")
    if body.approval == "automatic" and body.criteria:
        raise Refused("criteria_unused", 'terms/criteria: they are for approval "manual"')
    if body.access == "open" and (body.approval == "manual" or body.quota or body.purposes != ["any"]):
        raise Refused(
            "open_to_all", 'terms/access: "open" has no agreement that could hold a quota, a purpose or an approval'
        )
    if body.quota is not None and body.quota.records is body.quota.bytes is None:
        raise Refused("quota_of_nothing", "terms/quota: expected records, bytes or both")
    licence = canonical(body.licence)
    if body.high_value and (body.price or body.quota or body.purposes != ["any"] or licence not in HIGH_VALUE):
        raise Refused(
            "not_high_value",
            f"terms/high_value: expected {' or '.join(HIGH_VALUE)}, for any purpose, without price or quota",
        )
    return Terms(
        licence=licence,
        attribution=body.attribution,
        purposes=tuple(body.purposes),
        access=body.access,
        expires=expires,
        redistribution=body.redistribution,
        price=body.price,
        quota=Quota(**body.quota.model_dump()) if body.quota else None,
        justification=body.justification,
        approval=body.approval,
        criteria=tuple(body.criteria),
        high_value=body.high_value,
    )


def release_of(offer: OfferId, datastream: Datastream, chosen: Profile) -> Release:
    digest = hashlib.sha256(f"{offer}/{datastream.stream}".encode()).hexdigest()
    stream = identity(offer, datastream, chosen, shared=suitability.may_share(chosen, datastream))
    return Release(ReleaseId(f"release-{digest[:20]}"), offer, datastream, stream)
