"""What agreements cost and what applications learned, as the parties say it: kept here, and put on the public record.

An owner states a charge, the other side confirms that it paid or declines; nobody's word stands for the other's. Of a finding the
record has only that there is one: title and link can be removed without a trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from broker.errors import Conflict, NotFound
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Caller,
    Charge,
    ChargeState,
    Finding,
    Offer,
    Organisation,
    OrganisationId,
)
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.reading import WHOLE, Page, living
from broker.registry.record import record

MOST_FINDINGS = 100
"""Of one application that stand at once: a list that a person reads."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the public account of sharing is made of, at one moment."""

    organisations: list[Organisation]
    applications: list[Application]
    offers: list[Offer]
    """Also those that were withdrawn."""
    agreements: list[Agreement]
    """Likewise."""
    refusals: Mapping[str, int]
    """Of agreements, by offer."""
    charges: list[Charge]
    findings: list[Finding]


class Accounts:
    """Blocking calls, as the registry's. All raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state_charge(self, charge: Charge, offer: str) -> None:
        """Raises Conflict."""
        with self._database.changing() as c, _unique(f"charge {charge.id}"):
            c.execute(insert(t.charges).values({**asdict(charge), "amount": str(charge.amount)}))
            facts = {"amount": str(charge.amount), "currency": charge.currency}
            record(
                c, charge.created, "charge_stated", charge=charge.id, agreement=charge.agreement, offer=offer, **facts
            )

    def change_charge(self, charge: Charge, to: ChargeState, by: Caller, now: int, reason: str | None = None) -> None:
        """Confirm, decline or withdraw it. Raises Conflict if it was decided otherwise before."""
        before: list[ChargeState] = ["stated", "confirmed"] if to == "withdrawn" else ["stated"]
        with self._database.changing() as c:
            which = (t.charges.c.id == charge.id) & t.charges.c.state.in_(before)
            if not c.execute(update(t.charges).where(which).values(state=to, reason=reason)).rowcount:
                raise Conflict(f"charge {charge.id} can't be {to} any more")
            said = {"by": by.role, "whose": by.id, **({"reason": reason} if reason else {})}
            record(c, now, f"charge_{to}", charge=charge.id, agreement=charge.agreement, **said)

    def charge(self, charge: str) -> Charge:
        """Raises NotFound."""
        found = self._charges(t.charges.c.id == charge)
        if not found:
            raise NotFound(f"there is no charge {charge}")
        return found[0]

    def charges(self, agreement: str) -> list[Charge]:
        """The oldest first."""
        return self._charges(t.charges.c.agreement == agreement)

    def note_preview(self, organisation: str, datastream: str, now: int) -> None:
        """Put on the record that an owner looked at what an offer of its personal data would show."""
        with self._database.changing() as c:
            record(c, now, "personal_data_previewed", organisation=organisation, datastream=datastream)

    def publish_finding(self, finding: Finding) -> None:
        """Raises Conflict, also when the application has too many already."""
        own = living(t.findings).where(t.findings.c.application == finding.application)
        with self._database.changing() as c, _unique(f"finding {finding.id}"):
            if len(c.execute(own).all()) >= MOST_FINDINGS:
                raise Conflict(f"an application publishes {MOST_FINDINGS} findings at most: remove one first")
            row = asdict(finding)
            del row["holder"]
            c.execute(insert(t.findings).values(row))
            record(c, finding.created, "finding_published", finding=finding.id, application=finding.application)

    def remove_finding(self, finding: Finding, by: Caller, now: int) -> None:
        """Raises NotFound."""
        with self._database.changing() as c:
            which = (t.findings.c.id == finding.id, t.findings.c.ended.is_(None))
            if not c.execute(update(t.findings).where(*which).values(ended=now, title="", link="")).rowcount:
                raise NotFound(f"there is no finding {finding.id}")
            record(
                c, now, "finding_removed", finding=finding.id, application=finding.application, by=by.role, whose=by.id
            )

    def finding(self, finding: str) -> Finding:
        """Raises NotFound."""
        found = self.findings(WHOLE, t.findings.c.id == finding)
        if not found:
            raise NotFound(f"there is no finding {finding}")
        return found[0]

    def findings(self, page: Page = WHOLE, *which: ColumnElement[bool]) -> list[Finding]:
        """Those that stand, by id."""
        query = (
            select(t.findings, t.applications.c.organisation.label("holder"))
            .join(t.applications, t.applications.c.id == t.findings.c.application)
            .where(t.findings.c.ended.is_(None), *which)
        )
        with self._database.reading() as c:
            rows = c.execute(page.cut(query, t.findings.c.id)).all()
        return [
            Finding(r.id, ApplicationId(r.application), OrganisationId(r.holder), r.title, r.link, r.created)
            for r in rows
        ]

    def overview(self) -> Overview:
        """All of it. Applications that were removed are in it, for agreements and findings name them."""
        offer = t.ledger.c.facts["offer"].as_string()
        refused = select(offer, func.count()).where(t.ledger.c.event == "agreement_refused").group_by(offer)
        with self._database.reading() as c:
            organisations = reading.organisations(c, living(t.organisations))
            applications = reading.applications(c, select(t.applications))
            offers, agreements = reading.offers(c), reading.agreements(c)
            refusals: Counter[str] = Counter({row[0]: row[1] for row in c.execute(refused)})
        return Overview(organisations, applications, offers, agreements, refusals, self._charges(), self.findings())

    def _charges(self, *which: ColumnElement[bool]) -> list[Charge]:
        query = select(t.charges).where(*which).order_by(t.charges.c.created, t.charges.c.id)
        with self._database.reading() as c:
            return [_charge(row) for row in c.execute(query)]


def _charge(r: Row[tuple[object, ...]]) -> Charge:
    return Charge(
        r.id, AgreementId(r.agreement), Decimal(r.amount), r.currency, r.created, r.begins, r.ends, r.state, r.reason
    )


@contextmanager
def _unique(what: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"there is already a {what}") from error
