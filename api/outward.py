"""Requests to addresses that others name: to public machines alone, and to the very address that was checked.

What the operator named may be private: it is their network.

A name is resolved once, every address that it has is checked, and the connection goes to one of those, so that no name can mean another machine by then. No
redirect is followed, no proxy asked, and no connection kept: the next name at the same address has a certificate of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

import httpx

from broker import webhook
from broker.errors import Malformed

PATIENCE_S = 15.0  # for an answer, as Standard Webhooks recommends
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]


class NotPublic(Exception):
    """A name has an address that nobody is sent to from here."""


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=ssl.create_default_context(),
        trust_env=False,
        timeout=PATIENCE_S,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def resolve(host: str, port: int) -> list[str]:
    """All addresses that a name has now. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@asynccontextmanager
async def answered(
    http: httpx.AsyncClient,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    body: bytes,
    resolve: Resolve,
    *,
    loopback: bool,
    private: bool = False,
) -> AsyncIterator[httpx.Response]:
    """The answer, whose body is still to be read. Raises NotPublic, OSError and httpx.TransportError; set a time limit around it."""
    addresses = await resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
    if not addresses or not (private or all(webhook.permitted(one, loopback=loopback) for one in addresses)):
        raise NotPublic(url.host)
    request = http.build_request(
        method,
        url.copy_with(host=addresses[0]),
        content=body,
        headers={"accept-encoding": "identity", **headers, "host": url.netloc.decode()},
        extensions={"sni_hostname": url.host},
    )
    answer = await http.send(request, stream=True, follow_redirects=False)
    try:
        yield answer
    finally:
        await answer.aclose()


async def body(answer: httpx.Response, most: int) -> bytes:
    """All of it. Raises Malformed if it has more bytes than `most`, or is packed, which nobody asked for: packed a few times over, a small one
    fills all memory.
    """
    if "content-encoding" in answer.headers:
        raise Malformed("it is packed, which nobody asked for")
    found = bytearray()
    async for piece in answer.aiter_bytes():
        found += piece
        if len(found) > most:
            raise Malformed(f"an answer has at most {most} bytes")
    return bytes(found)
