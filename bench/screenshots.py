"""Takes the pictures that docs/portal.md shows, of a simulated city: make screenshots"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from PIL import Image

from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUT = Path(__file__).parents[1] / "docs" / "screenshots"
START_S = 120.0
DRAWN_MS = 60_000  # a map without a graphics card on a busy machine
COLOURS = 256  # of a palette: a third of the size, and no difference that one sees


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with _demo() as (url, operator_key), chromium() as browser:
        owner, developer = (_key(url, operator_key, whose) for whose in ("air-agency", "citizens"))
        time.sleep(20)  # so that there is some history to see
        _take(browser, url, "map", "/")
        _take(browser, url, "map-dark-french", "/?theme=air", color_scheme="dark", locale="fr-FR")
        _take(browser, url, "sensor", "/sensors/air-agency/pm25-1")
        _take(browser, url, "transparency", "/transparency")
        _take(
            browser,
            url,
            "ledger",
            "/ledger",
            act=lambda page: page.get_by_role("button", name="Verify the chain now").click(),
        )
        _take(
            browser,
            url,
            "offer",
            "/owner/offers/new",
            key=owner,
            act=_preview,
            viewport={"width": 1280, "height": 1180},
        )
        _take(
            browser,
            url,
            "console",
            "/developer/applications/live-map",
            key=developer,
            act=lambda page: page.get_by_role("button", name="Listen").click(),
        )
        _take(browser, url, "operation", "/operator", key=operator_key, act=lambda page: page.wait_for_timeout(12_000))
        _take(browser, url, "narrow", "/", viewport={"width": 390, "height": 800})


def _preview(page: Page) -> None:
    page.get_by_label("humidity-1").uncheck()
    page.get_by_label("pm25-1").check()
    page.get_by_label(re.compile("^Time")).select_option("mean:PT5M")
    page.get_by_label(re.compile("^Place")).select_option("7")
    page.get_by_role("button", name="Look").click()
    page.locator(".seen .map").nth(1).wait_for()
    for one in page.locator(".seen .map").all():
        one.scroll_into_view_if_needed()
        one.and_(page.locator("[data-drawn]")).wait_for(timeout=DRAWN_MS)
    page.evaluate("scrollTo(0, 0)")


def _take(
    browser: Browser,
    url: str,
    name: str,
    path: str,
    *,
    key: str = "",
    act: Callable[[Page], None] | None = None,
    **context: object,
) -> None:
    own = browser.new_context(
        **{"base_url": url, "locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **context}
    )  # type: ignore[arg-type]
    page = own.new_page()
    if key:
        page.goto("/sign-in")
        page.get_by_label("Key").fill(key)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda address: "sign-in" not in address)
    page.goto(path)
    if act is not None:
        act(page)
    if path.partition("?")[0] == "/":
        page.locator(".map[data-drawn]").wait_for(timeout=DRAWN_MS)
    page.wait_for_timeout(3_000)  # values, charts and maps come by themselves
    file = OUT / f"{name}.png"
    page.screenshot(path=file)
    own.close()
    Image.open(file).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        file, optimize=True
    )
    print(file.relative_to(OUT.parents[1]))


def _key(url: str, operator_key: str, organisation: str) -> str:
    headers = {"Authorization": f"Bearer {operator_key}"}
    answer = httpx.post(
        f"{url}/api/v1/keys", json={"name": "screenshots", "organisation": organisation}, headers=headers
    )
    return str(answer.raise_for_status().json()["key"])


@contextmanager
def _demo() -> Iterator[tuple[str, str]]:
    """A running demo: its address, and its operator's key."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        mitoyen = Path(sys.executable).with_name("mitoyen")
        process = subprocess.Popen(
            [str(mitoyen), "demo"], stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": folder}
        )
        try:
            yield _address(Path(folder)), next(Path(folder).glob("*/operator.key")).read_text().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _address(folder: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        told = re.search(r"open at (http://\S+?)/", (folder / "log").read_text())
        if told:
            return told[1]
        time.sleep(0.2)
    raise RuntimeError((folder / "log").read_text()[-2000:])


if __name__ == "__main__":
    main()
