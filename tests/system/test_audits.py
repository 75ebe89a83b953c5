"""Audits over HTTP: an owner has a profile attacked before anything is offered, beside what comes in and never for long."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from broker import times
from broker.audits import Audits
from broker.control import Audit
from broker.model import Datastream, OrganisationId
from tests.owners import Owner, new_owner
from tests.publisher import Device

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Mitoyen

BEGIN = times.parse("2026-03-01T00:00:00Z")
TAG = "urn:epc:id:sgtin:0614141.812345.{}"
COUNTS = {"op": "aggregate", "window": "PT1H", "statistics": ["count"], "k": 5}


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    """Seven tags are read at one gate in four hours of two days, three in a fifth; two at the other."""
    made = new_owner(mitoyen, "attacked")
    made.datastream("gate", kind="rfid")
    made.datastream("door", kind="rfid")
    made.datastream("pm25")
    stored = made.broker.metric("mitoyen_records_stored_total")
    visits = [(day * 24 + hour, tag) for day in range(2) for hour in range(5) for tag in range(7 if hour < 4 else 3)]
    crowd = [{"time": times.text(BEGIN + hour * times.HOUR), "epc": TAG.format(tag)} for hour, tag in visits]
    with Device(made.mqtt) as device:
        device.publish("gate", [json.dumps(record) for record in crowd])
        device.publish("door", [json.dumps(record) for record in crowd[:2]])
        device.await_answers(len(crowd) + 2)
    made.broker.await_metric("mitoyen_records_stored_total", lambda now: now >= stored + len(crowd) + 2)
    return made


def ask(owner: Owner, datastream: str, *operators: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and answer."""
    body = {"datastreams": [datastream], "profile": {"name": "tested", "operators": list(operators)}}
    with owner.broker.client(owner.key) as client:
        answer = client.post("/api/v1/audits", json=body, timeout=60)
        return answer.status_code, answer.json()


def test_a_profile_is_attacked_before_it_is_offered(owner: Owner) -> None:
    status, answer = ask(owner, "gate", COUNTS)
    assert (status, answer["detail"], answer["complete"]) == (200, "", True), answer
    attacks = {one["attack"]: one for one in answer["attacks"]}
    assert attacks["unicity, 4 known"]["success"] == 0
    assert (attacks["unicity, 5 known"]["chance"], attacks["unicity, 5 known"]["tried"]) == (pytest.approx(1 / 7), 6)
    assert attacks["differencing"]["success"] is None, "two windows are withheld: too few for a share"
    assert attacks["side channels"]["success"] == 0.5
    assert attacks["membership inference"]["tried"] == 7
    assert attacks["differencing"]["sentence"].startswith("Who subtracts what is told")
    assert TAG[:20] not in json.dumps(answer)
    _, named = ask(owner, "gate", {"op": "pseudonymise", "rotate": "P1D"})
    assert {one["success"] for one in named["attacks"]} == {None}, "nobody consented"
    events = owner.broker.call(None, "GET", "ledger", limit="10000")
    looked = [
        e["datastream"] for e in events if e["event"] == "personal_data_previewed" and e["organisation"] == owner.id
    ]
    assert "gate" in looked


def test_of_fewer_than_five_people_and_of_things_no_share_is_told(owner: Owner) -> None:
    status, few = ask(owner, "door", COUNTS)
    assert (status, few["attacks"]) == (200, [])
    assert "Fewer than 5 people" in few["detail"]
    status, things = ask(owner, "pm25")
    assert (status, things["attacks"]) == (200, [])
    assert "privacy unit" in things["detail"]


def test_one_audit_runs_at_a_time(owner: Owner) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: ask(owner, "gate", COUNTS), range(3)))
    statuses = [status for status, _ in answers]
    assert 200 in statuses
    assert {answer["reason"] for status, answer in answers if status != 200} == {"audit_running"}


async def test_an_audit_that_takes_too_long_is_ended_and_says_nothing(tmp_path: Path) -> None:
    looked: list[tuple[str, str]] = []
    gate = Datastream(OrganisationId("o"), "gate", "g", "rfid", personal_data=True, privacy_unit="tag")
    audits = Audits(tmp_path / "settings.json", lambda *what: looked.append(what), longest_s=0.01)
    asked = Audit("o", ["gate"], "{}", ["any"], 7)
    answer = await asyncio.wait_for(audits.answer(asked, (gate,), times.DAY), 10)
    assert (answer.refused, answer.attacks, looked) == ("audit_too_long", [], [("o", "gate")])
