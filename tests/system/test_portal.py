"""The portal as anyone sees it who comes by: the map, the directory and a sensor's page, in a real browser."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from broker import times
from tests.browser import chromium, visitor
from tests.owners import Owner, new_owner
from tests.publisher import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Request

    from tests.servers import Mitoyen

PLACE = {"type": "Point", "coordinates": [4.8357, 45.7640]}
OPEN = {"access": "open"}


@dataclass(frozen=True, slots=True)
class Street:
    """An owner with a sensor that is open to all, one by agreement and one that is closed."""

    owner: Owner
    device: Device

    def says(self, value: float) -> None:
        record = {"time": times.text(time.time_ns()), "value": value}
        self.device.publish("lantern-temperature", [json.dumps(record)])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def street(mitoyen: Mitoyen) -> Iterator[Street]:
    owner = new_owner(mitoyen, "lantern-street")
    measured = {"observed_property": "air temperature", "unit": "Cel", "theme": "weather", "location": PLACE}
    owner.datastream("lantern-temperature", **measured, description="On the third lantern")
    owner.datastream("lantern-noise", observed_property="LAeq", theme="noise", location=PLACE)
    owner.datastream("lantern-door", theme="doors", location=PLACE, closed="It tells when we are out")
    owner.offer(["lantern-temperature"], terms=OPEN)
    hourly = {"op": "aggregate", "window": "PT1H", "statistics": ["mean"]}
    owner.offer(["lantern-noise"], terms={"licence": "ODbL-1.0", "purposes": ["research"]}, id="lantern-loudness")
    owner.offer(["lantern-temperature"], hourly, id="lantern-hourly")
    with Device(owner.mqtt) as device:
        yield Street(owner, device)


def test_a_newcomer_finds_a_sensor_on_the_map_and_sees_its_value_change(
    browser: Browser, mitoyen: Mitoyen, street: Street
) -> None:
    street.says(21.5)
    with visitor(browser, mitoyen) as page:
        page.goto("/?q=lantern-temperature")
        row = page.get_by_role("link", name=re.compile("lantern-temperature"))
        expect(row).to_contain_text("21.5")
        page.locator(".map[data-drawn]").click()  # its middle is where the only sensor stands
        expect(page.get_by_role("heading", level=1, name="Air temperature")).to_be_visible()
        page.evaluate("window.before = true")
        expect(page.locator(".now-value")).to_contain_text("21.5")
        street.says(22.5)
        expect(page.locator(".now-value")).to_contain_text("22.5")
        assert page.evaluate("window.before"), "the page was loaded again"
        expect(page.get_by_text("On the third lantern")).to_be_visible()
        expect(page.get_by_text("open to all, no key")).to_be_visible()
        expect(page.locator(".code pre")).to_contain_text(f"{mitoyen.url}/api/v1/releases/release-")


def test_what_is_filtered_for_is_in_the_address_and_another_reader_sees_the_same(
    browser: Browser, mitoyen: Mitoyen, street: Street
) -> None:
    with visitor(browser, mitoyen) as page:
        page.goto(f"/?organisation={street.owner.id}")
        expect(page.locator(".streams li")).to_have_count(3)
        page.get_by_label("Licence").select_option("ODbL-1.0")
        expect(page.locator(".streams li")).to_have_count(1)
        shared = page.url
    with visitor(browser, mitoyen) as page:
        page.goto(shared)
        expect(page.locator(".streams li")).to_have_count(1)
        expect(page.locator(".streams li")).to_contain_text("lantern-noise")
        page.get_by_label("Permitted for").select_option("research")
        page.get_by_role("searchbox").fill("nothing is called so")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        page.get_by_role("button", name="Show all", exact=True).click()
        expect(page.locator(".streams li").first).to_be_visible()


def test_a_closed_sensor_says_why_and_where_only_roughly(browser: Browser, mitoyen: Mitoyen, street: Street) -> None:
    with visitor(browser, mitoyen) as page:
        page.goto(f"/sensors/{street.owner.id}/lantern-door")
        expect(page.get_by_text("It tells when we are out")).to_be_visible()
        expect(page.get_by_text("a cell of some 5 km²")).to_be_visible()
        expect(page.get_by_role("link", name="Ask for it")).to_be_visible()


def test_a_longer_span_asks_for_coarser_data(browser: Browser, mitoyen: Mitoyen, street: Street) -> None:
    street.says(20.0)
    with visitor(browser, mitoyen) as page:
        with page.expect_request(lambda request: _interval(request) == ""):
            page.goto(f"/sensors/{street.owner.id}/lantern-temperature")
        expect(page.get_by_text("Every released value.")).to_be_visible()
        with page.expect_request(lambda request: _interval(request) == "PT1H"):
            page.get_by_role("button", name="1 week").click()
        expect(page.get_by_text("Means of one hour")).to_be_visible()


def _interval(request: Request) -> str | None:
    """Of a request for history."""
    found = re.search(r"/observations\?(?:.*interval=(\w+))?", request.url)
    return (found[1] or "") if found else None


def test_it_speaks_french_to_the_french_and_remembers_another_choice(
    browser: Browser, mitoyen: Mitoyen, street: Street
) -> None:
    with visitor(browser, mitoyen, locale="fr-FR") as page:
        page.goto(f"/sensors/{street.owner.id}/lantern-temperature")
        expect(page.get_by_role("heading", name="Comment l’obtenir")).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "fr"
        page.get_by_label("Langue").select_option("en")
        expect(page.get_by_role("heading", name="How to get it")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="How to get it")).to_be_visible()


def test_dark_follows_the_system_until_the_reader_chooses(browser: Browser, mitoyen: Mitoyen, street: Street) -> None:
    with visitor(browser, mitoyen, color_scheme="dark") as page:
        page.goto(f"/sensors/{street.owner.id}/lantern-temperature")
        expect(page.locator("html")).to_have_attribute("data-appearance", "dark")
        page.get_by_role("button", name="Light appearance").click()
        expect(page.locator("html")).to_have_attribute("data-appearance", "light")


def test_a_page_that_is_not_there_says_so(browser: Browser, mitoyen: Mitoyen) -> None:
    with visitor(browser, mitoyen) as page:
        page.goto("/sensors/nobody/nothing")
        expect(page.get_by_role("alert")).to_contain_text("Not found")
