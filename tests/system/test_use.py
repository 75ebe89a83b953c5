"""Use, as both parties of an agreement see it: what was delivered live and over HTTP, by the hour, and what the quota leaves."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broker import times
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = times.parse("2026-03-01T00:00:00Z")


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "used")
    made.datastream("d")
    return made


def publish(owner: Owner, *numbers: int, datastream: str = "d") -> None:
    with Device(owner.mqtt) as device:
        records = [{"time": times.text(BEGIN + number * times.SECOND), "value": number} for number in numbers]
        device.publish(datastream, [json.dumps(record) for record in records])
        device.await_answers(len(numbers))


def use(mitoyen: Mitoyen, key: str, agreement: str, **query: str) -> Any:
    return mitoyen.call(key, "GET", f"agreements/{agreement}/use", **query)


def status(call: Any) -> int:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        call()
    return refused.value.response.status_code


def test_both_parties_read_what_was_delivered_live_and_over_http_and_what_the_quota_leaves(
    mitoyen: Mitoyen, owner: Owner
) -> None:
    offer = owner.offer(["d"], terms={"quota": {"per": "month", "records": 10_000}})
    reader, other = new_reader(mitoyen, "user"), new_reader(mitoyen, "non-user")
    agreed = reader.agree(offer["id"])
    with Subscriber(reader.mqtt) as hearing:
        hearing.subscribe(agreed["releases"][0]["topic"])
        publish(owner, *range(5))
        hearing.await_messages(5)
        heard = sum(len(_as_written(message)) for _, message in hearing.messages)
    found = reader.history(offer["releases"][0]["id"])
    assert len(found) == 5
    for key in (owner.key, reader.key):
        shown = use(mitoyen, key, agreed["id"])
        assert shown["live"] == {"records": 5, "bytes": heard}
        sent = shown["http"]["records"]
        assert sent in range(5, 10_000, 5), "each answer had all five, and it was asked until it was complete"
        assert shown["http"]["bytes"] > heard
        assert shown["quota"]["records"] == 10_000 - 5 - sent
        assert (shown["quota"]["bytes"], shown["quota"]["per"]) == (None, "month")
        assert sum(hour["live"]["records"] for hour in shown["hours"]) == 5
        assert all(hour["hour"].endswith(":00:00Z") for hour in shown["hours"])
        assert "upper bound" in shown["live_is"]
    assert status(lambda: use(mitoyen, other.key, agreed["id"])) == 403
    assert status(lambda: mitoyen.call(None, "GET", f"agreements/{agreed['id']}/use")) == 401


def _as_written(message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))


def test_hours_outside_what_is_asked_for_are_left_out_and_too_long_a_time_is_refused(
    mitoyen: Mitoyen, owner: Owner
) -> None:
    reader = new_reader(mitoyen, "selective")
    agreed = reader.agree(owner.offer(["d"])["id"])["id"]
    publish(owner, 20)
    mitoyen.await_that(lambda: use(mitoyen, reader.key, agreed)["live"]["records"] == 1, "it was not counted")
    before = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    assert use(mitoyen, reader.key, agreed, **before)["hours"] == []
    backwards = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
    assert status(lambda: use(mitoyen, reader.key, agreed, **backwards)) == 422
    assert status(lambda: use(mitoyen, reader.key, agreed, start="2020-01-01T00:00:00Z")) == 422


def test_what_is_open_to_anyone_is_counted_all_the_same(mitoyen: Mitoyen, owner: Owner) -> None:
    offer = owner.offer(["d"], {"op": "clip", "max": 1_000}, terms={"access": "open"})
    publish(owner, 30, 31)
    nobody = Reader(mitoyen, "", "", {})
    found = nobody.history(offer["releases"][0]["id"], start=times.text(BEGIN + 30 * times.SECOND))
    assert len(found) == 2
    (used,) = mitoyen.call(owner.key, "GET", f"offers/{offer['id']}/use")["uses"]
    assert used["agreement"] is None
    assert used["live"]["records"] == 2
    assert used["http"]["records"] in range(2, 1_000, 2)
    other = new_owner(mitoyen, "not-used")
    assert status(lambda: mitoyen.call(other.key, "GET", f"offers/{offer['id']}/use")) == 403


def test_what_was_accepted_is_stored_and_what_came_under_a_release_is_delivered_or_withheld(mitoyen: Mitoyen) -> None:
    made = new_owner(mitoyen, "reconciled")
    made.datastream("d")
    made.datastream("gate", kind="rfid", asset_prefixes=["urn:epc:id:sgtin:0614141."])
    halves = made.offer(["d"], {"op": "quantise", "step": 0.5})["releases"][0]
    named = made.offer(["gate"], {"op": "pseudonymise", "rotate": "P1D"})["releases"][0]
    monthly = made.offer(["d"], {"op": "aggregate", "window": "P31D", "statistics": ["mean"]})["releases"][0]
    later = made.offer(["d"], {"op": "delay", "by": "P300D"})["releases"][0]
    _known(made, halves, named, monthly, later)
    now = time.time_ns() - times.SECOND
    own, other = "urn:epc:id:sgtin:0614141.812345.{}", "urn:epc:id:sgtin:4012345.098765.{}"
    with Device(made.mqtt) as device:
        device.publish("d", [json.dumps({"time": times.text(now + n), "value": n}) for n in range(8)])
        device.publish("d", ['{"value": "broken"}', "no JSON", '{"value": true}'])
        device.publish(
            "gate",
            [json.dumps({"time": times.text(now), "epc": epc.format(n)}) for epc in (own, other) for n in range(3)],
        )
        device.await_answers(17)
    mitoyen.await_that(lambda: reconciled(made)["settled"] and reconciled(made)["stored"] == 16, "it is not settled")
    shown = reconciled(made)
    assert (shown["accepted"], shown["rejected"], shown["refused"]) == (16, 1, {})
    assert shown["accepted"] == shown["stored"] + sum(shown["refused"].values())
    releases = {one["release"]: one for one in shown["releases"]}
    assert all(
        one["released"] == one["delivered"] + sum(one["withheld"].values()) + one["waiting"]
        for one in releases.values()
    )
    assert told(releases[halves["id"]]) == (10, 8, {"not_a_number": 2}, 0)
    assert told(releases[named["id"]]) == (6, 3, {"no_consent": 3}, 0)
    assert told(releases[monthly["id"]]) == (10, 0, {}, 10)
    assert told(releases[later["id"]]) == (10, 0, {}, 10)
    measured = mitoyen.text(mitoyen.operator_key, "/metrics")
    for line in (
        f'mitoyen_release_released_total{{release="{named["id"]}"}} 6.0',
        f'mitoyen_release_delivered_total{{release="{named["id"]}"}} 3.0',
        f'mitoyen_release_withheld_total{{reason="no_consent",release="{named["id"]}"}} 3.0',
        f'mitoyen_release_waiting{{release="{monthly["id"]}"}} 10.0',
    ):
        assert line in measured


def test_the_sums_hold_for_the_whole_broker_and_are_not_counted_twice_after_a_crash(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        owner = new_owner(broker, "crashing")
        owner.datastream("d")
        _known(owner, owner.offer(["d"], {"op": "clip", "max": 5})["releases"][0])
        with Device(owner.mqtt) as device:
            for burst in range(3):
                device.publish("d", [json.dumps({"value": burst * 100 + n}) for n in range(100)])
                broker.kill("keeper")
            device.await_answers(300)
        broker.await_that(lambda: reconciled(owner)["settled"] and reconciled(owner)["stored"] == 300, "not settled")
        (release,) = reconciled(owner)["releases"]
        assert told(release) == (300, 300, {}, 0)
        sums = {name: broker.metric(f"mitoyen_reconciled_{name}_total") for name in ("accepted", "stored", "refused")}
        assert sums == {"accepted": 300.0, "stored": 300.0, "refused": 0.0}
        publish(owner, 1)  # of a keeper that started anew it is not known how long what came before it waited
        slowest = f'mitoyen_release_delay_seconds{{release="{release["release"]}"}}'
        broker.await_that(lambda: slowest in broker.text(broker.operator_key, "/metrics"), "no delay is told")


def reconciled(owner: Owner) -> Any:
    return owner.broker.call(owner.key, "GET", "reconciliation")


def told(release: dict[str, Any]) -> tuple[int, int, dict[str, int], int]:
    return release["released"], release["delivered"], release["withheld"], release["waiting"]


def _known(owner: Owner, *releases: dict[str, Any]) -> None:
    """Wait until the keeper knows them, and what was there before them is filled in."""
    reader = new_reader(owner.broker, f"looks-at-{owner.id}")
    for release in releases:
        _, _, offer, _ = release["topic"].split("/")
        reader.agree(offer)
        reader.history(release["id"])
