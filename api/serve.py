"""The HTTP process, put together."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import Lifespan

from api import errors, harvester, oidc, poster, things
from api.description import described
from api.hub import Hub
from api.limits import LimitAddresses, LimitBodies, Limits
from api.provider import SignIns
from api.ranges import Files
from api.routes import (
    agreements,
    applications,
    audits,
    consents,
    costs,
    datastreams,
    decode,
    directory,
    disputes,
    elsewhere,
    epcis,
    gateways,
    gbfs,
    history,
    keys,
    ledger,
    live,
    logins,
    notices,
    offers,
    organisations,
    portal,
    previews,
    public,
    requests,
    sensorthings,
    sessions,
    signins,
    signups,
    transparency,
    use,
    webhooks,
)
from api.sensorthings.numbered import Numbers
from api.sensorthings.seeded import Seeded
from api.services import Services
from api.sessions import Sessions
from broker import alive, listening, secrets
from broker.home import Home
from broker.listening import Bounds
from broker.mqtt.connection import Account
from broker.opening import registry, released, transport
from broker.settings.settings import Settings
from broker.store.pictures import Pictures
from broker.transport.protocol import ACCESS, Transport

ROOMS = (
    organisations,
    signups,
    sessions,
    signins,
    keys,
    logins,
    gateways,
    decode,
    datastreams,
    directory,
    elsewhere,
    offers,
    previews,
    audits,
    applications,
    webhooks,
    agreements,
    consents,
    notices,
    use,
    costs,
    transparency,
    requests,
    disputes,
    history,
    live,
    ledger,
    sensorthings,
    epcis,
    gbfs,
    public,
    portal,
)
STOP_S = 3  # how long open streams may take to end when the process is told to stop

log = structlog.get_logger()


def run_api(settings: Settings) -> None:
    """Serve until SIGTERM."""
    host, port = settings.http_address
    uvicorn.run(
        app(settings),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        http=listening.protocol(
            Bounds(settings.http_connections, settings.http_head_kb << 10, settings.http_within_s),
        ),
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
    )


def app(settings: Settings) -> FastAPI:
    """The application over what the settings name."""
    home = Home(settings.home)
    logins = secrets.load(home.logins)
    calls = transport(settings, home)
    services = _services(settings, home, calls)
    hub = Hub()
    views = sensorthings.Views(Numbers(home.observations), Seeded() if settings.sensorthings_write else None)

    others = harvester.Elsewhere(settings.catalogues, settings.catalogues_every_ns, settings.catalogues_loopback)
    told = things.Things(services, hub, views.ids, settings.web_address + "/v1.1")

    def own(name: str) -> list[Account]:
        with_ = logins[name]
        return [Account(*at, with_.client_id, with_.username, with_.password) for at in settings.mqtt_addresses]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(hub.run(own("mitoyen.read")), name="hub"),
            asyncio.create_task(things.run(told, own("mitoyen.things")), name="things"),
            asyncio.create_task(live.watch(services), name="watch"),
            asyncio.create_task(services.tell_noted(), name="meter"),
            asyncio.create_task(services.keep_uses(), name="uses"),
            asyncio.create_task(poster.run(services), name="webhooks"),
            asyncio.create_task(harvester.run(others, services), name="harvester"),
            asyncio.create_task(signups.expire(services), name="signups"),
            asyncio.create_task(alive.beat(), name="alive"),
        ]
        for task in tasks:
            task.add_done_callback(_watched)
        gc.collect()
        gc.freeze()  # what is there by now stays: to look through it for garbage halts a thousand streams for 0.2 s each time
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # a fault was told when it happened
        services.registry.close()
        services.released.close()
        services.pictures.close()
        views.ids.close()
        calls.close()

    made = application(lifespan)
    made.add_middleware(LimitBodies, most=settings.http_body_mb << 20, within_s=settings.http_within_s)
    made.add_middleware(LimitAddresses, limits=services.limits)
    made.state.services = services
    made.state.hub = hub
    made.state.files = Files()
    made.state.transparency = None, 0, 0
    made.state.atlas = None, b""
    made.state.sessions = Sessions()
    made.state.sign_ins = _sign_ins(settings)
    made.state.portal = portal.Shown(
        settings.ground, settings.tiles, settings.tile_server, settings.tiles_attribution, settings.oidc_provider
    )
    made.state.sensorthings = views
    made.state.elsewhere = others
    if settings.sensorthings_write:
        made.include_router(sensorthings.writing)
    return made


def _sign_ins(settings: Settings) -> SignIns | None:
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    redirect = f"{settings.web_address}/session/provider/answer"
    who = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret
    return SignIns(oidc.Client(*who, redirect, settings.oidc_organisation_claim, settings.oidc_scopes))


def _services(settings: Settings, home: Home, calls: Transport) -> Services:
    return Services(
        registry=registry(settings, home),
        released=released(settings, home),
        pictures=Pictures(home.pictures, readonly=True),
        control=calls.to(ACCESS),
        keepers=tuple(partial(calls.said, number) for number in range(settings.partitions)),
        listeners=settings.told_listeners,
        silent_after=settings.silent_after_ns,
        limits=Limits(
            settings.requests_per_key, settings.requests_per_address, settings.wrong_keys, settings.signup_per_hour
        ),
        rules=settings.house_rules,
        webhook_key=secrets.webhook_key(home.webhooks),
        restarts=home.restarts,
    )


def _watched(task: asyncio.Task[None]) -> None:
    """One that ends by a fault ends the process, which is started again: without it nobody would be told what it tells."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_ended", task=task.get_name(), reason=type(error).__name__, at=errors.place_of(error))
        signal.raise_signal(signal.SIGTERM)


def application(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """All calls, described; what they work with is put in its `state` by whoever serves it."""
    made = FastAPI(
        title="Mitoyen",
        docs_url=None,  # the portal's own page needs nobody else's script
        redoc_url=None,
        version=version("mitoyen"),
        summary="A city's sensors, opened: live and history, under licences that hold",
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    errors.install(made)
    for room in ROOMS:
        made.include_router(room.router)
    as_declared = made.openapi
    made.openapi = lambda: made.openapi_schema or described(as_declared())  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return made
