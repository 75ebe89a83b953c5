"""Where applications want to be told by webhook, and how that went. What is noted of attempts decides nothing, so the revision stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import func, select, update

from broker.errors import NotFound
from broker.model import ApplicationId, Notice
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.writing import add

Outcome: TypeAlias = Literal["delivered", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class Webhook:
    application: ApplicationId
    url: str
    nonce: str
    """What its secret is derived from."""
    created: int


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that is to be sent now."""

    webhook: Webhook
    notice: Notice
    attempts: int
    """So far."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went with a notice. Times in ns since 1970."""

    notice: str
    event: str
    attempts: int
    outcome: Outcome
    detail: str
    """Of the last attempt: the answer's status, or why there was none."""
    time: int
    due: int | None
    """When it is tried again."""


class Webhooks:
    """Blocking calls; safe to use from several threads. All raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, application: str) -> Webhook:
        """Raises NotFound."""
        with self._database.reading() as c:
            row = c.execute(select(t.webhooks).where(t.webhooks.c.application == application)).first()
        if row is None:
            raise NotFound(f"the application {application} has no webhook")
        return Webhook(ApplicationId(row.application), row.url, row.nonce, row.created)

    def put(self, webhook: Webhook) -> None:
        """Register it, or change where it goes and its secret; what waits to be sent goes there."""
        with self._database.noting() as c:
            changed = update(t.webhooks).where(t.webhooks.c.application == webhook.application)
            if not c.execute(changed.values(url=webhook.url, nonce=webhook.nonce)).rowcount:
                add(
                    c,
                    t.webhooks,
                    application=webhook.application,
                    url=webhook.url,
                    nonce=webhook.nonce,
                    created=webhook.created,
                )

    def end(self, application: str) -> None:
        """Raises NotFound."""
        with self._database.noting() as c:
            if not c.execute(t.webhooks.delete().where(t.webhooks.c.application == application)).rowcount:
                raise NotFound(f"the application {application} has no webhook")

    def due(self, now: int, limit: int) -> list[Due]:
        """Notices that stand, came since the webhook is there, and were not sent or are to be tried again; the oldest first."""
        waiting = t.deliveries.c.notice.is_(None) | (t.deliveries.c.due <= now)
        query = (
            select(t.notices, t.webhooks.c.url, t.webhooks.c.nonce, t.webhooks.c.created, t.deliveries.c.attempts)
            .join(t.webhooks, t.webhooks.c.application == t.notices.c.application)
            .join(t.applications, t.applications.c.id == t.notices.c.application)
            .outerjoin(t.deliveries, t.deliveries.c.notice == t.notices.c.id)
            .where(t.notices.c.ended.is_(None), t.applications.c.ended.is_(None), waiting)
            .where(t.notices.c.time >= t.webhooks.c.created)
            .order_by(t.notices.c.time)
            .limit(limit)
        )
        with self._database.reading() as c:
            return [
                Due(
                    Webhook(ApplicationId(row.application), row.url, row.nonce, row.created),
                    reading.notice(row),
                    row.attempts or 0,
                )
                for row in c.execute(query)
            ]

    def note(self, application: str, done: Delivery) -> None:
        """How an attempt went."""
        said = {
            "attempts": done.attempts,
            "outcome": done.outcome,
            "detail": done.detail,
            "time": done.time,
            "due": done.due,
        }
        with self._database.noting() as c:
            changed = update(t.deliveries).where(t.deliveries.c.notice == done.notice)
            if not c.execute(changed.values(**said)).rowcount:
                add(c, t.deliveries, notice=done.notice, application=application, event=done.event, **said)

    def last(self, application: str, limit: int) -> list[Delivery]:
        """How it went last, the newest first."""
        own = select(t.deliveries).where(t.deliveries.c.application == application)
        with self._database.reading() as c:
            return [
                Delivery(row.notice, row.event, row.attempts, row.outcome, row.detail, row.time, row.due)
                for row in c.execute(own.order_by(t.deliveries.c.time.desc()).limit(limit))
            ]

    def counts(self, application: str) -> tuple[dict[Outcome, int], int]:
        """Notices by outcome, and attempts in all."""
        by_outcome = (
            select(t.deliveries.c.outcome, func.count(), func.sum(t.deliveries.c.attempts))
            .where(t.deliveries.c.application == application)
            .group_by(t.deliveries.c.outcome)
        )
        with self._database.reading() as c:
            rows = c.execute(by_outcome).all()
        return {outcome: count for outcome, count, _ in rows}, sum(int(attempts) for _, _, attempts in rows)
