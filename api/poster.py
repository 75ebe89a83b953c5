"""Telling applications by webhook: what is due is sent, signed, to a public address, and tried again for half a day.

Where it may go is `outward.py`'s; of the answer the status alone is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
import structlog

from api.outward import PATIENCE_S, NotPublic, Resolve, answered, client, resolve
from api.services import Services
from broker import webhook
from broker.errors import NotFound, Unavailable
from broker.metrics import WEBHOOKS
from broker.registry.webhooks import Delivery, Due, Outcome

log = structlog.get_logger()

LOOK_S = 0.5  # how often it is looked whether something is due
AT_ONCE = 32  # applications that are told at the same time; each is told its notices one by one
MANY = 1_000  # notices that are looked at together
GONE = 410


async def run(services: Services) -> None:
    """Send what is due until cancelled."""
    told: dict[str, asyncio.Task[None]] = {}
    async with client() as http, asyncio.TaskGroup() as tasks:
        while True:
            told = {application: task for application, task in told.items() if not task.done()}
            for application, of in (await _due(services)).items():
                if application not in told and len(told) < AT_ONCE:
                    told[application] = tasks.create_task(_tell(services, http, of), name=f"webhook {application}")
            await asyncio.sleep(LOOK_S)


async def post(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes, resolve: Resolve, *, loopback: bool
) -> int:
    """The status of the answer. Raises NotPublic, TimeoutError, OSError and httpx.TransportError."""
    async with (
        asyncio.timeout(PATIENCE_S),
        answered(http, "POST", httpx.URL(url), headers, body, resolve, loopback=loopback) as answer,
    ):
        return answer.status_code


async def _due(services: Services) -> dict[str, list[Due]]:
    """By application, who waits longest first."""
    by_application: dict[str, list[Due]] = {}
    try:
        found = await asyncio.to_thread(services.registry.webhooks.due, services.clock(), MANY)
    except Unavailable:
        return {}
    for due in found:
        by_application.setdefault(due.webhook.application, []).append(due)
    return by_application


async def _tell(services: Services, http: httpx.AsyncClient, notices: Iterable[Due]) -> None:
    """One after another; the first that fails makes room for other applications."""
    for due in notices:
        done = await _attempt(services, http, due)
        WEBHOOKS.labels(done.outcome).inc()
        try:
            await asyncio.to_thread(services.registry.webhooks.note, due.webhook.application, done)
            if done.detail == str(GONE):
                await asyncio.to_thread(services.registry.webhooks.end, due.webhook.application)
        except (Unavailable, NotFound) as error:
            log.warning("webhook_not_noted", application=due.webhook.application, reason=str(error))
        if done.outcome != "delivered":
            return


async def _attempt(services: Services, http: httpx.AsyncClient, due: Due) -> Delivery:
    now, name, rules = services.clock(), due.notice.id, services.rules
    of = webhook.secret(services.webhook_key, due.webhook.application, due.webhook.nonce)
    body = webhook.body(due.notice)
    headers = webhook.headers(of, name, now, body)
    try:
        status = await post(http, due.webhook.url, headers, body, resolve, loopback=rules.webhook_loopback)
        detail, ok = str(status), httpx.codes.is_success(status)
    except NotPublic:
        detail, ok = "address_not_public", False
    except TimeoutError:
        detail, ok = "timeout", False
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # ValueError: of a name that can be none
        detail, ok = f"not_reached: {type(error).__name__}", False
    attempts = due.attempts + 1
    wait = None if ok or detail == str(GONE) else webhook.pause(attempts, rules.webhook_retry_ns)
    outcome: Outcome = "delivered" if ok else "failed" if wait is None else "waiting"
    again = None if wait is None else services.clock() + wait
    return Delivery(name, due.notice.event, attempts, outcome, detail, now, again)
