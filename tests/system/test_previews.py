"""Previews: what an owner is shown before an offer is what an application reads after it, and of people nothing more than that."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broker import times
from tests.owners import TERMS, Owner, Reader, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

BEGIN = times.parse("2026-03-01T00:00:00Z")
SPAN = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T00:10:00Z"}
PROFILES = [
    [],
    [{"op": "round_time", "to": "PT10S"}, {"op": "quantise", "step": 2}],
    [{"op": "clip", "min": 5, "max": 9}, {"op": "generalise_location", "h3": 7}],
    [{"op": "sample", "every": "PT30S"}],
    [{"op": "delay", "by": "PT1H"}],
    [{"op": "aggregate", "window": "PT1M", "statistics": ["mean", "count"]}, {"op": "quantise", "step": 0.5}],
]
TAG = "urn:epc:id:sgtin:0614141.812345.{}"


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "previewing")
    made.datastream("d", unit="Cel", location={"type": "Point", "coordinates": [4.835, 45.767]})
    publish(made, "d", [{"time": at(7 * n), "value": n} for n in range(60)])
    return made


@pytest.fixture(scope="module")
def reader(mitoyen: Mitoyen) -> Reader:
    return new_reader(mitoyen, "onlooker")


def at(seconds: float) -> str:
    return times.text(BEGIN + int(seconds * times.SECOND))


def publish(owner: Owner, datastream: str, records: list[dict[str, Any]]) -> None:
    stored = owner.broker.metric("mitoyen_records_stored_total")
    with Device(owner.mqtt) as device:
        device.publish(datastream, [json.dumps(record) for record in records])
        device.await_answers(len(records))
    owner.broker.await_metric("mitoyen_records_stored_total", lambda now: now >= stored + len(records))


def preview(owner: Owner, reader: Reader, datastream: str, *operators: dict[str, Any], **more: Any) -> Any:
    terms = {**TERMS, **more.pop("terms", {})}
    body = {
        "datastream": datastream,
        "profile": {"name": "tested", "operators": list(operators)},
        "terms": terms,
        "application": reader.id,
        **more,
    }
    return owner.broker.call(owner.key, "POST", "previews", body)


def refusal(call: Any) -> tuple[int, str | None]:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        call()
    return refused.value.response.status_code, refused.value.response.json().get("reason")


@pytest.mark.parametrize("operators", PROFILES, ids=lambda operators: "+".join(o["op"] for o in operators) or "raw")
def test_what_is_shown_before_is_what_is_read_after(owner: Owner, reader: Reader, operators: list[Any]) -> None:
    shown = preview(owner, reader, "d", *operators, **SPAN)
    assert (shown["permitted"], shown["complete"], shown["looked_at"]) == (True, True, 60)
    offer = owner.offer(["d"], *operators)
    reader.agree(offer["id"])
    release = offer["releases"][0]
    assert shown["past"]
    owner.broker.await_that(lambda: bool(reader.history(release["id"], **SPAN)), "the past was not filled in")
    assert reader.history(release["id"], **SPAN) == shown["past"]
    assert shown["past"] == list({message["time"]: message for message in shown["live"]["messages"]}.values())
    assert shown["location"] == release["location"]
    assert shown["live"]["properties"] == {"licence": "CC-BY-4.0", "attribution": "A test", "profile": "tested"}
    if all(operator["op"] != "aggregate" for operator in operators):
        assert len(shown["past"]) + sum(shown["withheld"].values()) == 60


def test_the_newest_is_looked_at_where_no_time_is_given(owner: Owner, reader: Reader) -> None:
    shown = preview(owner, reader, "d", limit=5)
    assert (
        shown["live"]["retained"]
        == shown["past"][-1]
        == {"datastream": "d", "time": at(413), "value": 59, "unit": "Cel"}
    )
    assert (len(shown["past"]), shown["complete"]) == (5, False)


def test_of_people_only_what_would_be_released_is_shown_and_the_look_is_on_the_ledger(
    owner: Owner, reader: Reader
) -> None:
    owner.datastream("gate", kind="rfid", asset_prefixes=["urn:epc:id:sgtin:0614141."])
    owner.datastream("hall", kind="rfid")
    crowd = [{"time": at(60 + n), "epc": TAG.format(n)} for n in range(6)]
    few = [{"time": at(120 + n), "epc": TAG.format(n)} for n in range(4)]
    foreign = [{"time": at(180), "epc": "urn:epc:id:sgtin:4012345.098765.1"}]
    publish(owner, "gate", crowd + few + foreign)
    publish(owner, "hall", crowd + few)
    count = {"op": "aggregate", "window": "PT1M", "statistics": ["count"], "k": 5}
    shown = preview(owner, reader, "hall", count, **SPAN)
    assert [(m["time"], m["value"]) for m in shown["live"]["messages"]] == [(at(60), 6)]
    assert (shown["past"], shown["withheld"], shown["looked_at"]) == ([], None, None)
    named = preview(owner, reader, "gate", {"op": "pseudonymise", "rotate": "P1D"}, **SPAN)
    again = preview(owner, reader, "gate", {"op": "pseudonymise", "rotate": "P1D"}, **SPAN)
    tags, others = ({m["tag"] for m in one["live"]["messages"]} for one in (named, again))
    assert len(tags) == len(others) == 6
    assert not tags & others, "names of a preview are of that preview alone"
    assert all(re.fullmatch("[0-9a-f]{32}", tag) for tag in tags)
    assert refusal(lambda: preview(owner, reader, "gate", **SPAN)) == (422, "personal_data_raw")
    ledger = owner.broker.call(None, "GET", "ledger", limit="10000")
    told = [e for e in ledger if e["event"] == "personal_data_previewed" and e["organisation"] == owner.id]
    assert [e["datastream"] for e in told] == ["hall", "gate", "gate"]


def test_an_application_that_may_not_is_shown_to_see_nothing(owner: Owner, reader: Reader) -> None:
    shown = preview(owner, reader, "d", purpose="resale", terms={"purposes": ["research"]}, **SPAN)
    assert (shown["permitted"], shown["reason"], shown["past"], shown["live"]) == (
        False,
        "purpose_not_permitted",
        [],
        None,
    )
    assert preview(owner, reader, "d", terms={"approval": "manual", "criteria": ["x"]}, **SPAN)["after_approval"]


def test_only_the_owner_looks_and_not_without_end(mitoyen: Mitoyen, owner: Owner, reader: Reader) -> None:
    other = new_owner(mitoyen, "prying")
    assert refusal(lambda: preview(Owner(mitoyen, "", other.key, {}), reader, "d"))[0] == 404
    assert refusal(lambda: preview(Owner(mitoyen, "", reader.key, {}), reader, "d")) == (403, "organisation_only")
    assert refusal(lambda: preview(owner, reader, "d", start=SPAN["end"], end=SPAN["start"])) == (422, "no_such_time")
    other.datastream("d")
    began = time.monotonic()
    answered = [preview(other, reader, "d")["permitted"] for _ in range(20)]
    assert all(answered)
    if time.monotonic() - began < 55:
        assert refusal(lambda: preview(other, reader, "d")) == (429, "too_many_previews")


def test_the_process_that_serves_the_public_holds_no_raw_store(mitoyen: Mitoyen, owner: Owner, reader: Reader) -> None:
    preview(owner, reader, "d", **SPAN)
    open_files = {part: _open_files(mitoyen.part(part)) for part in ("api", "broker")}
    assert any(name.startswith("raw.sqlite") for name in open_files["broker"])
    assert not any(name.startswith("raw.sqlite") for name in open_files["api"])


def _open_files(process: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            found.add(descriptor.readlink().name)
        except FileNotFoundError:  # it was closed meanwhile
            continue
    return found
