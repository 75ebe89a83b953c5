"""Use, as both parties of an agreement see it: what was delivered live and over HTTP, by the hour, and what the quota leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broker import times
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from tests.servers import Mitoyen

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
    offer = owner.offer(["d"], terms={"quota": {"per": "month", "records": 100}})
    reader, other = new_reader(mitoyen, "user"), new_reader(mitoyen, "stranger")
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
        assert shown["http"]["records"] == 5
        assert shown["http"]["bytes"] > heard
        assert (shown["quota"]["records"], shown["quota"]["bytes"], shown["quota"]["per"]) == (90, None, "month")
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
    assert (used["live"]["records"], used["http"]["records"]) == (2, 2)
    other = new_owner(mitoyen, "not-used")
    assert status(lambda: mitoyen.call(other.key, "GET", f"offers/{offer['id']}/use")) == 403
