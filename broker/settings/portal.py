"""What people see at `/`: the map, how they sign in, and datasets of other brokers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from broker import times
from broker.settings.forms import Duration, Group, Web, web


def _tiles(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(parts.netloc)
        or not all(one in value for one in ("{z}", "{x}", "{y}"))
    ):
        raise ValueError("expected an address with {z}, {x} and {y}, such as https://tiles.example/{z}/{x}/{y}.png")
    return value


def _issuer(value: str) -> str:
    """As the provider spells itself: to the last slash."""
    if not web(value).startswith("https://") and urlsplit(value).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("expected https")
    return value


_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class PortalSettings(Group):
    """Where it gets what it shows from, and who vouches for people."""

    ground: Path | None = None
    """GeoJSON that the portal's map draws under the sensors (`docs/portal.md` says what it is made of); left out: the simulated city's."""
    tiles: Path | None = None
    """A PMTiles file that the portal's map draws in place of that: vector tiles with OpenMapTiles' or Protomaps' layers, or pictures."""
    tile_server: Annotated[str, AfterValidator(_tiles)] | None = None
    """Or where browsers get tiles as pictures from, such as https://tiles.example/{z}/{x}/{y}.png: the only other server that they ask, and
    it learns who looks at what. Left out: none."""
    tiles_attribution: str = ""
    """Whom the map names for either; most licences ask for it."""
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    """An OpenID Connect provider with which people sign in to the portal, besides keys; left out: keys alone. It may be on a private network."""
    oidc_client_id: str | None = None
    """What it knows this broker as; it sends people back to `/session/provider/answer` below `http_url`."""
    oidc_client_secret: str | None = None
    """Left out for a public client: PKCE secures both."""
    oidc_organisation_claim: str = "mitoyen_organisation"
    """The claim of its identity tokens that names the organisation whose key somebody's session is to count as: its id, or a list with one such."""
    oidc_scopes: str = "openid"
    """What it is asked for: some providers put the claim under a scope of its own."""
    catalogues: tuple[Web, ...] = ()
    """Catalogues of other brokers whose datasets are shown here, as a JSON list of their addresses in Turtle: ["https://broker.example/catalog.ttl"]."""
    catalogues_every: Duration = "PT1H"
    """How often they are read: what disappears there is shown here for no longer."""
    catalogues_loopback: bool = False
    """Whether they may be on this machine, without TLS too: for tests."""

    @model_validator(mode="after")
    def _one_kind_of_tiles(self) -> Self:
        if self.tiles is not None and self.tile_server is not None:
            raise ValueError("expected MITOYEN_TILES or MITOYEN_TILE_SERVER, not both")
        return self

    @model_validator(mode="after")
    def _client_of_an_issuer(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("expected MITOYEN_OIDC_ISSUER and MITOYEN_OIDC_CLIENT_ID together")
        return self

    @model_validator(mode="after")
    def _catalogues_over_tls(self) -> Self:
        if not self.catalogues_loopback and not all(one.startswith("https://") for one in self.catalogues):
            raise ValueError("catalogues: expected https")
        return self

    @property
    def oidc_provider(self) -> str | None:
        """What people know it as."""
        return urlsplit(self.oidc_issuer).hostname if self.oidc_issuer is not None else None

    @property
    def catalogues_every_ns(self) -> int:
        return times.parse_duration(self.catalogues_every)
