"""Use: what agreements were delivered, by the hour, for both of their parties; and what became of every record, for its owner."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from fastapi import APIRouter, Depends, Query

from api import forms, reconciliation
from api.errors import forbidden
from api.figures import Amount, HourOfUse, QuotaLeft, Reconciliation, UseByOne, UseOfAgreement, UseOfOffer
from api.routes.agreements import party
from api.services import Known, OfOrganisation, Services, Whose, With
from broker import times
from broker.access import remaining
from broker.control import Reconcile, Reconciled, Usage
from broker.errors import Malformed
from broker.meter import Row
from broker.model import Agreement

router = APIRouter(prefix="/api/v1", tags=["use"])

USUAL = 31 * times.DAY
LONGEST = 366 * times.DAY
"""8,784 hours: 1 MB of JSON."""


@dataclass(frozen=True, slots=True)
class Period:
    """Hours that begin in `start <= hour < end` (ns)."""

    start: int
    end: int


def _period(
    start: Annotated[
        str | None, Query(description="RFC 3339; left out: 31 days before the end", examples=["2026-11-01T00:00:00Z"])
    ] = None,
    end: Annotated[
        str | None, Query(description="RFC 3339; does not count. Left out: now", examples=["2030-01-01T00:00:00Z"])
    ] = None,
) -> Period:
    """Which hours. Raises Malformed."""
    last = times.parse(end) if end else time.time_ns()
    first = times.parse(start) if start else last - USUAL
    if not 0 < last - first <= LONGEST:
        raise Malformed("start and end: expected a start before the end, by 366 days at most")
    return Period(first, last)


In: TypeAlias = Annotated[Period, Depends(_period)]


@router.get("/agreements/{agreement}/use")
def use_of_agreement(agreement: forms.AnAgreement, period: In, caller: Known, with_: With) -> UseOfAgreement:
    """What it was delivered, by the hour, and what its quota leaves; for both parties."""
    found, _ = party(agreement, caller, with_)
    rows = _rows(with_, Usage(period.start, period.end, agreement=found.id))
    return UseOfAgreement(
        agreement=found.id,
        offer=found.offer,
        live=_live(rows),
        http=_http(rows),
        quota=_left(found, with_),
        hours=_hours(rows),
    )


@router.get("/offers/{offer}/use")
def use_of_offer(offer: forms.AnOffer, period: In, caller: OfOrganisation, with_: With) -> UseOfOffer:
    """What was delivered of an offer of yours, by agreement and by the hour; without an agreement too, where access is open."""
    if with_.registry.offer(offer).organisation != caller.id:
        raise forbidden(f"The offer {offer} is another's.")
    by_one: dict[str, list[Row]] = {}
    for row in _rows(with_, Usage(period.start, period.end, offer=offer)):
        by_one.setdefault(row.agreement, []).append(row)
    uses = [
        UseByOne(agreement=who or None, live=_live(rows), http=_http(rows), hours=_hours(rows))
        for who, rows in sorted(by_one.items())
    ]
    return UseOfOffer(offer=offer, uses=uses)


@router.get("/reconciliation")
def reconcile(whose: Whose, with_: With) -> Reconciliation:
    """What became of every record of yours: stored or refused, and of each release delivered, withheld and why, or waiting."""
    found = msgspec.json.decode(with_.control.call(Reconcile()), type=Reconciled)
    return reconciliation.of_organisation(whose, with_.registry.offers(organisation=whose), found)


def _rows(with_: Services, asked: Usage) -> list[Row]:
    return msgspec.json.decode(with_.control.call(asked), type=list[Row])


def _live(rows: Iterable[Row]) -> Amount:
    return Amount(records=sum(row.live_records for row in rows), bytes=sum(row.live_bytes for row in rows))


def _http(rows: Iterable[Row]) -> Amount:
    return Amount(records=sum(row.http_records for row in rows), bytes=sum(row.http_bytes for row in rows))


def _hours(rows: Iterable[Row]) -> list[HourOfUse]:
    return [HourOfUse(hour=times.text(row.hour), live=_live([row]), http=_http([row])) for row in rows]


def _left(agreement: Agreement, with_: Services) -> QuotaLeft | None:
    quota = agreement.terms.quota
    if quota is None or agreement.state != "active":
        return None
    left = remaining(quota, with_.used(agreement))
    begins, ends = quota.period(with_.clock())
    return QuotaLeft(
        per=quota.per, begins=times.text(begins), ends=times.text(ends), records=left.records, bytes=left.bytes
    )
