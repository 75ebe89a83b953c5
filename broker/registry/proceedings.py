"""Requests for data and disputes: opened, supported, answered and ruled on, each on the public record.

The record has who, about what and with which outcome; what they wrote stands here, so that it can be erased.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, Row, Select, select, update

from broker.errors import Conflict, NotFound
from broker.model import AgreementId, OfferId, OrganisationId
from broker.proceedings import Answer, DataRequest, Dispute, Ruling
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.reading import WHOLE, Page, living
from broker.registry.record import record
from broker.registry.writing import add, change, end


class Proceedings:
    """Blocking calls; safe to use from several threads. All raise Unavailable. `now` is ns since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- requests

    def requests(self, page: Page = WHOLE, of: str | None = None) -> list[DataRequest]:
        """By id; all, or those for one owner's data."""
        query = living(t.requests) if of is None else living(t.requests).where(t.requests.c.of == of)
        with self._database.reading() as c:
            return _requests(c, page.cut(query, t.requests.c.id))

    def request(self, request: str) -> DataRequest:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = _requests(c, living(t.requests).where(t.requests.c.id == request))
        if not found:
            raise NotFound(f"there is no request {request}")
        return found[0]

    def open_request(self, wanted: DataRequest) -> None:
        """Raises NotFound if there is no such datastream, and Conflict if it is offered."""
        about = {"datastream": wanted.datastream} if wanted.datastream else {"offer": wanted.offer}
        with self._database.changing() as c:
            if wanted.datastream is not None:
                _is_closed(c, wanted.of, wanted.datastream)
            add(
                c,
                t.requests,
                id=wanted.id,
                by=wanted.by,
                of=wanted.of,
                wish=wanted.wish,
                created=wanted.created,
                **about,
            )
            record(
                c, wanted.created, "request_opened", request=wanted.id, organisation=wanted.by, of=wanted.of, **about
            )

    def support(self, request: str, organisation: str, now: int, *, takes_back: bool = False) -> None:
        """Count an organisation among its supporters, or no longer; doing so twice changes nothing."""
        which = (t.supports.c.request == request) & (t.supports.c.organisation == organisation)
        with self._database.changing() as c:
            known = c.execute(select(t.supports).where(which)).first()
            if takes_back:
                c.execute(t.supports.delete().where(which))
            elif known is None:
                add(c, t.supports, request=request, organisation=organisation, created=now)

    def answer(self, request: DataRequest, answer: Answer) -> None:
        """The owner's answer; a later one takes its place, and the record has both."""
        written = {
            "outcome": answer.outcome,
            "answer": answer.text,
            "answered": answer.time,
            "answer_offer": answer.offer,
        }
        with self._database.changing() as c:
            change(c, t.requests, [t.requests.c.id == request.id], written)
            by = {"offer": answer.offer} if answer.offer else {}
            record(c, answer.time, "request_answered", request=request.id, of=request.of, outcome=answer.outcome, **by)

    def remove_request(self, request: str, by: str, reason: str, now: int) -> None:
        """Erase what was written in it. Raises NotFound."""
        with self._database.changing() as c:
            end(c, t.requests, [t.requests.c.id == request], now, wish="", answer=None)
            record(c, now, "request_removed", request=request, by=by, reason=reason)

    # --- disputes

    def disputes(self, page: Page = WHOLE) -> list[Dispute]:
        """By id."""
        with self._database.reading() as c:
            return [_dispute(row) for row in c.execute(page.cut(living(t.disputes), t.disputes.c.id))]

    def dispute(self, dispute: str) -> Dispute:
        """Raises NotFound."""
        with self._database.reading() as c:
            row = c.execute(living(t.disputes).where(t.disputes.c.id == dispute)).first()
        if row is None:
            raise NotFound(f"there is no dispute {dispute}")
        return _dispute(row)

    def open_dispute(self, dispute: Dispute) -> None:
        named = {"agreement": dispute.agreement, "offer": dispute.offer, "request": dispute.request}
        about = {name: value for name, value in named.items() if value is not None}
        sides = {"by": dispute.by, "against": dispute.against, "over": dispute.over}
        with self._database.changing() as c:
            add(c, t.disputes, id=dispute.id, statement=dispute.statement, created=dispute.created, **sides, **about)
            record(c, dispute.created, "dispute_opened", dispute=dispute.id, **sides, **about)

    def rule(self, dispute: Dispute, ruling: Ruling) -> None:
        """The operator's decision. Raises Conflict if there was one already."""
        open_still = (t.disputes.c.id == dispute.id) & t.disputes.c.upheld.is_(None)
        with self._database.changing() as c:
            written = {"upheld": ruling.upheld, "reasons": ruling.reasons, "ruled": ruling.time}
            if not c.execute(update(t.disputes).where(open_still).values(**written)).rowcount:
                raise Conflict(f"dispute {dispute.id} was ruled on already")
            record(c, ruling.time, "dispute_ruled", dispute=dispute.id, upheld=ruling.upheld)

    def remove_dispute(self, dispute: str, by: str, reason: str, now: int) -> None:
        """Erase what was written in it. Raises NotFound."""
        with self._database.changing() as c:
            end(c, t.disputes, [t.disputes.c.id == dispute], now, statement="", reasons=None)
            record(c, now, "dispute_removed", dispute=dispute, by=by, reason=reason)


def _is_closed(connection: Connection, organisation: str, datastream: str) -> None:
    d = t.datastreams.c
    if (
        connection.execute(living(t.datastreams).where(d.organisation == organisation, d.id == datastream)).first()
        is None
    ):
        raise NotFound(f"there is no datastream {datastream} of {organisation}")
    offers = reading.offered(connection).get((organisation, datastream))
    if offers:
        raise Conflict(
            f"the datastream {datastream} is offered: accept {', '.join(offers[:5])}, or ask about that offer"
        )


def _requests(connection: Connection, query: Select[tuple[object, ...]]) -> list[DataRequest]:
    rows = connection.execute(query).all()
    supporters = _supporters(connection, [row.id for row in rows])
    return [
        DataRequest(
            row.id,
            OrganisationId(row.by),
            OrganisationId(row.of),
            row.wish,
            row.created,
            datastream=row.datastream,
            offer=OfferId(row.offer) if row.offer else None,
            supporters=tuple(supporters[row.id]),
            answer=_answer(row),
        )
        for row in rows
    ]


def _supporters(connection: Connection, requests: Iterable[str]) -> dict[str, list[OrganisationId]]:
    query = select(t.supports).where(t.supports.c.request.in_(requests)).order_by(t.supports.c.created)
    found: dict[str, list[OrganisationId]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.request].append(OrganisationId(row.organisation))
    return found


def _answer(row: Row[tuple[object, ...]]) -> Answer | None:
    if row.outcome is None:
        return None
    return Answer(row.outcome, row.answer, row.answered, OfferId(row.answer_offer) if row.answer_offer else None)


def _dispute(row: Row[tuple[object, ...]]) -> Dispute:
    return Dispute(
        row.id,
        OrganisationId(row.by),
        OrganisationId(row.against),
        row.over,
        row.statement,
        row.created,
        agreement=AgreementId(row.agreement) if row.agreement else None,
        offer=OfferId(row.offer) if row.offer else None,
        request=row.request,
        ruling=Ruling(row.upheld, row.reasons, row.ruled) if row.upheld is not None else None,
    )
