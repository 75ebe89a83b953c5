"""The page at `/`: what is served, and that nothing else is needed to show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers import Mitoyen

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def test_the_page_names_only_assets_of_its_own_and_each_is_served(mitoyen: Mitoyen) -> None:
    with mitoyen.client() as client:
        page = client.get("/")
        assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
        assert {asset.rsplit(".", 1)[1] for asset in assets} == set(TYPES)
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
        for asset in assets:
            answer = client.get(asset)
            assert answer.headers["content-type"].startswith(TYPES[asset.rsplit(".", 1)[1]])
            assert len(answer.content) > 100


@pytest.mark.parametrize("path", ["/", "/assets/app.js"])
def test_the_page_may_load_from_its_own_origin_only(mitoyen: Mitoyen, path: str) -> None:
    with mitoyen.client() as client:
        headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["none.js", "..%2fserve.py", "%2e%2e/serve.py"])
def test_what_is_no_asset_is_not_found(mitoyen: Mitoyen, name: str) -> None:
    with mitoyen.client() as client:
        answer = client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_has_no_script_or_style_in_its_text(mitoyen: Mitoyen) -> None:
    with mitoyen.client() as client:
        text = client.get("/").text
    assert not re.search(r"<script(?![^>]*src=)|<style|\bon\w+=|style=", text)
