"""Reciprocity and use, in public: who shares what, who uses what, what it cost, and what was learned."""

from __future__ import annotations

import time
from typing import Annotated, Literal, TypeAlias

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api import account, forms
from api.account import finding_shown
from api.errors import forbidden
from api.figures import FindingShown, NewFinding, OfferInUse, SharesAndUses, Transparency
from api.paging import Paged
from api.services import Known, Services, With, speaks_for
from broker import keys, times
from broker.control import TotalUsage
from broker.meter import Row
from broker.model import Finding

router = APIRouter(prefix="/api/v1", tags=["transparency"])

AGE = times.MINUTE  # how old an answer may be: drawing it up reads everything, and anyone may ask
Table: TypeAlias = Literal["offers", "organisations"]


@router.get("/transparency", response_model=Transparency, responses={200: {"content": {"text/csv": {}}}})
def transparency(
    request: Request,
    with_: With,
    format: Annotated[  # noqa: A002 - the interface's name
        Literal["json", "csv"] | None, Query(description="Left out: what `Accept` says", examples=["csv"])
    ] = None,
    table: Annotated[Table, Query(description="Which of the two, as CSV", examples=["organisations"])] = "offers",
) -> Response:
    """What each organisation shares and uses, and of each offer its agreements, purposes, volume, refusals, costs and revenue."""
    drawn = _drawn_up(request, with_)
    accepted = "csv" if "text/csv" in request.headers.get("accept", "") else "json"
    if (format or accepted) == "json":
        return Response(drawn.model_dump_json(), media_type="application/json")
    if table == "offers":
        text = account.table(drawn.offers, account.columns(OfferInUse))
    else:
        text = account.table(drawn.organisations, account.columns(SharesAndUses))
    return Response(text, media_type="text/csv; charset=utf-8")


@router.get("/findings")
def list_findings(with_: With, paged: Paged) -> list[FindingShown]:
    """What applications learned from what they read. Public."""
    found = paged.cut(with_.registry.accounts.findings(paged.page), lambda one: one.id)
    return [finding_shown(one) for one in found]


@router.post("/applications/{application}/findings", status_code=201)
def publish_finding(application: forms.AnApplication, body: NewFinding, caller: Known, with_: With) -> FindingShown:
    """Publish what an application of yours learned: a title and a link, for everyone to read."""
    found = with_.registry.application(application)
    if not speaks_for(caller, found.id, found.organisation):
        raise forbidden(f"The application {application} is another's.")
    finding = Finding(
        body.id or keys.new_id("finding"), found.id, found.organisation, body.title, body.link, time.time_ns()
    )
    with_.registry.accounts.publish_finding(finding)
    return finding_shown(finding)


@router.delete("/findings/{finding}", status_code=204)
def remove_finding(finding: forms.AFinding, caller: Known, with_: With) -> None:
    """Remove one of yours; the operator may remove any. Title and link are gone, the ledger has only that there was one."""
    found = with_.registry.accounts.finding(finding)
    if caller.role != "operator" and not speaks_for(caller, found.application, found.holder):
        raise forbidden(f"The finding {finding} is another's.")
    with_.registry.accounts.remove_finding(found, caller, time.time_ns())
    with_.noticed()


def _drawn_up(request: Request, with_: Services) -> Transparency:
    """As it was drawn up last, unless that is too old or something was changed here since."""
    now, epoch = with_.clock(), with_.epoch
    drawn, when, of_epoch = request.app.state.transparency
    if drawn is None or now - when > AGE or of_epoch != epoch:
        totals = msgspec.json.decode(with_.control.call(TotalUsage()), type=list[Row])
        drawn = account.transparency(with_.registry.accounts.overview(), totals, now)
        request.app.state.transparency = drawn, now, epoch
    assert isinstance(drawn, Transparency)
    return drawn
