"""Webhooks: where an application is told what becomes of its agreements, signed as Standard Webhooks specifies."""

from __future__ import annotations

import secrets
import time

from fastapi import APIRouter

from api import consumers, forms
from api.routes.applications import own
from api.services import Known, With
from broker import times, webhook
from broker.registry.webhooks import Delivery, Webhook

router = APIRouter(prefix="/api/v1/applications/{application}/webhook", tags=["applications"])

LAST = 20


@router.put("")
def register_webhook(
    application: forms.AnApplication, body: consumers.NewWebhook, caller: Known, with_: With
) -> consumers.WebhookMade:
    """Be told there. Its secret is shown this once; doing it again makes another."""
    found = own(application, caller, with_)
    webhook.check(body.url, loopback=with_.rules.webhook_loopback)
    nonce = secrets.token_hex(16)
    with_.registry.webhooks.put(Webhook(found.id, body.url, nonce, time.time_ns()))
    secret = webhook.spelled(webhook.secret(with_.webhook_key, found.id, nonce))
    return consumers.WebhookMade(url=body.url, secret=secret)


@router.get("")
def show_webhook(application: forms.AnApplication, caller: Known, with_: With) -> consumers.WebhookShown:
    """Where it is told, and how that went last."""
    found = with_.registry.webhooks.of(own(application, caller, with_).id)
    counts, attempts = with_.registry.webhooks.counts(found.application)
    return consumers.WebhookShown(
        url=found.url,
        created=times.text(found.created),
        delivered=counts.get("delivered", 0),
        waiting=counts.get("waiting", 0),
        failed=counts.get("failed", 0),
        attempts=attempts,
        last=[_shown(one) for one in with_.registry.webhooks.last(found.application, LAST)],
    )


@router.delete("", status_code=204)
def remove_webhook(application: forms.AnApplication, caller: Known, with_: With) -> None:
    """No longer be told there."""
    with_.registry.webhooks.end(own(application, caller, with_).id)


def _shown(one: Delivery) -> consumers.DeliveryShown:
    return consumers.DeliveryShown(
        notice=one.notice,
        event=one.event,
        attempts=one.attempts,
        outcome=one.outcome,
        detail=one.detail,
        time=times.text(one.time),
        again=times.text(one.due) if one.due is not None else None,
    )
