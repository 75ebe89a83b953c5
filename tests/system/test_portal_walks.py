"""Walks through the portal: an owner connects, publishes and revokes, a developer accepts and listens; the ledger is verified; a picture is shown."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from broker import times
from tests.browser import chromium, visitor
from tests.mqtt import Client
from tests.owners import new_owner
from tests.pictures import jpeg, street
from tests.publisher import Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.servers import Mitoyen

BLUR = {"op": "blur", "faces": True, "plates": True, "level": "fast"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def _join(page: Page, name: str, door: str) -> None:
    page.goto("/join")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible()
    expect(page.get_by_text("You are signed in.")).to_be_visible()
    page.get_by_role("link", name=door).click()


def _told_login(page: Page) -> dict[str, Any]:
    """What is shown once of how something logs in over MQTT."""
    shown = page.locator(".secret .facts")
    names, values = shown.locator("dt").all_text_contents(), shown.locator("dd").all_text_contents()
    told = dict(zip(names, values, strict=True))
    return {
        "host": told["Host"],
        "port": int(told["Port"]),
        "username": told["User name"],
        "password": told["Password"],
        "client_id_prefix": told["Client ids begin with"],
        "topic": told["Topic"],
    }


def test_an_owner_connects_publishes_and_revokes_and_the_developers_console_stops_with_the_reason(
    browser: Browser, mitoyen: Mitoyen
) -> None:
    with visitor(browser, mitoyen) as owner, visitor(browser, mitoyen) as developer:
        _join(owner, "Bench Makers", "Share something")
        with Device(_connect(owner)) as device:
            _says(device, 21.26)
            expect(owner.get_by_text("First message received.")).to_be_visible()
            owner.get_by_role("link", name="Publish an offer").click()
            offer = _publish(owner, mitoyen)
            _join(developer, "Bench Watchers", "Build something")
            _accept(developer, offer)
            _listen(developer, device)
            _revoke(owner, offer)
            expect(developer.get_by_role("alert")).to_contain_text("The benches were painted")
            expect(developer.get_by_role("alert")).to_contain_text("The stream ended")


def _connect(page: Page) -> dict[str, Any]:
    """Step by step, until a first message is waited for. Returns the gateway's login."""
    page.get_by_role("link", name="Connect a gateway").click()
    page.get_by_label("Name").fill("bench-1")
    page.get_by_role("button", name="Register", exact=True).click()
    page.get_by_label("Name of the sensor").fill("bench-temperature")
    page.get_by_label("What it observes").fill("air temperature")
    page.get_by_label("Unit").fill("Cel")
    page.get_by_label("Where it stands").fill("45.7640, 4.8357")
    login = _told_login(page)
    page.get_by_role("button", name="Register the sensor").click()
    expect(page.get_by_text("Waiting for the first message…")).to_be_visible()
    return login


def _says(device: Device, value: float) -> None:
    device.publish("bench-temperature", [json.dumps({"time": times.text(time.time_ns()), "value": value})])


def _publish(page: Page, mitoyen: Mitoyen) -> str:
    """After a look through an application's eyes: what there is beside what would be seen. Returns the offer's id."""
    mitoyen.await_metric("mitoyen_records_stored_total", lambda stored: stored > 0)
    page.get_by_label("Values to the nearest").fill("0.5")
    page.get_by_label(re.compile("^Place")).select_option("8")
    page.get_by_role("button", name="Look").click()
    seen = page.locator(".seen")
    expect(seen).to_have_count(2)
    for one in (seen.first, seen.last):
        expect(one).to_contain_text("1 observation")
        one.locator(".map").scroll_into_view_if_needed()
        expect(one.locator(".map canvas")).to_be_visible()
        expect(one.locator(".chart canvas").first).to_be_visible()
    page.get_by_label("Name of this detail").fill("half degrees")
    page.get_by_role("button", name="Publish this offer").click()
    expect(page.get_by_role("heading", level=1, name="Half degrees")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


def _accept(page: Page, offer: str) -> None:
    """In one click from the sensor's page, for an application that is made on the way; up to its console."""
    page.goto("/?q=bench-temperature")
    page.get_by_role("link", name=re.compile("bench-temperature")).click()
    page.get_by_role("link", name="Accept the offer").first.click()
    assert page.url.endswith(offer)
    page.get_by_label("Name of a new application").fill("Warm benches")
    page.get_by_role("button", name="Create application").click()
    expect(page.get_by_text("The application’s key for HTTP")).to_be_visible()
    page.get_by_label("What you use it for").fill("public-information")
    page.get_by_role("button", name="Accept these terms").click()
    expect(page.get_by_role("heading", level=1, name="Warm benches")).to_be_visible()


def _listen(page: Page, device: Device) -> None:
    page.get_by_role("button", name="Listen").click()
    console = page.get_by_role("log")
    expect(console).to_contain_text("21.5")  # the last value at once, as the profile has it
    _says(device, 23.14)
    expect(console).to_contain_text("23 °C")
    expect(page.get_by_text("There is no quota.")).to_be_visible()


def _revoke(page: Page, offer: str) -> None:
    page.goto(f"/owner/offers/{offer}")
    expect(page.get_by_text("For “public-information”")).to_be_visible()
    page.get_by_label("Why you stop it; public").fill("The benches were painted")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Reason: The benches were painted")).to_be_visible()


def test_the_ledger_verifies_in_the_browser_and_a_tampered_copy_does_not(
    browser: Browser, mitoyen: Mitoyen, tmp_path: Path
) -> None:
    new_owner(mitoyen, "on-record")
    with visitor(browser, mitoyen) as page:
        page.goto("/ledger")
        expect(page.get_by_text("On-Record joined.")).to_be_visible()
        page.get_by_role("button", name="Verify the chain now").click()
        expect(page.get_by_text("The chain holds.")).to_be_visible()
        lines = mitoyen.text(None, "/api/v1/ledger?format=ndjson").splitlines()
        joined = next(i for i, line in enumerate(lines) if '"On-Record"' in line)
        seq = json.loads(lines[joined])["seq"]
        for number, (forged, why) in enumerate(_forged(lines, joined)):
            copy = tmp_path / f"copy-{number}.ndjson"
            copy.write_text("\n".join(forged))
            page.get_by_label("Verify a copy of mine…").set_input_files(copy)
            expect(page.get_by_text(f"The chain does not hold at entry {seq}.")).to_be_visible()
            expect(page.locator(".trouble")).to_contain_text(why)


def _forged(lines: list[str], at: int) -> Iterator[tuple[list[str], str]]:
    """Copies in which one entry is not as it was, and what is wrong with each."""
    before, after = lines[:at], lines[at + 1 :]
    yield [*before, lines[at].replace("on-record", "off-record"), *after], "it was changed"
    yield [*before, lines[at].replace("On-Record", "Off-Record"), *after], "A text of it"
    yield [*before, *after], "left out"


def test_a_released_picture_is_shown_with_its_age(browser: Browser, mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "corner-shop")
    owner.datastream("corner-camera", kind="camera")
    owner.offer(["corner-camera"], BLUR, terms={"access": "open"})
    with _Camera(owner.mqtt, "camera") as camera, visitor(browser, mitoyen) as page:
        page.goto("/cameras")
        camera.see(owner.id)
        page.goto("/sensors/corner-shop/corner-camera")
        picture = page.get_by_role("img", name=re.compile("faces and number plates covered"))
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
        expect(page.locator("figcaption")).to_contain_text("s ago")


class _Camera(Client):
    """A gateway that publishes a frame."""

    def see(self, organisation: str) -> None:
        self._client.publish(f"frame/{organisation}/g/corner-camera", jpeg(street()), qos=0)


def test_what_is_asked_for_is_answered_in_public(browser: Browser, mitoyen: Mitoyen) -> None:
    owner, other = new_owner(mitoyen, "asked-of"), new_owner(mitoyen, "asking")
    owner.datastream("well", closed="Nobody asked")
    with visitor(browser, mitoyen) as page:
        page.goto("/sensors/asked-of/well")
        page.get_by_role("link", name="Ask for it").click()
        page.get_by_role("main").get_by_role("link", name="Sign in").click()
        page.get_by_label("Key").fill(other.key)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.get_by_label("What you ask for, and what for").fill("To know when the well is dry")
        page.get_by_role("button", name="Ask in public").click()
        expect(page.get_by_text("Your request is public.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
    with visitor(browser, mitoyen) as page:
        page.goto("/sign-in?to=/requests")
        page.get_by_label("Key").fill(owner.key)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        asked = page.locator(".wish", has_text="To know when the well is dry")
        asked.get_by_label("In words, public").fill("From spring on")
        asked.get_by_role("button", name="Answer").click()
        expect(asked).to_contain_text("will be opened")
        expect(asked).to_contain_text("From spring on")


def test_a_wrong_key_is_told_in_words(browser: Browser, mitoyen: Mitoyen) -> None:
    with visitor(browser, mitoyen) as page:
        page.goto("/sign-in")
        page.get_by_label("Key").fill("mitoyen_organisation_wrong")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("nobody’s key")


def test_a_resident_consents_and_withdraws_with_one_time_codes(browser: Browser, mitoyen: Mitoyen) -> None:
    issuer = new_owner(mitoyen, "wristbands")
    tag = "urn:epc:id:sgtin:7714141.812345.6789"
    prefixes = {"prefixes": ["urn:epc:id:sgtin:7714141."]}
    mitoyen.call(mitoyen.operator_key, "PUT", f"organisations/{issuer.id}/tags", prefixes)
    code = mitoyen.call(issuer.key, "POST", "consent-codes", {"tag": tag})["code"]
    with visitor(browser, mitoyen) as page:
        page.goto("/residents")
        page.get_by_label("The tag’s number").fill(tag)
        page.get_by_label("One-time code").fill(code)
        page.get_by_role("button", name="Consent", exact=True).click()
        expect(page.get_by_text("You consented.")).to_be_visible()
        page.get_by_role("button", name="What is held about it?").click()
        expect(page.get_by_text("This is what is held about the tag.")).to_be_visible()
        page.get_by_role("button", name="Withdraw all consents").click()
        expect(page.get_by_text("Withdrawn.")).to_be_visible()
        page.get_by_label("One-time code").fill("ABCD-EFGH-JKLM")
        page.get_by_role("button", name="What is held about it?").click()
        expect(page.get_by_role("alert")).to_be_visible()


def test_the_operator_sees_that_everything_works(browser: Browser, mitoyen: Mitoyen) -> None:
    with visitor(browser, mitoyen) as page:
        page.goto("/sign-in")
        page.get_by_label("Key").fill(mitoyen.operator_key)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Everything works.")).to_be_visible()
        expect(page.get_by_text("Journal in use")).to_be_visible()
        expect(page.locator(".chart canvas").first).to_be_visible()
