"""How much one caller may ask: so many calls a second for each key and for each address, and few with wrong keys.

A token bucket each: what was not used is saved up to a burst, since notebooks and maps ask much at once and then look at it.
Loopback is an address like any other. Behind a proxy it is the one that the proxy names, where the operator trusts that proxy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, answer
from broker.metrics import LIMITED

BURST_S = 10
"""How many seconds' worth of calls may come at once."""
MOST_CALLERS = 50_000
"""That are remembered: some 10 MB. Whoever was quiet longest is forgotten, and so begins with a full bucket."""
ROUNDED = 1e-9
"""Whoever waited as long as was said has enough, whatever was rounded on the way."""
BODIES = 64
"""How many bodies of the largest size are held at once, of all callers together: whoever sends needs no key until it is read."""
SITE_BITS = 64
"""Of an IPv6 address: below that, whoever has one address has them all (RFC 6177)."""


class Limit:
    """`rate` a second and `burst` at once for each caller. Safe to use from several threads."""

    def __init__(self, name: str, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What each has left, and when (s) that was counted; who asked last comes last."""
        self._lock = threading.Lock()

    def check(self, caller: str) -> None:
        """Raises Problem (429) if the caller has nothing left."""
        with self._lock:
            self._enough(caller)

    def take(self, caller: str) -> None:
        """Use one up. Raises Problem (429) if there is none."""
        with self._lock:
            self._buckets[caller] = self._enough(caller) - 1, self._clock()
            self._buckets.move_to_end(caller)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)

    def _enough(self, caller: str) -> float:
        left = self._left(caller)
        if left < 1 - ROUNDED:
            LIMITED.labels(self._name).inc()
            raise too_many(self._name, (1 - left) / self._rate)
        return left

    def _left(self, caller: str) -> float:
        now = self._clock()
        left, counted = self._buckets.get(caller, (self._burst, now))
        return min(self._burst, left + (now - counted) * self._rate)


class Limits:
    """All that there are."""

    def __init__(self, per_key: float, per_address: float, wrong_keys: int, signups: int = 1) -> None:
        self.key = Limit("key", per_key, per_key * BURST_S)
        self.address = Limit("address", per_address, per_address * BURST_S)
        self.wrong_keys = Limit("wrong_keys", wrong_keys / 60, wrong_keys)
        self.signups = Limit("signups", signups / 3600, signups)


class LimitAddresses:
    """Every call, before anything is done for it."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._limits.address.take(address_of(scope))
            except Problem as problem:
                await answer(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class LimitBodies:
    """A request's body, read before anything is done for it: so large, within so long, and of all together so much."""

    def __init__(self, app: ASGIApp, most: int, within_s: float) -> None:
        self._app = app
        self._most = most
        self._within_s = within_s
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refused = await self._read(receive, body)
            app = self._app if refused is None else answer(refused)
            await app(scope, _read_already(bytes(body), receive), send)
        finally:
            self._held -= len(body)

    async def _read(self, receive: Receive, body: bytearray) -> Problem | None:
        try:
            async with asyncio.timeout(self._within_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return _unfit(408, "Not complete", "The connection ended within the body.", "body_slow")
                    body += message["body"]
                    self._held += len(message["body"])
                    if len(body) > self._most:
                        return _unfit(413, "Too large", f"A body has at most {self._most} bytes.", "body")
                    if self._held > self._most * BODIES:
                        return _unfit(503, "Too busy", "Too many large bodies are being read: come back.", "bodies")
                    if not message.get("more_body"):
                        return None
        except TimeoutError:
            return _unfit(408, "Too slow", f"A body arrives within {self._within_s:g} s.", "body_slow")


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _unfit(status: int, title: str, detail: str, limit: str) -> Problem:
    """A body that is not read to its end, so that no other request can follow it."""
    LIMITED.labels(limit).inc()
    return Problem(status, title, detail, f"limit_{limit}", {"Connection": "close"})


def _read_already(body: bytes, receive: Receive) -> Receive:
    """What was read is there at once; what comes after it is as it comes."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return whole.pop() if whole else await receive()

    return received


def address_of(scope: Scope) -> str:
    """Who calls, as far as the network tells: an IPv4 address, or the site of an IPv6 one."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket, or a proxy's own word
        return str(host)
    return str(ipaddress.ip_network((host, SITE_BITS), strict=False)) if found.version == 6 else host  # noqa: PLR2004 - its name


def too_many(limit: str, wait_s: float) -> Problem:
    """429 (RFC 6585) with when to come back."""
    said = {
        "key": "with this key",
        "address": "from this address",
        "wrong_keys": "with wrong keys from this address",
        "signups": "to sign up from this address",
    }
    again = max(1, math.ceil(wait_s))
    detail = f"Too many calls {said[limit]}: come back in {again} s."
    return Problem(429, "Too many requests", detail, f"limit_{limit}", {"Retry-After": str(again)})
