"""Two brokers: one shows what the other offers, where it lives and on what terms, and forgets what the other withdrew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.owners import new_owner
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory_across_brokers_follows_what_others_offer(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner = new_owner(mitoyen, "far-away")
    owner.datastream("air", unit="ug/m3", observed_property="PM2.5 far away")
    offer = owner.offer(["air"], terms={"access": "open"})
    settings = {
        "CATALOGUES": f'["{mitoyen.url}/catalog.ttl"]',
        "CATALOGUES_EVERY": "PT1S",
        "CATALOGUES_LOOPBACK": "true",
    }
    with Mitoyen(tmp_path, environment=settings) as near:

        def found() -> list[str]:
            (catalogue,) = near.call(None, "GET", "elsewhere", search="far away")
            return [one["address"] for one in catalogue["datasets"]]

        address = f"{mitoyen.url}/api/v1/offers/{offer['id']}"
        near.await_that(lambda: found() == [address], "it is not shown")
        (catalogue,) = near.call(None, "GET", "elsewhere", search="far away")
        (shown,) = catalogue["datasets"]
        assert shown["open"]
        assert shown["licences"] == ["http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"]
        assert shown["publisher"] == "Far-Away"
        assert catalogue["trouble"] is None
        assert near.call(None, "GET", "offers") == []
        mitoyen.call(owner.key, "DELETE", f"offers/{offer['id']}", {"reason": "moved"})
        near.await_that(lambda: found() == [], "it is still shown")
