"""Agreements from their request to their end, and what applications are told of them, on the record."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, select, update

from broker import times
from broker.errors import Conflict
from broker.model import Agreement, AgreementId, ApplicationId, Caller, NoticeEvent, Offer, OfferId
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.reader import RegistryReader
from broker.registry.record import record
from broker.registry.writing import add, end

NOTICE_STANDS = 30 * times.DAY


class AgreementBook(RegistryReader):
    """`now` is always ns since 1970."""

    def add_agreement(self, agreement: Agreement) -> Agreement:
        """Make it (or the request for it), or return the one that these two have already for this purpose. Raises Conflict while one of
        them is suspended.
        """
        with self._database.changing() as c:
            same = (
                t.agreements.c.application == agreement.application,
                t.agreements.c.offer == agreement.offer,
                t.agreements.c.state.in_(["active", "requested", "suspended"]),
            )
            for known in reading.agreements(c, *same):
                if known.state == "suspended":
                    raise Conflict(f"agreement {known.id} on this offer is suspended: {known.reason}")
                if known.purpose == agreement.purpose:
                    return known
            facts = asdict(agreement)
            del facts["holder"], facts["suspended"], facts["terms"]
            add(c, t.agreements, **facts)
            record(
                c,
                agreement.created,
                "agreement_requested" if agreement.state == "requested" else "agreement_accepted",
                agreement=agreement.id,
                offer=agreement.offer,
                application=agreement.application,
                purpose=agreement.purpose,
            )
        return agreement

    def refuse_agreement(self, offer: OfferId, application: ApplicationId, purpose: str, reason: str, now: int) -> None:
        """Put a refusal on the record."""
        with self._database.changing() as c:
            record(c, now, "agreement_refused", offer=offer, application=application, purpose=purpose, reason=reason)

    def decide_request(self, agreement: Agreement, criterion: str | None, reason: str | None, now: int) -> None:
        """Grant a request, or refuse it by a criterion of the terms. Raises Conflict if it was decided before."""
        event = "agreement_accepted" if criterion is None else "agreement_refused"
        facts = {} if criterion is None else {"criterion": criterion, "reason": reason}
        with self._database.changing() as c:
            decided = c.execute(
                update(t.agreements)
                .where(t.agreements.c.id == agreement.id, t.agreements.c.state == "requested")
                .values(state="active" if criterion is None else "refused", reason=criterion)
            )
            if not decided.rowcount:
                raise Conflict(f"agreement {agreement.id} is {agreement.state}: there is nothing to decide")
            record(
                c,
                now,
                event,
                agreement=agreement.id,
                offer=agreement.offer,
                application=agreement.application,
                purpose=agreement.purpose,
                **facts,
            )
            give_notice(c, agreement, "accepted" if criterion is None else "refused", now, reason=criterion)

    def renew_agreement(self, agreement: Agreement, offer: Offer, now: int) -> Agreement:
        """Put an active agreement on its offer's present version. Raises Conflict if it is no longer active."""
        with self._database.changing() as c:
            renewed = c.execute(
                update(t.agreements)
                .where(t.agreements.c.id == agreement.id, t.agreements.c.state == "active")
                .values(version=offer.version)
            )
            if not renewed.rowcount:
                raise Conflict(f"agreement {agreement.id} is no longer active: accept the offer anew")
            c.execute(
                update(t.notices)
                .where(t.notices.c.agreement == agreement.id, t.notices.c.event.in_(["expiring", "terms_changed"]))
                .values(ended=now)
            )
            record(c, now, "agreement_renewed", agreement=agreement.id, offer=offer.id, version=offer.version)
        return dataclasses.replace(agreement, terms=offer.terms, version=offer.version)

    def suspend_agreement(self, agreement: Agreement, by: Caller, reason: str | None, now: int) -> None:
        """Suspend an active one for a reason, or let it go on (None). Raises Conflict if it is neither."""
        before, after = ("active", "suspended") if reason is not None else ("suspended", "active")
        event: NoticeEvent = "suspended" if reason is not None else "resumed"
        with self._database.changing() as c:
            suspended = c.execute(
                update(t.agreements)
                .where(t.agreements.c.id == agreement.id, t.agreements.c.state == before)
                .values(state=after, reason=reason)
            )
            if not suspended.rowcount:
                raise Conflict(f"agreement {agreement.id} is {agreement.state}, not {before}")
            said = {"reason": reason} if reason is not None else {}
            record(c, now, f"agreement_{event}", agreement=agreement.id, by=by.role, whose=by.id, **said)
            over = t.notices.c.event.in_(["suspended", "resumed"])
            c.execute(update(t.notices).where(t.notices.c.agreement == agreement.id, over).values(ended=now))
            give_notice(c, agreement, event, now, name=f"{agreement.id}-{event}-{now}", reason=reason)

    def notify(self, agreement: Agreement, event: NoticeEvent, now: int) -> bool:
        """Tell an application, once for each version of its terms; whether it was not told before."""
        name = f"{agreement.id}-{event}-{agreement.version}"
        with self._database.reading() as c:
            if c.execute(select(t.notices.c.id).where(t.notices.c.id == name)).first():
                return False
        with self._database.changing() as c:
            if event == "expired":
                record(c, now, "agreement_expired", agreement=agreement.id, version=agreement.version)
            give_notice(c, agreement, event, now, name=name)
        return True

    def end_notice(self, notice: str, now: int) -> None:
        """Take one down. Raises NotFound."""
        with self._database.changing() as c:
            end(c, t.notices, [t.notices.c.id == notice], now)

    def revoke_agreement(self, agreement: AgreementId, by: Caller, reason: str, now: int) -> bool:
        """End an agreement; whether it had not ended yet."""
        with self._database.changing() as c:
            return end_agreements(c, t.agreements.c.id == agreement, by, reason, now) > 0


def end_agreements(connection: Connection, which: ColumnElement[bool], by: Caller, reason: str, now: int) -> int:
    """End those that have not ended, each on the record; how many there were."""
    active = which & t.agreements.c.state.in_(["active", "requested", "suspended"])
    ending = reading.agreements(connection, active)
    connection.execute(update(t.agreements).where(active).values(state="revoked", ended=now, reason=reason))
    for agreement in ending:
        record(connection, now, "agreement_revoked", agreement=agreement.id, by=by.role, whose=by.id, reason=reason)
        if by != Caller("application", agreement.application):
            give_notice(connection, agreement, "revoked", now, reason=reason)
    return len(ending)


def give_notice(
    connection: Connection,
    agreement: Agreement,
    event: NoticeEvent,
    now: int,
    *,
    name: str | None = None,
    reason: str | None = None,
) -> None:
    """Tell the application of an agreement, until the notice is taken down or has stood long enough."""
    add(
        connection,
        t.notices,
        id=name or f"{agreement.id}-{event}",
        application=agreement.application,
        agreement=agreement.id,
        offer=agreement.offer,
        event=event,
        time=now,
        until=now + NOTICE_STANDS,
        reason=reason,
    )
