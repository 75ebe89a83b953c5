"""Where this broker is reached, as whoever calls sees it."""

from __future__ import annotations

from fastapi import Request


def base_of(request: Request) -> str:
    """Scheme, host and port, without a slash at its end; a proxy's if the operator trusts it."""
    return str(request.base_url).rstrip("/")
