"""An OpenID Connect provider: what it says of itself is fetched and kept a while, and sign-ins that were begun are kept until they end.

The operator named it, so it may stand on a private network; what it names on other machines must be public (`outward.py`). Nothing but
HTTPS, but on this machine. Sign-ins are kept in this process's memory: after a restart one begins anew.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping

import httpx

from api import oidc
from api.oidc import Asked, Claims, Client, Provider
from api.outward import NotPublic, answered, body, client, resolve
from broker.errors import Malformed, Refused, Unavailable
from broker.keys import key_hash

PATIENCE_S = 10.0  # for each of its answers: somebody waits before a blank page
KEPT_S = 3600.0  # its configuration
PAUSE_S = 5.0  # after it did not answer: whoever presses again meanwhile waits for nobody
BEGUN_S = 600.0  # to type a password and a second factor
MOST_BEGUN = 1_000  # whoever began first is forgotten first
MOST_BYTES = 1 << 20
OK = 200


class SignIns:
    """Belongs to one event loop."""

    def __init__(self, known_as: Client) -> None:
        self.client = known_as
        self._begun: OrderedDict[str, Asked] = OrderedDict()
        self._provider: Provider | None = None
        self._until = 0.0
        """When (s) it is asked again."""
        self._asking = asyncio.Lock()

    async def begin(self, to: str) -> tuple[str, str]:
        """Where to send somebody, and the state by which they are known again. Raises Unavailable."""
        provider = await self._configuration()
        state = secrets.token_urlsafe(24)
        asked = Asked(secrets.token_urlsafe(24), secrets.token_urlsafe(48), to, time.time() + BEGUN_S)
        self._begun[key_hash(state)] = asked
        if len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)
        return oidc.question(provider, self.client, asked, state), state

    async def end(self, query: Mapping[str, str], state: str | None) -> tuple[Claims, str]:
        """Who it is, and where they wanted to go; `state` is what this browser began with. Raises Refused, Unavailable."""
        asked = self._begun.pop(key_hash(query.get("state", "")), None)
        if asked is None or state is None or state != query.get("state") or asked.expires < time.time():
            raise Refused("stale", "This sign-in was not begun in this browser, or too long ago.")
        provider = await self._configuration()
        if not oidc.from_it(query, provider):
            raise Refused("token", "Another provider answered.")
        if "error" in query or "code" not in query:
            raise Refused("denied", "The provider did not let you in.")
        headers, form = oidc.exchange(provider, self.client, asked, query["code"])
        answer = await self._asked("POST", provider.token_endpoint, headers, form)
        keys = oidc.keys(await self._asked("GET", provider.jwks_uri))  # each time: it may sign with a new one
        return oidc.claims(answer, keys, self.client, asked, int(time.time())), asked.to

    async def _configuration(self) -> Provider:
        """What it said last. Raises Unavailable, and for a while again without asking."""
        async with self._asking:
            if time.monotonic() >= self._until:
                self._provider, self._until = None, time.monotonic() + PAUSE_S
                issuer = self.client.issuer
                self._provider = oidc.provider(await self._asked("GET", oidc.discovery(issuer)), issuer)
                self._until = time.monotonic() + KEPT_S
            if self._provider is None:
                raise Unavailable("the provider did not answer a moment ago")
            return self._provider

    async def _asked(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, form: bytes = b""
    ) -> bytes:
        """What it answers. Raises Unavailable."""
        try:
            url = httpx.URL(address)
            own = url.host == httpx.URL(self.client.issuer).host
            if url.scheme != "https" and not (own and _here(url.host)):
                raise Unavailable("the provider is not asked without TLS")
            async with (
                client() as http,
                asyncio.timeout(PATIENCE_S),
                answered(http, method, url, headers or {}, form, resolve, loopback=own, private=own) as answer,
            ):
                if answer.status_code != OK:
                    raise Unavailable(f"the provider answered {answer.status_code}")
                return await body(answer, MOST_BYTES)
        except NotPublic as error:
            raise Unavailable("what the provider names is not public") from error
        except (
            Malformed,
            httpx.HTTPError,
            httpx.InvalidURL,
            OSError,
            TimeoutError,
            ValueError,
        ) as error:  # ValueError: of a name that can be none
            raise Unavailable(f"the provider does not answer: {type(error).__name__}") from error


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
