"""Webhooks as Standard Webhooks specifies them: what is signed, when it is tried again, and where it may go. Pure.

    webhook-signature = "v1," base64(HMAC-SHA-256(secret, webhook-id "." webhook-timestamp "." body))

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec

from broker import message, times
from broker.errors import Refused
from broker.model import Notice

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

ATTEMPTS = 7
GROWTH = 6
"""Each pause is so many times the one before: from 5 s on, the last attempt comes after half a day."""
LABEL = 63
"""The longest part of a name (RFC 1035, 2.3.4)."""
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""IPv4 addresses within IPv6 ones, for translators (RFC 6052, RFC 8215)."""


def secret(master: bytes, application: str, nonce: str) -> bytes:
    """An application's secret: derived, so that the registry keeps none."""
    return hmac.digest(master, f"webhook {application} {nonce}".encode(), hashlib.sha256)


def spelled(of: bytes) -> str:
    """A secret as it is told to who verifies with it."""
    return "whsec_" + base64.b64encode(of).decode()


def body(notice: Notice) -> bytes:
    """{"type", "timestamp", "data"}: the notice as it stands on `notices/{application}`."""
    said = {"type": f"agreement.{notice.event}", "timestamp": times.text(notice.time), "data": message.notice(notice)}
    return msgspec.json.encode(said)


def headers(of: bytes, name: str, now: int, content: bytes) -> dict[str, str]:
    """What goes with `content` at `now` (ns since 1970); `name` is the same at every attempt."""
    stamp = str(now // times.SECOND)
    signed = hmac.digest(of, b".".join((name.encode(), stamp.encode(), content)), hashlib.sha256)
    signature = "v1," + base64.b64encode(signed).decode()
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": signature,
    }


def pause(attempts: int, first: int) -> int | None:
    """How long (ns) to wait after so many attempts failed, if the first pause is `first`; None: it is given up."""
    return first * GROWTH ** (attempts - 1) if attempts < ATTEMPTS else None


def permitted(address: str, *, loopback: bool) -> bool:
    """Whether a webhook may go to this address: to a public one, and where the operator says so to this machine."""
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return permitted(str(found.ipv4_mapped), loopback=loopback)
        if found.sixtofour or found.teredo or any(found in network for network in _TRANSLATED):
            return False
    if found.is_loopback:
        return loopback
    return found.is_global and not found.is_multicast


def check(url: str, *, loopback: bool) -> None:
    """Raises Refused if no webhook may go there, whatever the name resolves to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError:
        port = 0
    named = all(0 < len(label) <= LABEL for label in host.removesuffix(".").split("."))
    if not named or port == 0 or parts.username is not None or parts.fragment or not url.isascii() or " " in url:
        raise Refused("no_such_url", "url: expected https://HOST/PATH, without a user name or a fragment")
    local = loopback and (host == "localhost" or _is_loopback(host))
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise Refused("not_https", "url: expected https")
    if (host == "localhost" and not loopback) or (_is_address(host) and not permitted(host, loopback=loopback)):
        raise Refused("address_not_public", "url: expected a public address")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
