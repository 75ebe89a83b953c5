"""Debian's Chromium, as a person uses it; and what a page must never do meanwhile: fail in its console, or ask another origin."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Request

    from tests.servers import Mitoyen

PROGRAM = "/usr/bin/chromium"
FLAGS = [
    *(["--no-sandbox"] if os.getuid() == 0 else []),
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",  # draws maps without a graphics card
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ANSWER_MS = 20_000  # under load; alone a page is there within half a second
AXE = Path(__file__).parents[1] / "portal" / "node_modules" / "axe-core" / "axe.min.js"

expect.set_options(timeout=ANSWER_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Close it before an asynchronous test runs in this thread: Playwright has a loop of its own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(browser: Browser, broker: Mitoyen, **context: Any) -> Iterator[Page]:
    """A page of somebody who was never here before. At the end: no error in its console, no request that left the origin."""
    visit = browser.new_context(
        base_url=broker.url, **{"locale": "en-GB", "viewport": {"width": 1280, "height": 860}, **context}
    )
    page = visit.new_page()
    page.set_default_timeout(ANSWER_MS)
    wrong: list[str] = []
    page.on(
        "console", lambda said: wrong.append(said.text) if said.type == "error" and not _refused(said.text) else None
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(f"left the origin: {request.url}") if leaves(request, broker) else None
    )
    try:
        yield page
        assert not wrong, wrong
    finally:
        visit.close()


def sign_in(page: Page, key: str, to: str) -> None:
    """As whoever has this key; up to the page at `to`."""
    page.goto(f"/sign-in?to={quote(to)}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: urlsplit(url).path == urlsplit(to).path)


def _refused(said: str) -> bool:
    """What Chromium itself says of an answer that is a refusal, which the page tells in words."""
    return said.startswith("Failed to load resource: the server responded with a status of 4")


def leaves(request: Request, broker: Mitoyen) -> bool:
    address = urlsplit(request.url)
    return address.scheme not in ("data", "blob") and f"{address.scheme}://{address.netloc}" != broker.url


def violations(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, serious or critical, with where."""
    page.evaluate(AXE.read_text())  # not as a script of the page, which its policy would not run
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
