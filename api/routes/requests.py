"""Public requests for data that is closed or refused: anyone's organisation opens one, others support it, the owner answers."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query

from api import forms, proceedings
from api.errors import forbidden
from api.paging import Paged
from api.services import Known, OfOrganisation, With
from broker import keys, times
from broker.errors import Refused
from broker.model import OfferId, OrganisationId
from broker.proceedings import Answer, DataRequest

router = APIRouter(prefix="/api/v1/requests", tags=["requests"])


@router.post("", status_code=201)
def open_request(body: proceedings.NewRequest, caller: OfOrganisation, with_: With) -> proceedings.RequestShown:
    """Ask an owner for data that is closed or refused, in public."""
    if (body.datastream is None) == (body.offer is None):
        raise Refused("about_one", "expected a datastream or an offer that the request is about")
    if body.offer is not None and with_.registry.offer(body.offer).organisation != body.of:
        raise Refused("not_theirs", f"of: the offer {body.offer} is another organisation's")
    if caller.id == with_.registry.organisation(body.of).id:
        raise forbidden("What is yours you can offer yourself.", "your_own")
    request = DataRequest(
        keys.new_id("request"),
        OrganisationId(caller.id),
        OrganisationId(body.of),
        body.wish,
        time.time_ns(),
        datastream=body.datastream,
        offer=OfferId(body.offer) if body.offer else None,
    )
    with_.registry.proceedings.open_request(request)
    return _shown(request)


@router.get("")
def list_requests(
    with_: With, paged: Paged, of: Annotated[forms.Id | None, Query(examples=["air-lyon"])] = None
) -> list[proceedings.RequestShown]:
    """What is asked for, of all or of one organisation. Public."""
    found = with_.registry.proceedings.requests(paged.page, of)
    return [_shown(one) for one in paged.cut(found, lambda one: one.id)]


@router.get("/{request}")
def show_request(request: proceedings.ARequest, with_: With) -> proceedings.RequestShown:
    """One request. Public."""
    return _shown(with_.registry.proceedings.request(request))


@router.put("/{request}/support", status_code=204)
def support_request(request: proceedings.ARequest, caller: OfOrganisation, with_: With) -> None:
    """Stand behind it, in public."""
    found = with_.registry.proceedings.request(request)
    if caller.id in (found.by, found.of):
        raise forbidden("Whoever asks or is asked does not support it as well.", "others_support")
    with_.registry.proceedings.support(request, caller.id, time.time_ns())


@router.delete("/{request}/support", status_code=204)
def take_back_support(request: proceedings.ARequest, caller: OfOrganisation, with_: With) -> None:
    """No longer stand behind it."""
    with_.registry.proceedings.request(request)
    with_.registry.proceedings.support(request, caller.id, time.time_ns(), takes_back=True)


@router.put("/{request}/answer")
def answer_request(
    request: proceedings.ARequest, body: proceedings.GivenAnswer, caller: OfOrganisation, with_: With
) -> proceedings.RequestShown:
    """Answer it in public, as the owner of the data. A later answer takes the place of an earlier one; the ledger has both."""
    found = with_.registry.proceedings.request(request)
    if caller.id != found.of:
        raise forbidden("The owner of the data answers.")
    if (body.outcome == "opened") != (body.offer is not None):
        raise Refused("opened_by_offer", "offer: expected the one by which it was opened, and only then")
    if body.offer is not None and with_.registry.offer(body.offer).organisation != caller.id:
        raise forbidden(f"The offer {body.offer} is another's.")
    answer = Answer(body.outcome, body.text, time.time_ns(), OfferId(body.offer) if body.offer else None)
    with_.registry.proceedings.answer(found, answer)
    return show_request(request, with_)


@router.delete("/{request}", status_code=204)
def remove_request(request: proceedings.ARequest, body: forms.Reason, caller: Known, with_: With) -> None:
    """Take it back, as whoever opened it, or take it down as the operator: what was written is erased, the ledger tells why."""
    found = with_.registry.proceedings.request(request)
    if caller.role != "operator" and (caller.role, caller.id) != ("organisation", found.by):
        raise forbidden(f"The request {request} is another's.")
    with_.registry.proceedings.remove_request(request, caller.role, body.reason, time.time_ns())


def _shown(one: DataRequest) -> proceedings.RequestShown:
    answer = one.answer
    return proceedings.RequestShown(
        id=one.id,
        by=one.by,
        of=one.of,
        datastream=one.datastream,
        offer=one.offer,
        wish=one.wish,
        created=times.text(one.created),
        supporters=list(one.supporters),
        answer=proceedings.AnswerShown(
            outcome=answer.outcome, text=answer.text, time=times.text(answer.time), offer=answer.offer
        )
        if answer
        else None,
    )
