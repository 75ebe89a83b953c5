"""NATS servers, and how they are reached: one connection that finds another server by itself whenever its own is gone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nats
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from broker.errors import Malformed, Unavailable
from broker.settings.settings import Settings

log = structlog.get_logger()

CONNECT_S = 10.0  # three servers, of which two are silent:
ATTEMPT_S = 3  # for one of them
AGAIN_S = 1  # after all were tried
PING_S = 5  # a server that says nothing to two of them is taken for dead


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are, and who asks."""

    urls: tuple[str, ...]
    username: str | None = None
    password: str | None = None
    ca: Path | None = None
    """Who must have signed their certificates; left out: whom the machine trusts."""
    certificate: Path | None = None
    """What is shown to them, and"""
    key: Path | None = None
    """its key."""

    def tls(self) -> ssl.SSLContext | None:
        """None where nothing speaks of TLS. Raises Malformed."""
        if not any(url.startswith("tls:") for url in self.urls) and self.ca is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise Malformed(f"the journal's certificates: {error}") from error
        return context


def named(settings: Settings) -> Servers:
    """Those that the settings name."""
    return Servers(
        urls(settings.journal),
        username=settings.journal_username,
        password=settings.journal_password,
        ca=settings.journal_ca,
        certificate=settings.journal_certificate,
        key=settings.journal_key,
    )


def urls(journal: str) -> tuple[str, ...]:
    """Of a setting such as nats://HOST:PORT,HOST:PORT."""
    scheme, _, hosts = journal.partition("://")
    return tuple(f"{scheme}://{host}" for host in hosts.split(","))


@asynccontextmanager
async def reach(servers: Servers) -> AsyncIterator[Client]:
    """A connection. Raises Unavailable when no server answers."""
    client = Client()
    try:
        async with asyncio.timeout(CONNECT_S):
            await client.connect(
                list(servers.urls),
                user=servers.username,
                password=servers.password,
                connect_timeout=ATTEMPT_S,
                reconnect_time_wait=AGAIN_S,
                max_reconnect_attempts=-1,
                ping_interval=PING_S,
                max_outstanding_pings=2,
                error_cb=_note,
                tls=servers.tls(),
            )
    except (NatsError, nats.errors.NoServersError, OSError, TimeoutError) as error:
        await client.close()
        raise Unavailable(f"no NATS server answers at {', '.join(servers.urls)}: {error or 'in time'}") from error
    try:
        yield client
    finally:
        with suppress(NatsError, OSError):
            await client.close()


async def _note(error: Exception) -> None:
    log.warning("nats_trouble", reason=f"{type(error).__name__}: {error}")
