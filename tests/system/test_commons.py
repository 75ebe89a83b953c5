"""A commons: closed sensors are listed too, licences are ones that exist, and the sandbox needs nothing but curl."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import Owner, new_owner
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = {"type": "Point", "coordinates": [4.835123, 45.767891]}


def refusal(call: httpx.HTTPStatusError) -> tuple[int, str]:
    return call.response.status_code, call.response.json()["reason"]


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "commons")
    made.datastream("shown", location=PLACE)
    made.datastream("shut", location=PLACE, observed_property="noise", closed="Beside a school", description="Room 12")
    return made


def test_closed_sensors_are_listed_with_why_and_only_roughly_where(mitoyen: Mitoyen, owner: Owner) -> None:
    offer = owner.offer(["shown"])
    listed = {one["id"]: one for one in mitoyen.call(None, "GET", "directory", organisation="commons")}
    assert listed["shown"]["offers"] == [offer["id"]]
    shut = listed["shut"]
    assert (shut["offers"], shut["closed"], shut["kind"], shut["observed_property"]) == (
        [],
        "Beside a school",
        "measurement",
        "noise",
    )
    assert "description" not in shut
    for exact, told in zip(PLACE["coordinates"], shut["location"]["coordinates"], strict=True):
        assert 0 < abs(exact - told) < 0.03
    only_closed = mitoyen.call(None, "GET", "directory", organisation="commons", closed="true")
    assert [one["id"] for one in only_closed] == ["shut"]
    assert [one["id"] for one in mitoyen.call(None, "GET", "directory", organisation="commons", closed="false")] == [
        "shown"
    ]
    mitoyen.call(owner.key, "PATCH", "datastreams/shut", {"closed": "It is being repaired"})
    changed = mitoyen.call(None, "GET", "directory", after="commons/shown", limit="1")
    assert [(one["id"], one["closed"]) for one in changed] == [("shut", "It is being repaired")]


@pytest.mark.parametrize(
    ("licence", "written", "is_open"),
    [
        ("cc-by-4.0", "CC-BY-4.0", True),
        ("Licence Ouverte 2.0", "etalab-2.0", True),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", False),
        ("MIT", "MIT", None),
        ("https://example.org/licence", "https://example.org/licence", None),
    ],
)
def test_a_licence_is_written_as_spdx_has_it_or_as_its_uri(
    owner: Owner, licence: str, written: str, is_open: bool | None
) -> None:
    offer = owner.offer(["shown"], terms={"licence": licence, "redistribution": True})
    assert (offer["terms"]["licence"], offer["licence"]["open"]) == (written, is_open)
    assert offer["duties"] == ["Name the source: A test.", "It may be passed on."]


@pytest.mark.parametrize("licence", ["CC-BY", "MIT OR Apache-2.0", "LicenseRef-ours", "ours alone", "javascript:1"])
def test_a_licence_that_nobody_can_look_up_is_refused(owner: Owner, licence: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        owner.offer(["shown"], terms={"licence": licence})
    assert refusal(refused.value) == (422, "unknown_licence")


@pytest.mark.parametrize("more", [{"exclusive": True}, {"only": ["us"]}, {"applications": ["ours"]}])
def test_no_offer_can_say_who_may_accept_it(owner: Owner, more: dict[str, Any]) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        owner.offer(["shown"], terms=more)
    assert refusal(refused.value) == (422, "invalid")


# --- a broker of their own, with house rules ---


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(
        tmp_path_factory.mktemp("strict"), environment={"JUSTIFY_PURPOSES": "true", "SIGNUP": "closed"}
    ) as broker:
        yield broker


def test_where_the_operator_asks_for_it_purposes_are_restricted_only_with_a_published_justification(
    strict: Mitoyen,
) -> None:
    owner = new_owner(strict, "justified")
    owner.datastream("d")
    with pytest.raises(httpx.HTTPStatusError) as refused:
        owner.offer(["d"], terms={"purposes": ["research"]})
    assert refusal(refused.value) == (422, "no_justification")
    why = "The sensors' maker allows no more until 2028"
    offer = owner.offer(["d"], terms={"purposes": ["research"], "justification": why})
    assert strict.call(None, "GET", f"offers/{offer['id']}")["terms"]["justification"] == why


def test_where_signing_up_is_closed_the_operator_alone_registers(strict: Mitoyen) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        strict.call(None, "POST", "signup", {"name": "Nobody"})
    assert refusal(refused.value) == (403, "signup_closed")


def test_the_sandbox_needs_nothing_but_curl(strict: Mitoyen) -> None:
    owner = new_owner(strict, "sandbox")
    owner.datastream("made-up", simulated=True, unit="Cel")
    owner.datastream("real")
    offer = owner.offer(["made-up", "real"], terms={"access": "open"})
    assert [(one["datastream"], one["simulated"]) for one in offer["releases"]] == [("made-up", True), ("real", False)]
    (found,) = json.loads(curl(strict, "/api/v1/sandbox"))
    assert (found["datastream"], found["unit"]) == ("made-up", "Cel")
    with Device(owner.mqtt) as device:
        device.publish("made-up", [json.dumps({"time": "2026-03-01T00:00:00Z", "value": 21.5})])
        device.await_answers(1)
    strict.await_that(lambda: '"value":21.5' in curl(strict, found["observations"]), "not in history")
    live = subprocess.Popen(
        ["curl", "-sN", "--noproxy", "*", strict.url + found["live"]], stdout=subprocess.PIPE, text=True
    )
    assert live.stdout is not None
    try:
        assert '"value":21.5' in next(line for line in live.stdout if line.startswith("data:"))
    finally:
        live.kill()
        live.communicate()


def curl(broker: Mitoyen, path: str) -> str:
    typed = ["curl", "-sf", "--noproxy", "*", broker.url + path]
    return subprocess.run(typed, check=True, capture_output=True, text=True).stdout
