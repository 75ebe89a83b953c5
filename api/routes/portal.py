"""The portal: one page for every address of it, and the assets that it is built of (`portal/`), which carry their digest in their name."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

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
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOR_TILES = ("img-src", "connect-src")
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
TYPES = {".geojson": "application/geo+json", ".js": "text/javascript", ".mjs": "text/javascript"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the operator set for the portal."""

    ground: Path | None = None
    tiles: Path | None = None
    """A PMTiles file, for the map to draw in place of its own ground;"""
    tile_server: str | None = None
    """or where it gets tiles from: an address with {z}, {x} and {y}."""
    attribution: str = ""
    """Whom the map names for them."""
    sign_in: str | None = None
    """What people know the OpenID Connect provider as."""


class Tiles(BaseModel):
    file: str | None = None
    server: str | None = None
    attribution: str


class Setting(BaseModel):
    sign_in: str | None
    tiles: Tiles | None


@router.get("/", response_class=Response, tags=["public"])
def page(request: Request) -> Response:
    """The portal."""
    if not BUILT.joinpath("index.html").is_file():
        return document(503, "The portal is not built", "Run `make setup`, which builds it from portal/.")
    headers = {**SECURITY, "Content-Security-Policy": policy(_shown(request)), "Cache-Control": "no-cache"}
    return compressed(request, _kept("index.html"), headers, "text/html")


for _path in PAGES:
    router.add_api_route(f"/{_path}", page, include_in_schema=False, name=f"page {_path}")


def policy(shown: Shown) -> str:
    """What the page may load: its own origin's, and tiles of the one server that the operator named."""
    tiles = "" if shown.tile_server is None else f" {origin(shown.tile_server)}"
    return "; ".join(f"{what} {where}{tiles if what in FOR_TILES else ''}" for what, where in _ALLOWED.items())


def origin(address: str) -> str:
    """Scheme, host and port of an address of the web, as policies name it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


@router.get("/portal.json", include_in_schema=False)
def setting(request: Request, response: Response) -> Setting:
    """What the operator set for the portal."""
    shown = _shown(request)
    response.headers["Cache-Control"] = "no-cache"
    tiles = None
    if shown.tiles is not None:
        tiles = Tiles(file="/tiles.pmtiles", attribution=shown.attribution)
    elif shown.tile_server is not None:
        tiles = Tiles(server=shown.tile_server, attribution=shown.attribution)
    return Setting(sign_in=shown.sign_in, tiles=tiles)


@router.get("/tiles.pmtiles", include_in_schema=False)
def tiles(request: Request) -> Response:
    """The operator's own map, of which a browser reads what is in view (RFC 9110, 14)."""
    chosen = _shown(request).tiles
    if chosen is None or not chosen.is_file():
        return document(404, "Not found", "There are no tiles here: the map draws its own ground.")
    return FileResponse(
        chosen, headers={**SECURITY, "Cache-Control": "max-age=3600"}, media_type="application/vnd.pmtiles"
    )


@router.get("/ground.geojson", include_in_schema=False)
def ground(request: Request) -> Response:
    """What the map draws under the sensors: the operator's own, or the simulated city's."""
    chosen = _shown(request).ground
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


def _shown(request: Request) -> Shown:
    found = request.app.state.portal
    assert isinstance(found, Shown)
    return found


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
