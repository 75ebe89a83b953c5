"""What owners, those who were refused and the operator do in the portal after an offer is out, and what an owner chooses before it is."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from broker import times
from tests.browser import chromium, sign_in, violations, visitor
from tests.owners import Owner, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.servers import Mitoyen

PLACE = {"type": "Point", "coordinates": [4.8357, 45.7640]}
TAG = "urn:epc:id:sgtin:0614141.812345.{}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_an_owner_suspends_an_agreement_lets_it_go_on_and_changes_the_terms(browser: Browser, mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "fountains"), new_reader(mitoyen, "thirsty")
    owner.datastream("flow", observed_property="flow", unit="L/min")
    kept = {
        "price": "none",
        "approval": "manual",
        "criteria": ["It is for the public"],
        "quota": {"per": "month", "bytes": 10_000_000},
    }
    owner.offer(["flow"], id="fountain-flow", terms={"access": "click"})
    agreement = reader.agree("fountain-flow")["id"]
    mitoyen.call(
        owner.key,
        "PUT",
        "offers/fountain-flow/terms",
        {"licence": "CC-BY-4.0", "attribution": "Fountains", "purposes": ["any"], **kept},
    )
    with visitor(browser, mitoyen) as page:
        sign_in(page, owner.key, "/owner/offers/fountain-flow")
        page.get_by_label("Why you stop it; public").fill("The pump is mended")
        page.get_by_role("button", name="Suspend").click()
        expect(page.get_by_text("Reason: The pump is mended")).to_be_visible()
        assert _state(mitoyen, reader.key, agreement) == "suspended"
        page.get_by_role("button", name="Let it go on").click()
        expect(page.get_by_role("button", name="Suspend")).to_be_visible()
        assert _state(mitoyen, reader.key, agreement) == "active"
        page.get_by_label("Licence").select_option("ODbL-1.0")
        page.get_by_label("Permitted purposes").fill("research, teaching")
        page.get_by_role("button", name="Publish these terms").click()
        expect(page.get_by_text("Version 3 of the terms holds now.")).to_be_visible()
    offer = mitoyen.call(None, "GET", "offers/fountain-flow")
    assert offer["version"] == 3
    assert (offer["terms"]["licence"], offer["terms"]["purposes"]) == ("ODbL-1.0", ["research", "teaching"])
    assert kept.items() <= offer["terms"].items(), "what is not shown was lost"


def _state(mitoyen: Mitoyen, key: str, agreement: str) -> str:
    found: str = mitoyen.call(key, "GET", f"agreements/{agreement}")["state"]
    return found


def test_whoever_lost_an_agreement_complains_in_public_and_the_operator_rules(
    browser: Browser, mitoyen: Mitoyen
) -> None:
    owner, reader = new_owner(mitoyen, "bridges"), new_owner(mitoyen, "crossers")
    owner.datastream("strain")
    owner.offer(["strain"], id="bridge-strain", terms={"access": "click"})
    mitoyen.call(reader.key, "POST", "applications", {"id": "crossing", "name": "Crossing"})
    body = {"offer": "bridge-strain", "application": "crossing", "purpose": "testing", "accept": True}
    agreement = mitoyen.call(reader.key, "POST", "agreements", body)["id"]
    mitoyen.call(owner.key, "DELETE", f"agreements/{agreement}", {"reason": "We changed our mind"})
    with visitor(browser, mitoyen) as page:
        sign_in(page, reader.key, "/developer/applications/crossing")
        page.get_by_role("link", name="Open a dispute").click()
        assert not violations(page)
        page.get_by_label("What happened, and why it is unfair").fill("Nobody told us why")
        page.get_by_role("button", name="Open the dispute").click()
        expect(page.get_by_text("Your dispute is public.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, mitoyen.operator_key, "/requests")
        dispute = page.locator(".wish", has_text="Nobody told us why")
        expect(dispute).to_contain_text("Crossers complains of Bridges: a revocation")
        assert not violations(page)
        dispute.get_by_label("Your reasons, public; a ruling is final").fill(
            "An end needs a reason that its terms have"
        )
        dispute.get_by_role("button", name="Uphold", exact=True).click()
        expect(dispute).to_contain_text("upheld")
        expect(dispute).to_contain_text("An end needs a reason that its terms have")


@pytest.fixture(scope="module")
def gates(mitoyen: Mitoyen) -> Owner:
    """Seven people pass two gates in six hours of today and yesterday."""
    owner = new_owner(mitoyen, "gates")
    for gate in ("north", "south"):
        owner.datastream(
            gate, kind="rfid", observed_property="passers-by", personal_data=True, privacy_unit="tag", location=PLACE
        )
    stored = mitoyen.metric("mitoyen_records_stored_total")
    now = time.time_ns()
    visits = [(hours, tag) for hours in (1, 2, 3, 25, 26, 27) for tag in range(7)]
    reads = [{"time": times.text(now - hours * times.HOUR), "epc": TAG.format(tag)} for hours, tag in visits]
    with Device(owner.mqtt) as device:
        for gate in ("north", "south"):
            device.publish(gate, [json.dumps(one) for one in reads])
        device.await_answers(2 * len(reads))
    mitoyen.await_metric("mitoyen_records_stored_total", lambda now_: now_ >= stored + 2 * len(reads))
    return owner


def test_an_owner_has_people_counted_by_cell_under_noise_and_attacks_it_before_publishing(
    browser: Browser, mitoyen: Mitoyen, gates: Owner
) -> None:
    with visitor(browser, mitoyen) as page:
        sign_in(page, gates.key, "/owner/offers/new")
        for gate in ("north", "south"):
            page.get_by_role("checkbox", name=re.compile(gate)).check()
        page.get_by_label(re.compile("^Time")).select_option("mean:PT1H")
        page.get_by_label("Counted together").select_option("cell")
        page.get_by_label("Noise").select_option("1")
        page.get_by_label("At most a day, ε").fill("12")
        expect(page.get_by_text(re.compile("all sensors of a cell together"))).to_have_count(
            2
        )  # the choice, and what it does in words
        expect(page.get_by_text(re.compile("ε = 1, at most 12 every one day"))).to_be_visible()
        page.get_by_role("button", name="Attack it first").click()
        table = page.get_by_role("region", name="What attacks achieve")
        expect(
            table.or_(page.get_by_text(re.compile("Nothing was attacked"))).or_(page.get_by_role("alert"))
        ).to_be_visible()
        expect(table.get_by_role("row").nth(1)).to_be_visible()
        assert not violations(page)
        page.get_by_role("button", name="Publish this offer").click()
        expect(page.get_by_role("heading", level=1, name="Less detail")).to_be_visible()
        assert _operators(page, mitoyen) == [
            {"op": "generalise_location", "h3": 8},
            {"op": "aggregate", "window": "PT1H", "statistics": ["count"], "by": "cell", "k": 5},
            {"op": "noise", "epsilon": 1, "budget": 12, "per": "P1D"},
        ]


def test_an_owner_covers_parts_of_a_cameras_picture_for_good(browser: Browser, mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "watchmakers")
    owner.datastream("window-camera", kind="camera")
    with visitor(browser, mitoyen) as page:
        sign_in(page, owner.key, "/owner/offers/new")
        page.get_by_label("How thoroughly it is looked").select_option("thorough")
        page.get_by_role("button", name="Cover an area").click()
        first = page.get_by_role("group", name="Area 1")
        first.get_by_label("from the left").fill("50")
        frame = page.get_by_role("img", name=re.compile("always covered"))
        box = frame.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.9)
        page.mouse.up()
        expect(page.get_by_role("group", name="Area 2")).to_be_visible()
        assert not violations(page)
        page.get_by_role("button", name="Publish this offer").click()
        expect(page.get_by_role("heading", level=1, name="Less detail")).to_be_visible()
        (blur,) = _operators(page, mitoyen)
    assert (blur["op"], blur["level"]) == ("blur", "thorough")
    typed, drawn = blur["masks"]
    assert typed == [[0.5, 0], [0.8, 0], [0.8, 0.3], [0.5, 0.3]]
    assert [corner for point in (drawn[0], drawn[2]) for corner in point] == pytest.approx(
        [0.1, 0.4, 0.4, 0.9], abs=0.02
    )


def _operators(page: Page, mitoyen: Mitoyen) -> list[dict[str, Any]]:
    """Of the offer whose page is shown, without what was left to the broker."""
    operators = mitoyen.call(None, "GET", f"offers/{page.url.rsplit('/', 1)[1]}")["profile"]["operators"]
    return [{name: value for name, value in one.items() if (name, value) not in LEFT} for one in operators]


LEFT: tuple[tuple[str, object], ...] = (("bound", 1), ("districts", []))
