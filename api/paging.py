"""Lists in pages: `limit`, and a `Link` header to the next (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias, TypeVar

from fastapi import Depends, Query, Request, Response

from api.forms import Id
from broker.registry.reading import Page

T = TypeVar("T")

MOST = 10_000
"""Of one page: the interface's figure, as the 100 below."""


@dataclass(frozen=True, slots=True)
class Paging:
    """A list's page, as it was asked for."""

    request: Request
    response: Response
    after: str | None
    limit: int

    @property
    def page(self) -> Page:
        return Page(self.after, self.limit + 1)  # one more tells whether there is more

    def cut(self, found: list[T], id_of: Callable[[T], str]) -> list[T]:
        """What `page` brought, without the one more; and the header that says where it goes on."""
        if len(found) > self.limit:
            found = found[: self.limit]
            link_next(self.request, self.response, after=id_of(found[-1]))
        return found


def _paging(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MOST, examples=[1000])] = 100,
    after: Annotated[
        Id | None, Query(description="The id of the last one that you have", examples=["air-by-minute"])
    ] = None,
) -> Paging:
    return Paging(request, response, after, limit)


Paged: TypeAlias = Annotated[Paging, Depends(_paging)]


def next_url(request: Request, **query: str) -> str:
    """This request's address with other query parameters."""
    return str(request.url.include_query_params(**query))


def link_next(request: Request, response: Response, **query: str) -> None:
    """Say where the next page is."""
    response.headers["Link"] = f'<{next_url(request, **query)}>; rel="next"'
