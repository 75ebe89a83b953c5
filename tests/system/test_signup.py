"""Joining in: at once, by published criteria, or not at all; and what is not used ends by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

CRITERIA = ["It has a seat in the city", "It says what it is here for"]


@pytest.fixture(scope="module")
def automatic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "SIGNUP_UNUSED": "PT6S", "SIGNUP_PER_HOUR": "2"}
    with Mitoyen(tmp_path_factory.mktemp("automatic"), environment=settings) as running:
        yield running


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "SIGNUP": "criteria", "SIGNUP_CRITERIA": json.dumps(CRITERIA)}
    with Mitoyen(tmp_path_factory.mktemp("deciding"), environment=settings) as running:
        yield running


def sign_up(broker: Mitoyen, address: str, **body: str) -> httpx.Response:
    """From this address, as a proxy on the broker's machine says."""
    with broker.client() as client:
        return client.post("/api/v1/signup", json=body, headers={"X-Forwarded-For": address})


def events(broker: Mitoyen, **which: str) -> list[str]:
    told = broker.call(None, "GET", "ledger", limit="10000")
    return [entry["event"] for entry in told if which.items() <= entry.items()]


def keyed(broker: Mitoyen, key: str) -> int:
    with broker.client(key) as client:
        return client.get("/api/v1/gateways").status_code


def test_an_organisation_makes_itself_and_one_that_does_nothing_ends_by_itself(automatic: Mitoyen) -> None:
    assert automatic.call(None, "GET", "signup") == {"mode": "automatic", "criteria": [], "unused_after_s": 6}
    active = sign_up(automatic, "192.0.2.1", id="active", name="Active").json()
    automatic.call(active["key"], "POST", "gateways", {"id": "g"})
    idle = sign_up(automatic, "192.0.2.2", id="idle", name="Idle", contact="idle@example.org").json()
    assert (active["state"], active["id"]) == ("granted", "active")
    assert sign_up(automatic, "192.0.2.2", id="active", name="Again").status_code == 409
    automatic.await_that(lambda: keyed(automatic, idle["key"]) == 401, "it is still there")
    assert keyed(automatic, active["key"]) == 200
    assert [one["id"] for one in automatic.call(None, "GET", "organisations")] == ["active"]
    shown = automatic.call(None, "GET", f"signups/{idle['signup']}")
    assert shown["state"] == "expired"
    assert events(automatic, organisation="idle") == ["organisation_registered", "organisation_removed"]


def test_an_address_may_sign_up_so_often_and_no_more(automatic: Mitoyen) -> None:
    answers = [sign_up(automatic, "192.0.2.9", name="Many").status_code for _ in range(3)]
    assert answers == [201, 201, 429]
    assert sign_up(automatic, "192.0.2.10", name="Other").status_code == 201


def test_a_sign_up_is_decided_by_a_published_criterion_and_its_key_opens_nothing_before(deciding: Mitoyen) -> None:
    assert deciding.call(None, "GET", "signup")["criteria"] == CRITERIA
    trees = sign_up(deciding, "192.0.2.1", id="trees", name="Trees", statement="To water them").json()
    other = sign_up(deciding, "192.0.2.1", id="other", name="Other").json()
    assert (trees["state"], keyed(deciding, trees["key"])) == ("requested", 401)
    assert deciding.call(None, "GET", "organisations") == []
    waiting = deciding.call(deciding.operator_key, "GET", "signups")
    assert {one["id"]: one["statement"] for one in waiting} == {"trees": "To water them", "other": None}
    with pytest.raises(httpx.HTTPStatusError):
        deciding.call(trees["key"], "GET", "signups")
    assert decide(deciding, trees, grant=True)["state"] == "granted"
    assert keyed(deciding, trees["key"]) == 200
    with pytest.raises(httpx.HTTPStatusError) as not_published:
        decide(deciding, other, grant=False, criterion="We do not like them")
    assert not_published.value.response.json()["reason"] == "no_such_criterion"
    refused = decide(deciding, other, grant=False, criterion=CRITERIA[1], reason="It says nothing")
    assert (refused["state"], refused["criterion"]) == ("refused", CRITERIA[1])
    assert keyed(deciding, other["key"]) == 401
    assert deciding.call(deciding.operator_key, "GET", "signups") == []
    assert events(deciding, signup=other["signup"]) == ["signup_requested", "signup_refused"]
    with pytest.raises(httpx.HTTPStatusError) as decided:
        decide(deciding, other, grant=True)
    assert decided.value.response.status_code == 409


def decide(broker: Mitoyen, signup: dict[str, Any], **decision: Any) -> dict[str, Any]:
    path = f"signups/{signup['signup']}/decision"
    made: dict[str, Any] = broker.call(broker.operator_key, "POST", path, decision)
    return made
