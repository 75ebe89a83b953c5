"""What is asked for over HTTP by a source: redirects within the same place only, bodies of bounded size, and failures told without their address.

A page may lead elsewhere when whoever runs it wants it to: into the owner's own network, or with the key that a header shows to somebody it was not
meant for. So whoever is led to another machine is told, and can name it. An address is told by nobody, since a key or a password may be in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

MOST_REDIRECTS = 5


@asynccontextmanager
async def answered(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.Response]:
    """The answer, whose body is still to be read. Raises httpx.HTTPError, and ValueError where it leads elsewhere or in circles."""
    at = httpx.URL(url)
    for _ in range(MOST_REDIRECTS):
        async with client.stream("GET", at, headers=headers, follow_redirects=False) as answer:
            if answer.next_request is None:
                yield answer
                return
            to = answer.next_request.url
        if not _stays(at, to):
            raise ValueError(f"it leads to {to.scheme}://{to.netloc.decode()}: name that address if it is meant")
        at = to
    raise ValueError(f"it leads on more than {MOST_REDIRECTS} times")


async def body(answer: httpx.Response, most: int) -> bytes:
    """All of it. Raises ValueError when it has more bytes than this or is packed more than once, and httpx.HTTPError."""
    if "," in answer.headers.get("Content-Encoding", ""):
        raise ValueError("packed more than once")  # each time it may grow a thousandfold
    found = bytearray()
    async for piece in answer.aiter_bytes():
        found += piece
        if len(found) > most:
            raise ValueError(f"longer than {most} bytes")
    return bytes(found)


def reason(error: Exception) -> str:
    """What went wrong, without the address."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answers {error.response.status_code}"
    return str(error) or type(error).__name__


def _stays(at: httpx.URL, to: httpx.URL) -> bool:
    """Whether it is the same server, or the same machine with TLS where there was none."""
    same = (to.scheme, to.port) == (at.scheme, at.port) or (at.scheme, to.scheme) == ("http", "https")
    return same and to.host == at.host and not to.userinfo
