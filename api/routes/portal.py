"""The portal: one page for every address of it, and the assets that it is built of (`portal/`), which carry their digest in their name."""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.compress import compressed
from api.errors import document

router = APIRouter()

BUILT = files("api").joinpath("page")
"""Where `portal/` is built into."""
PAGES = (
    "sensors/{organisation}/{datastream}", "cameras", "transparency", "requests", "ledger", "residents", "docs", "sign-in", "join",
    "developer", "developer/{part:path}", "owner", "owner/{part:path}", "operator",
)  # fmt: skip
"""The portal's addresses below `/`: as `portal/src/app.tsx` has them."""
_ALLOWED = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data: blob:",  # the map's and the charts' signs; pictures that need a session
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
POLICY = "; ".join(f"{what} {where}" for what, where in _ALLOWED.items())
SECURITY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
TYPES = {".geojson": "application/geo+json", ".js": "text/javascript", ".mjs": "text/javascript"}


@router.get("/", response_class=Response, tags=["public"])
def page(request: Request) -> Response:
    """The portal."""
    if not BUILT.joinpath("index.html").is_file():
        return document(503, "The portal is not built", "Run `make setup`, which builds it from portal/.")
    return compressed(request, _kept("index.html"), {**SECURITY, "Cache-Control": "no-cache"}, "text/html")


for _path in PAGES:
    router.add_api_route(f"/{_path}", page, include_in_schema=False, name=f"page {_path}")


@router.get("/ground.geojson", include_in_schema=False)
def ground(request: Request) -> Response:
    """What the map draws under the sensors: the operator's own, or the simulated city's."""
    chosen: Path | None = request.app.state.ground
    kept = _kept("ground.geojson") if chosen is None else _compressed(chosen)
    return compressed(request, kept, {**SECURITY, "Cache-Control": "max-age=3600"}, TYPES[".geojson"])


@router.get("/assets/{name}", include_in_schema=False)
def asset(request: Request, name: str) -> Response:
    """One of the built files."""
    if name not in _names():
        return document(404, "Not found", "There is no such asset.")
    suffix = name[name.rindex(".") :]
    media_type = TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return compressed(request, _kept(f"assets/{name}"), {**SECURITY, **FOREVER}, media_type)


@cache
def _names() -> frozenset[str]:
    folder = BUILT.joinpath("assets")
    return frozenset(one.name for one in folder.iterdir()) if folder.is_dir() else frozenset()


@cache
def _kept(path: str) -> bytes:
    return gzip.compress(BUILT.joinpath(path).read_bytes(), mtime=0)


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)
