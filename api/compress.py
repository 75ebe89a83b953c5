"""Answers that are kept compressed, and given as the caller can take them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from fastapi import Request, Response


def compressed(request: Request, kept: bytes, headers: Mapping[str, str], media_type: str) -> Response:
    """Of gzip: as it is, or unpacked for whoever does not ask for it (RFC 9110, 12.5.3)."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(kept, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)
    return Response(gzip.decompress(kept), headers=dict(headers), media_type=media_type)
