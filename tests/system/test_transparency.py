"""The public account: what is shared, used, refused, charged and learned, as anyone reads it, and nothing about a person."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "seen-through")
    made.datastream("d")
    return made


@pytest.fixture(scope="module")
def reader(mitoyen: Mitoyen) -> Reader:
    return new_reader(mitoyen, "reciprocal")


def drawn_up(mitoyen: Mitoyen) -> Any:
    return mitoyen.call(None, "GET", "transparency")


def row(mitoyen: Mitoyen, kind: str, name: str, of: str) -> Any:
    (found,) = [one for one in drawn_up(mitoyen)[kind] if one[of] == name]
    return found


def status(call: Any) -> int:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        call()
    return refused.value.response.status_code


def test_anyone_reads_what_is_shared_used_refused_and_charged(mitoyen: Mitoyen, owner: Owner, reader: Reader) -> None:
    offer = owner.offer(["d"], terms={"purposes": ["testing"], "price": "=1 EUR for each 1000"})
    agreed = reader.agree(offer["id"])["id"]
    body = {"offer": offer["id"], "application": reader.id, "purpose": "resale", "accept": True}
    assert status(lambda: mitoyen.call(reader.key, "POST", "agreements", body)) == 422
    with Device(owner.mqtt) as device:
        device.publish("d", [json.dumps({"time": f"2026-03-01T00:00:0{n}Z", "value": n}) for n in range(3)])
        device.await_answers(3)
    assert len(reader.history(offer["releases"][0]["id"])) == 3
    stated = {"id": "march", "amount": "3.10", "currency": "EUR"}
    mitoyen.call(owner.key, "POST", f"agreements/{agreed}/charges", stated)
    mitoyen.call(owner.key, "POST", f"agreements/{agreed}/charges", {**stated, "id": "april", "amount": "0.90"})
    mitoyen.call(reader.key, "POST", "charges/march/answer", {"confirm": True})

    def in_use() -> bool:
        shown = row(mitoyen, "offers", offer["id"], "offer")
        return bool(shown["received"]) and shown["live"]["records"] == 3

    mitoyen.await_that(in_use, "it does not show")
    shown = row(mitoyen, "offers", offer["id"], "offer")
    assert (shown["agreements"], shown["purposes"], shown["refusals"]) == ({"active": 1}, {"testing": 1}, 1)
    assert shown["readers"] == {reader.id: "testing"}
    assert shown["published"] == shown["live"]
    assert shown["http"]["records"] in range(3, 3_000, 3), "it was asked until it was complete"
    assert shown["charged"] == [{"currency": "EUR", "amount": "4.00"}]
    assert shown["received"] == [{"currency": "EUR", "amount": "3.10"}]
    gives = row(mitoyen, "organisations", "seen-through", "organisation")
    uses = row(mitoyen, "organisations", "reciprocal-org", "organisation")
    assert (gives["agreements_on_its_offers"], uses["agreements_of_its_applications"]) == (1, 1)
    assert gives["given_live"] == uses["used_live"] == shown["live"]
    assert (gives["received"], uses["paid"], uses["charged"]) == (shown["received"], shown["received"], [])


def test_it_is_a_table_too_which_holds_no_formula(mitoyen: Mitoyen, owner: Owner) -> None:
    made, other = owner.offer(["d"], terms={"price": "=2+2"})["id"], new_reader(mitoyen, "spreadsheet")
    body = {"offer": made, "application": other.id, "purpose": "-A1", "accept": True}
    mitoyen.call(other.key, "POST", "agreements", body)
    mitoyen.await_that(lambda: body["purpose"] in json.dumps(drawn_up(mitoyen)), "it does not show")
    rows = list(csv.DictReader(mitoyen.text(None, "/api/v1/transparency?format=csv").splitlines()))
    (shown,) = [one for one in rows if one["offer"] == made]
    assert (shown["price"], shown["live_records"], shown["agreements"]) == ("'=2+2", "0", "active=1")
    assert shown["purposes"] == "'-A1=1"
    with mitoyen.client() as client:
        answer = client.get("/api/v1/transparency", params={"table": "organisations"}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "seen-through" in {one["organisation"] for one in csv.DictReader(answer.text.splitlines())}


def test_each_side_speaks_for_itself_about_a_charge(mitoyen: Mitoyen, owner: Owner, reader: Reader) -> None:
    agreed = reader.agree(owner.offer(["d"])["id"])["id"]
    path, charge = f"agreements/{agreed}/charges", {"id": "june", "amount": "1", "currency": "EUR"}
    assert status(lambda: mitoyen.call(reader.key, "POST", path, charge)) == 403
    mitoyen.call(owner.key, "POST", path, charge)
    assert status(lambda: mitoyen.call(owner.key, "POST", "charges/june/answer", {"confirm": True})) == 403
    assert status(lambda: mitoyen.call(reader.key, "DELETE", "charges/june", {"reason": "no"})) == 403
    declined = mitoyen.call(reader.key, "POST", "charges/june/answer", {"confirm": False, "reason": "Never agreed"})
    assert (declined["state"], declined["reason"]) == ("declined", "Never agreed")
    assert [one["id"] for one in mitoyen.call(reader.key, "GET", path)] == ["june"]
    for wrong in (
        {"amount": "1e3"},
        {"amount": "-1"},
        {"currency": "euro"},
        {"begins": "2026-02-01T00:00:00Z", "ends": "2026-01-01T00:00:00Z"},
    ):
        assert status(lambda wrong=wrong: mitoyen.call(owner.key, "POST", path, {**charge, "id": "x", **wrong})) == 422


def test_what_was_learned_is_public_and_removable(mitoyen: Mitoyen, owner: Owner, reader: Reader) -> None:
    path = f"applications/{reader.id}/findings"
    learned = {"id": "learned", "title": "Air at school gates", "link": "https://example.org/gates"}
    assert status(lambda: mitoyen.call(owner.key, "POST", path, learned)) == 403
    assert status(lambda: mitoyen.call(reader.key, "POST", path, {**learned, "link": "javascript:alert(1)"})) == 422
    mitoyen.call(reader.key, "POST", path, learned)
    assert "learned" in [one["id"] for one in mitoyen.call(None, "GET", "findings")]
    mitoyen.await_that(lambda: "https://example.org/gates" in json.dumps(drawn_up(mitoyen)), "it does not show")
    assert status(lambda: mitoyen.call(owner.key, "DELETE", "findings/learned")) == 403
    mitoyen.call(mitoyen.operator_key, "DELETE", "findings/learned")
    assert "https://example.org/gates" not in json.dumps([drawn_up(mitoyen), mitoyen.call(None, "GET", "findings")])
    assert status(lambda: mitoyen.call(reader.key, "DELETE", "findings/learned")) == 404


def test_nobody_is_named_in_it(mitoyen: Mitoyen) -> None:
    made = {"id": "one-person", "name": "Ada Byron", "contact": "ada@example.org"}
    mitoyen.call(mitoyen.operator_key, "POST", "organisations", made)
    mitoyen.await_that(lambda: "one-person" in json.dumps(drawn_up(mitoyen)), "it does not show")
    assert not {"Ada Byron", "ada@example.org"} & set(json.dumps(drawn_up(mitoyen)).split('"'))
