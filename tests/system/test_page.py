"""What is served at the portal's addresses: nothing of another origin, nothing inline, and the same page at each of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import httpx
import pytest

from api.routes.portal import BUILT, PAGES, Shown
from api.serve import application
from broker.model import FormatName

if TYPE_CHECKING:
    from tests.servers import Mitoyen

PORTAL = Path(__file__).parents[2] / "portal"
MOST_KB = 300
MAP_LIBRARY = "maplibre-gl"


def test_the_page_names_only_assets_of_its_own_and_each_is_served(mitoyen: Mitoyen) -> None:
    with mitoyen.client() as client:
        page = client.get("/")
        assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
        assert {asset.rsplit(".", 1)[1] for asset in assets} == {"js", "css", "svg"}
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
        for asset in assets:
            answer = client.get(asset)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/transparency", "/sensors/air-lyon/pm25-roof-1", "/owner/offers/new"])
def test_every_address_of_the_portal_is_the_page_under_a_strict_policy(mitoyen: Mitoyen, path: str) -> None:
    with mitoyen.client() as client:
        answer = client.get(path)
        assert answer.text == client.get("/").text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_whoever_takes_no_compression_gets_none(mitoyen: Mitoyen) -> None:
    with mitoyen.client() as client:
        plain = client.get("/", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == client.get("/").text


@pytest.mark.parametrize("name", ["none.js", "..%2fserve.py", "%2e%2e/serve.py"])
def test_what_is_no_asset_is_not_found(mitoyen: Mitoyen, name: str) -> None:
    with mitoyen.client() as client:
        answer = client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_has_no_script_or_style_in_its_text(mitoyen: Mitoyen) -> None:
    assert not re.search(r"<script(?![^>]*src=)|<style|\bon\w+=|style=", mitoyen.text(None, "/"))


def test_it_is_small_without_the_map_library() -> None:
    sizes = {one.name: len(gzip.compress(one.read_bytes())) for one in BUILT.joinpath("assets").iterdir()}  # type: ignore[attr-defined]  # a folder of files
    own = sum(size for name, size in sizes.items() if not name.startswith(MAP_LIBRARY))
    assert 50_000 < own < MOST_KB * 1000


def test_the_portal_knows_the_addresses_that_are_served() -> None:
    known = re.findall(r"^  \"?([a-z-]+)\"?: \{ title", (PORTAL / "src" / "app.tsx").read_text(), re.MULTILINE)
    assert set(known) == {page.partition("/")[0] for page in PAGES}


def test_the_portal_knows_every_format_that_a_gateway_may_speak() -> None:
    listed = (PORTAL / "src" / "pages" / "gateway.tsx").read_text().partition("const FORMATS")[2].partition("};")[0]
    assert set(re.findall(r'"?([a-z0-9-]+)"?: "', listed)) == set(get_args(FormatName))


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (PORTAL / "package-lock.json").read_text()


async def test_the_map_draws_the_operators_own_ground_where_there_is_one(mitoyen: Mitoyen, tmp_path: Path) -> None:
    own = tmp_path / "village.geojson"
    own.write_text("{}")
    served = application()
    served.state.portal = Shown(ground=own)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://portal") as client:
        assert (await client.get("/ground.geojson")).text == "{}"
    simulated = json.loads(mitoyen.text(None, "/ground.geojson"))
    assert {one["properties"]["kind"] for one in simulated["features"]} >= {"water", "street", "district", "name"}
