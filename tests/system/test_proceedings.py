"""Requests for data and disputes, from the first word to the public ruling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import Owner, Reader, new_owner

if TYPE_CHECKING:
    from tests.servers import Mitoyen


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "asked")
    made.datastream("shut", closed="Nobody asked yet")
    made.datastream("d")
    return made


@pytest.fixture(scope="module")
def asking(mitoyen: Mitoyen) -> Owner:
    return new_owner(mitoyen, "asking-lab")


@pytest.fixture(scope="module")
def applicant(mitoyen: Mitoyen) -> tuple[str, Reader]:
    """An organisation's key, and an application of its own."""
    key = mitoyen.call(mitoyen.operator_key, "POST", "organisations", {"id": "applicant", "name": "A"})["key"]
    made = mitoyen.call(key, "POST", "applications", {"id": "applicants"})
    return key, Reader(mitoyen, "applicants", made["key"], made["mqtt"])


def refused(broker: Mitoyen, key: str | None, method: str, path: str, body: Any = None) -> tuple[int, str | None]:
    with pytest.raises(httpx.HTTPStatusError) as raised:
        broker.call(key, method, path, body)
    return raised.value.response.status_code, raised.value.response.json().get("reason")


def test_a_request_for_closed_data_is_supported_and_answered_in_public(
    mitoyen: Mitoyen, owner: Owner, asking: Owner
) -> None:
    wish = {"of": "asked", "datastream": "shut", "wish": "To see where it is loud at night"}
    assert refused(mitoyen, None, "POST", "requests", wish)[0] == 401
    assert refused(mitoyen, owner.key, "POST", "requests", wish) == (403, "your_own")
    assert refused(mitoyen, asking.key, "POST", "requests", {**wish, "offer": "x"}) == (422, "about_one")
    request = mitoyen.call(asking.key, "POST", "requests", wish)
    path = f"requests/{request['id']}"
    third = new_owner(mitoyen, "third")
    assert refused(mitoyen, asking.key, "PUT", f"{path}/support") == (403, "others_support")
    mitoyen.call(third.key, "PUT", f"{path}/support")
    assert refused(mitoyen, third.key, "PUT", f"{path}/answer", {"outcome": "declined", "text": "No"})[0] == 403
    opened = {"outcome": "opened", "text": "Since you ask"}
    assert refused(mitoyen, owner.key, "PUT", f"{path}/answer", opened) == (422, "opened_by_offer")
    offer = owner.offer(["shut"])
    mitoyen.call(owner.key, "PUT", f"{path}/answer", {**opened, "offer": offer["id"]})
    (shown,) = mitoyen.call(None, "GET", "requests", of="asked")
    assert (shown["supporters"], shown["answer"]["outcome"], shown["answer"]["offer"]) == (
        ["third"],
        "opened",
        offer["id"],
    )
    assert refused(mitoyen, asking.key, "POST", "requests", wish)[0] == 409
    assert refused(mitoyen, third.key, "DELETE", path, {"reason": "not mine"})[0] == 403
    mitoyen.call(asking.key, "DELETE", path, {"reason": "We have it now"})
    assert refused(mitoyen, None, "GET", path)[0] == 404


def test_a_refusal_is_disputed_and_ruled_on_in_public(
    mitoyen: Mitoyen, owner: Owner, asking: Owner, applicant: tuple[str, Reader]
) -> None:
    key, reader = applicant
    criterion = "The purpose is stated"
    offer = owner.offer(["d"], terms={"approval": "manual", "criteria": [criterion]})
    agreement = reader.agree(offer["id"])["id"]
    complaint = {"agreement": agreement, "over": "refusal", "statement": "It was stated"}
    assert refused(mitoyen, key, "POST", "disputes", complaint) == (422, "nothing_to_dispute")
    decision = {"grant": False, "criterion": criterion}
    mitoyen.call(owner.key, "POST", f"agreements/{agreement}/decision", decision)
    assert refused(mitoyen, asking.key, "POST", "disputes", complaint)[0] == 403
    dispute = mitoyen.call(key, "POST", "disputes", complaint)
    assert (dispute["against"], dispute["ruling"]) == ("asked", None)
    ruling = {"upheld": True, "reasons": "It was: the request says teaching"}
    path = f"disputes/{dispute['id']}"
    assert refused(mitoyen, owner.key, "POST", f"{path}/ruling", ruling) == (403, "operator_only")
    mitoyen.call(mitoyen.operator_key, "POST", f"{path}/ruling", ruling)
    assert refused(mitoyen, mitoyen.operator_key, "POST", f"{path}/ruling", ruling)[0] == 409
    shown = next(one for one in mitoyen.call(None, "GET", "disputes") if one["id"] == dispute["id"])
    assert (shown["ruling"]["upheld"], shown["ruling"]["reasons"]) == (True, ruling["reasons"])
    told = mitoyen.call(None, "GET", "ledger", limit="10000")
    events = [(e["event"], e.get("upheld")) for e in told if e.get("dispute") == dispute["id"]]
    assert events == [("dispute_opened", None), ("dispute_ruled", True)]


def test_a_declined_request_and_a_discrimination_are_disputed_too(
    mitoyen: Mitoyen, owner: Owner, asking: Owner, applicant: tuple[str, Reader]
) -> None:
    key, _ = applicant
    offer = owner.offer(["d"])["id"]
    about_offer = {"offer": offer, "over": "discrimination", "statement": "Others pay less"}
    assert refused(mitoyen, owner.key, "POST", "disputes", about_offer) == (403, "your_own")
    assert mitoyen.call(key, "POST", "disputes", about_offer)["offer"] == offer
    wish = {"of": "asked", "offer": offer, "wish": "Without the price"}
    request = mitoyen.call(asking.key, "POST", "requests", wish)["id"]
    about_request = {"request": request, "over": "refusal", "statement": "No reason was given"}
    assert refused(mitoyen, asking.key, "POST", "disputes", about_request) == (422, "nothing_to_dispute")
    mitoyen.call(owner.key, "PUT", f"requests/{request}/answer", {"outcome": "declined", "text": "No"})
    assert mitoyen.call(asking.key, "POST", "disputes", about_request)["against"] == "asked"
    taken_down = mitoyen.call(asking.key, "POST", "disputes", about_request)["id"]
    mitoyen.call(mitoyen.operator_key, "DELETE", f"disputes/{taken_down}", {"reason": "It names a person"})
    assert refused(mitoyen, None, "GET", f"disputes/{taken_down}")[0] == 404
