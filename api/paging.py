"""The `Link` header of lists and of history (RFC 8288)."""

from __future__ import annotations

from fastapi import Request, Response


def next_url(request: Request, **query: str) -> str:
    """This request's address with other query parameters."""
    return str(request.url.include_query_params(**query))


def link_next(request: Request, response: Response, **query: str) -> None:
    """Say where the next page is."""
    response.headers["Link"] = f'<{next_url(request, **query)}>; rel="next"'
