"""Nobody is kept out: axe-core finds no serious violation on any page, light and dark, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import chromium, violations, visitor
from tests.owners import new_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.servers import Mitoyen

OWNER = "for-everyone"
PUBLIC = (
    "/", f"/?organisation={OWNER}&kind=measurement", f"/sensors/{OWNER}/handrail", f"/sensors/{OWNER}/secret", "/cameras", "/transparency", "/requests", "/ledger",
    "/residents", "/docs", "/developer", "/owner", "/sign-in", "/join", "/operator", "/sensors/nobody/nothing",
)  # fmt: skip
BY_ORGANISATION = ("/owner", "/owner/gateways/new", "/owner/gateways/g", "/owner/offers/new", "/owner/offers/handrail-offer", "/developer", "/developer/accept/handrail-offer", "/developer/applications/rails")  # fmt: skip
BY_OPERATOR = ("/operator",)
LOOKS = ({"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def keys(mitoyen: Mitoyen) -> dict[str, str | None]:
    """Of who sees pages of their own, with something on each of them."""
    owner = new_owner(mitoyen, OWNER)
    owner.datastream(
        "handrail",
        observed_property="temperature",
        unit="Cel",
        theme="weather",
        location={"type": "Point", "coordinates": [4.83, 45.76]},
    )
    owner.datastream("secret", closed="It is nobody’s business")
    owner.offer(["handrail"], id="handrail-offer")
    mitoyen.call(owner.key, "POST", "applications", {"id": "rails"})
    mitoyen.call(
        owner.key,
        "POST",
        "agreements",
        {"offer": "handrail-offer", "application": "rails", "purpose": "testing", "accept": True},
    )
    return {"nobody": None, "organisation": owner.key, "operator": mitoyen.operator_key}


@pytest.mark.parametrize(
    "look", [LOOKS[0], pytest.param(LOOKS[1], marks=pytest.mark.long)], ids=["light", "dark and narrow"]
)
@pytest.mark.parametrize(
    ("who", "paths"), [("nobody", PUBLIC), ("organisation", BY_ORGANISATION), ("operator", BY_OPERATOR)]
)
def test_no_page_keeps_anybody_out(
    browser: Browser,
    mitoyen: Mitoyen,
    keys: dict[str, str | None],
    who: str,
    paths: tuple[str, ...],
    look: dict[str, object],
) -> None:
    found = {}
    with visitor(browser, mitoyen, **look) as page:
        if key := keys[who]:
            page.goto("/sign-in")
            page.get_by_label("Key").fill(key)
            page.get_by_role("main").get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "sign-in" not in url)
        for path in paths:
            page.goto(path)
            _settled(page)
            found[path] = violations(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{path} is wider than its window"
            )
    assert not any(found.values()), found


def _settled(page: Page) -> None:
    expect(page.locator("main .waiting:not(.listening)")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_everything_on_the_map_page_is_reached_by_keyboard(
    browser: Browser, mitoyen: Mitoyen, keys: dict[str, str | None]
) -> None:
    assert keys
    with visitor(browser, mitoyen) as page:
        page.goto(f"/?organisation={OWNER}")
        expect(page.locator(".streams li")).to_have_count(2)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.stream')"):
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Temperature")
        assert page.evaluate("document.activeElement.id") == "main"
