"""The public account of sharing, drawn up from what is registered and what was counted. Pure.

Ids stand for names: an organisation's name is where it can be changed and removed, and no person has an id here.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel

from api.figures import Amount, FindingShown, Money, OfferInUse, SharesAndUses, Transparency
from broker import times
from broker.meter import ANYONE, Row
from broker.model import Agreement, Charge, Finding, Offer, Organisation
from broker.registry.accounts import Overview

T = TypeVar("T")


def transparency(overview: Overview, totals: Sequence[Row], now: int) -> Transparency:
    """All of it. `totals`: what was ever counted, by offer and agreement."""
    known = _Known(
        now,
        offers=_by(overview.offers, lambda one: one.organisation),
        on_offer=_by(overview.agreements, lambda one: one.offer),
        held=_by(overview.agreements, lambda one: one.holder),
        of_offer=_by(totals, lambda one: one.offer),
        of_agreement=_by(totals, lambda one: one.agreement),
        charges=_by(overview.charges, lambda one: one.agreement),
    )
    return Transparency(
        time=times.text(now),
        organisations=[_organisation(one, known) for one in overview.organisations],
        offers=[_offer(one, known, overview.refusals.get(one.id, 0)) for one in overview.offers],
        findings=[finding_shown(one) for one in overview.findings],
    )


def table(rows: Sequence[BaseModel], columns: Iterable[str]) -> str:
    """RFC 4180, a line a row. What is a list or has names in it is spread over columns or joined by spaces."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_flat(row) for row in rows)
    return text.getvalue()


def columns(kind: type[SharesAndUses | OfferInUse]) -> list[str]:
    """Of the table of these."""
    return [
        f"{name}_{part}" if part else name
        for name, field in kind.model_fields.items()
        for part in (("records", "bytes") if field.annotation is Amount else ("",))
    ]


def finding_shown(one: Finding) -> FindingShown:
    return FindingShown(
        id=one.id, application=one.application, title=one.title, link=one.link, published=times.text(one.created)
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The same, each by what it is asked for."""

    now: int
    offers: Mapping[str, list[Offer]]
    on_offer: Mapping[str, list[Agreement]]
    held: Mapping[str, list[Agreement]]
    of_offer: Mapping[str, list[Row]]
    of_agreement: Mapping[str, list[Row]]
    charges: Mapping[str, list[Charge]]

    def rows(self, agreements: Iterable[Agreement]) -> list[Row]:
        return [row for agreement in agreements for row in self.of_agreement.get(agreement.id, ())]

    def charged(self, agreements: Iterable[Agreement]) -> list[Charge]:
        return [charge for agreement in agreements for charge in self.charges.get(agreement.id, ())]


def _organisation(one: Organisation, known: _Known) -> SharesAndUses:
    own = known.offers.get(one.id, [])
    standing = [offer for offer in own if offer.withdrawn is None]
    given = [agreement for offer in own for agreement in known.on_offer.get(offer.id, ())]
    held = known.held.get(one.id, [])
    charged, used = known.charged(given), known.rows(held)
    return SharesAndUses(
        organisation=one.id,
        offers=len(standing),
        datastreams=len({release.datastream.id for offer in standing for release in offer.releases}),
        agreements_on_its_offers=_active(given, known.now),
        applications=len({agreement.application for agreement in held}),
        agreements_of_its_applications=_active(held, known.now),
        given_live=_live(known.rows(given)),
        given_http=_http(row for offer in own for row in known.of_offer.get(offer.id, ())),
        used_live=_live(used),
        used_http=_http(used),
        charged=_sums(charged, "stated", "confirmed"),
        received=_sums(charged, "confirmed"),
        paid=_sums(known.charged(held), "confirmed"),
    )


def _offer(one: Offer, known: _Known, refusals: int) -> OfferInUse:
    on_it, counted = known.on_offer.get(one.id, []), known.of_offer.get(one.id, [])
    charged = known.charged(on_it)
    return OfferInUse(
        offer=one.id,
        organisation=one.organisation,
        access=one.terms.access,
        licence=one.terms.licence,
        price=one.terms.price,
        withdrawn=times.text(one.withdrawn) if one.withdrawn is not None else None,
        agreements=dict(Counter(_state(agreement, known.now) for agreement in on_it)),
        purposes=dict(Counter(a.purpose for a in on_it if _state(a, known.now) == "active")),
        refusals=refusals,
        readers=_readers(on_it, known.now),
        published=_live(row for row in counted if row.agreement == ANYONE),
        live=_live(row for row in counted if row.agreement != ANYONE),
        http=_http(counted),
        charged=_sums(charged, "stated", "confirmed"),
        received=_sums(charged, "confirmed"),
    )


def _readers(agreements: Iterable[Agreement], now: int) -> dict[str, str]:
    """Who reads it, and for which purposes."""
    purposes = _by((one for one in agreements if _state(one, now) == "active"), lambda one: one.application)
    return {application: " ".join(sorted({one.purpose for one in of})) for application, of in sorted(purposes.items())}


def _by(found: Iterable[T], name: Callable[[T], str]) -> dict[str, list[T]]:
    grouped: dict[str, list[T]] = {}
    for one in found:
        grouped.setdefault(name(one), []).append(one)
    return grouped


def _state(agreement: Agreement, now: int) -> str:
    expires = agreement.terms.expires
    return "expired" if agreement.state == "active" and expires is not None and expires <= now else agreement.state


def _active(agreements: Iterable[Agreement], now: int) -> int:
    return sum(_state(agreement, now) == "active" for agreement in agreements)


def _live(rows: Iterable[Row]) -> Amount:
    found = [(row.live_records, row.live_bytes) for row in rows]
    return Amount(records=sum(records for records, _ in found), bytes=sum(size for _, size in found))


def _http(rows: Iterable[Row]) -> Amount:
    found = [(row.http_records, row.http_bytes) for row in rows]
    return Amount(records=sum(records for records, _ in found), bytes=sum(size for _, size in found))


def _sums(charges: Iterable[Charge], *states: str) -> list[Money]:
    sums: dict[str, Decimal] = {}
    for charge in charges:
        if charge.state in states:
            sums[charge.currency] = sums.get(charge.currency, Decimal(0)) + charge.amount
    return [Money(currency=currency, amount=str(amount)) for currency, amount in sorted(sums.items())]


def _flat(row: BaseModel) -> dict[str, object]:
    cells: dict[str, object] = {}
    for name, value in row.model_dump().items():
        if isinstance(value, list):
            cells[name] = _no_formula(" ".join(f"{money['amount']} {money['currency']}" for money in value))
        elif isinstance(value, dict) and value.keys() == {"records", "bytes"}:
            cells |= {f"{name}_records": value["records"], f"{name}_bytes": value["bytes"]}
        elif isinstance(value, dict):
            cells[name] = _no_formula(" ".join(f"{key}={count}" for key, count in sorted(value.items())))
        else:
            cells[name] = _no_formula(value) if isinstance(value, str) else value
    return cells


def _no_formula(text: str) -> str:
    """What somebody wrote, so that it is none in the spreadsheet of whoever opens it there."""
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text
