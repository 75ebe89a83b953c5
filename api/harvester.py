"""Reading the catalogues of other brokers, again and again: what disappears there disappears here, data stays where it is.

Only the addresses that the operator set are asked, as `outward.py` does, and of a link to a next page its query alone is followed; a page is bounded in time
and size. A catalogue that can't be read keeps what it said last, with since when.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import httpx
import structlog

from api import harvest
from api.harvest import Dataset
from api.outward import NotPublic, answered, body, client, resolve
from api.services import Services
from broker import times
from broker.errors import Malformed

log = structlog.get_logger()

PATIENCE_S = 60.0  # for a page
MOST_BYTES = 32 << 20  # of a page: a thousand datasets with their distributions are 5 MB
MOST_PAGES = 100
OK = 200


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What was read at an address. Times in ns since 1970."""

    address: str
    datasets: tuple[Dataset, ...] = ()
    read: int | None = None
    """When it was last read whole; None: it never was."""
    trouble: str = ""
    """Why it could not be read since; empty if it could."""


@dataclass(slots=True)
class Elsewhere:
    """What other brokers offer, as far as is known. `every`: how long (ns) from one reading to the next."""

    addresses: tuple[str, ...]
    every: int
    loopback: bool = False
    """Whether catalogues may be on this machine, without TLS too."""
    known: dict[str, Catalogue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {address: Catalogue(address) for address in self.addresses}


async def run(elsewhere: Elsewhere, services: Services) -> None:
    """Read until cancelled."""
    if not elsewhere.addresses:
        return
    async with client() as http:
        while True:
            for address in elsewhere.addresses:
                elsewhere.known[address] = await _read(http, elsewhere, elsewhere.known[address], services.clock())
            await asyncio.sleep(elsewhere.every / times.SECOND)


async def _read(http: httpx.AsyncClient, elsewhere: Elsewhere, before: Catalogue, now: int) -> Catalogue:
    """The catalogue as it is now, or as it was with what went wrong."""
    try:
        found = await _datasets(http, before.address, loopback=elsewhere.loopback)
    except NotPublic:
        trouble = "its address is not public"
    except TimeoutError:
        trouble = "it takes too long"
    except Malformed as error:
        trouble = str(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # ValueError: of a name that can be none
        trouble = f"it is not reached: {type(error).__name__}"
    else:
        return Catalogue(before.address, found, now)
    log.warning("catalogue_not_read", address=before.address, reason=trouble)
    return replace(before, trouble=trouble)


async def _datasets(http: httpx.AsyncClient, address: str, *, loopback: bool) -> tuple[Dataset, ...]:
    """All of its pages. Raises Malformed, and what `_page` does."""
    found: dict[str, Dataset] = {}
    asked: set[str | None] = set()
    query: str | None = None
    while query not in asked:
        asked.add(query)
        if len(asked) > MOST_PAGES:
            raise Malformed(f"it has more than {MOST_PAGES} pages")
        page = await asyncio.to_thread(harvest.read, await _page(http, address, query, loopback=loopback))
        found |= {one.address: one for one in page.datasets}
        if page.next is None:
            break
        query = page.next
    return tuple(found.values())


async def _page(http: httpx.AsyncClient, address: str, query: str | None, *, loopback: bool) -> bytes:
    """Raises NotPublic, TimeoutError, Malformed, OSError and httpx.HTTPError."""
    named = httpx.URL(address)
    named = named if query is None else named.copy_with(query=query.encode())
    asked = {"accept": "text/turtle"}
    async with (
        asyncio.timeout(PATIENCE_S),
        answered(http, "GET", named, asked, b"", resolve, loopback=loopback) as answer,
    ):
        if answer.status_code != OK:
            raise Malformed(f"it answers {answer.status_code}")
        return await body(answer, MOST_BYTES)
