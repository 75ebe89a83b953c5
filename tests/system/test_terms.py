"""Terms that are enforced: quota, expiry, versions, requests decided by published criteria, and what the application is told."""

from __future__ import annotations

import json
import time
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
    made = new_owner(mitoyen, "terms")
    made.datastream("d")
    return made


def record(number: int) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number})


def refusal(call: httpx.HTTPStatusError) -> tuple[int, str]:
    return call.response.status_code, call.response.json()["reason"]


def history(reader: Reader, release: str) -> tuple[int, Any]:
    with reader.broker.client(reader.key) as client:
        answer = client.get(f"/api/v1/releases/{release}/observations", params={"limit": "10000"})
    return answer.status_code, answer.json()


def test_a_quota_counts_live_and_history_and_stops_both(mitoyen: Mitoyen, owner: Owner) -> None:
    offer = owner.offer(["d"], terms={"quota": {"per": "day", "records": 20}})
    reader, other = new_reader(mitoyen, "limited"), new_reader(mitoyen, "elsewhere")
    topic = reader.agree(offer["id"])["releases"][0]["topic"]
    free = other.agree(owner.offer(["d"], {"op": "clip", "min": 0, "max": 5})["id"])["releases"][0]["topic"]
    with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing, Subscriber(other.mqtt) as unhindered:
        hearing.subscribe(topic)
        unhindered.subscribe(free)
        device.publish("d", [record(number) for number in range(10)])
        unhindered.await_that(lambda seen: seen.get(free, {}).get("time", "") == times.text(BEGIN + 9 * times.SECOND))
        hearing.await_that(lambda seen: seen.get(topic, {}).get("value") == 9)
        release = offer["releases"][0]["id"]
        mitoyen.await_that(lambda: len(history(other, _release(free, mitoyen))[1]["observations"]) >= 10, "not kept")
        status, answer = history(reader, release)
        assert status == 200
        assert len(answer["observations"]) == 10
        assert refusal(_raised(lambda: reader.history(release))) == (403, "quota_exhausted")
        mitoyen.await_that(lambda: _silent(hearing, device, topic), "live went on")
        before = len(unhindered.messages)
        device.publish("d", [record(100)])
        unhindered.await_messages(before + 1)


def _silent(hearing: Subscriber, device: Device, topic: str) -> bool:
    """Whether a message that is published now is not heard."""
    before = len(hearing.messages)
    device.publish("d", [record(50)])
    device.await_answers(1)
    hearing.ping()
    return len([1 for where, _ in hearing.messages[before:] if where == topic]) == 0


def _release(topic: str, mitoyen: Mitoyen) -> str:
    _, organisation, offer, _ = topic.split("/")
    (release,) = mitoyen.call(None, "GET", f"offers/{offer}")["releases"]
    assert organisation == "terms"
    return str(release["id"])


def _raised(call: Any) -> httpx.HTTPStatusError:
    with pytest.raises(httpx.HTTPStatusError) as raised:
        call()
    return raised.value


def test_an_agreement_keeps_its_terms_until_it_is_renewed(mitoyen: Mitoyen, owner: Owner) -> None:
    offer = owner.offer(["d"])
    early, late = new_reader(mitoyen, "early"), new_reader(mitoyen, "late")
    agreed = early.agree(offer["id"])
    terms = {"licence": "CC-BY-4.0", "attribution": "A test", "purposes": ["research"], "price": "1 EUR a month"}
    changed = mitoyen.call(owner.key, "PUT", f"offers/{offer['id']}/terms", terms)
    assert (changed["version"], changed["terms"]["price"]) == (2, "1 EUR a month")
    with pytest.raises(httpx.HTTPStatusError) as refused:
        late.agree(offer["id"])
    assert refusal(refused.value) == (422, "purpose_not_permitted")
    kept = mitoyen.call(early.key, "GET", f"agreements/{agreed['id']}")
    assert (kept["version"], kept["state"], "price" in kept["terms"]) == (1, "active", False)
    assert history(early, agreed["releases"][0]["id"])[0] == 200
    with pytest.raises(httpx.HTTPStatusError) as not_permitted:
        mitoyen.call(early.key, "POST", f"agreements/{agreed['id']}/renewal", {"accept": True})
    assert refusal(not_permitted.value) == (422, "purpose_not_permitted")
    mitoyen.call(owner.key, "PUT", f"offers/{offer['id']}/terms", {**terms, "purposes": ["any"]})
    renewed = mitoyen.call(early.key, "POST", f"agreements/{agreed['id']}/renewal", {"accept": True})
    assert (renewed["version"], renewed["terms"]["price"]) == (3, "1 EUR a month")


def test_a_request_is_decided_by_a_published_criterion_and_nothing_flows_before(mitoyen: Mitoyen, owner: Owner) -> None:
    criteria = ["The purpose is stated", "The applicant has an office in the city"]
    offer = owner.offer(["d"], terms={"approval": "manual", "criteria": criteria})
    asking, other = new_reader(mitoyen, "asking"), new_reader(mitoyen, "granted")
    requested = asking.agree(offer["id"])
    assert (requested["state"], requested["releases"]) == ("requested", [])
    release = offer["releases"][0]["id"]
    assert history(asking, release)[0] == 403
    path = f"agreements/{requested['id']}/decision"
    with pytest.raises(httpx.HTTPStatusError) as not_published:
        mitoyen.call(owner.key, "POST", path, {"grant": False, "criterion": "We do not like them"})
    assert refusal(not_published.value) == (422, "no_such_criterion")
    refused = mitoyen.call(owner.key, "POST", path, {"grant": False, "criterion": criteria[1], "reason": "No office"})
    assert (refused["state"], refused["reason"]) == ("refused", criteria[1])
    with pytest.raises(httpx.HTTPStatusError) as decided:
        mitoyen.call(owner.key, "POST", path, {"grant": True})
    assert decided.value.response.status_code == 409
    second = other.agree(offer["id"])
    mitoyen.call(owner.key, "POST", f"agreements/{second['id']}/decision", {"grant": True})
    assert history(other, release)[0] == 200
    told = mitoyen.call(None, "GET", "ledger", limit="10000")
    events = [(e["event"], e.get("criterion")) for e in told if e.get("agreement") in (requested["id"], second["id"])]
    assert events == [
        ("agreement_requested", None),
        ("agreement_refused", criteria[1]),
        ("agreement_requested", None),
        ("agreement_accepted", None),
    ]


def test_expiry_needs_no_call_and_is_announced(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "told")
    ends = time.time_ns() + 4 * times.SECOND
    offer = owner.offer(["d"], terms={"expires": times.text(ends)})
    agreed = reader.agree(offer["id"])
    topic = f"notices/{reader.id}"
    release = agreed["releases"][0]["id"]
    with Subscriber(reader.mqtt) as hearing:
        hearing.subscribe(topic)
        hearing.await_that(lambda seen: _events(seen.get(topic)) == ["expiring"])
        hearing.await_that(lambda seen: _events(seen.get(topic)) == ["expiring", "expired"])
        assert time.time_ns() >= ends
    assert history(reader, release)[0] == 403
    assert mitoyen.call(reader.key, "GET", f"agreements/{agreed['id']}")["state"] == "expired"
    standing = mitoyen.call(reader.key, "GET", "notices")
    for notice in standing:
        mitoyen.call(reader.key, "DELETE", f"notices/{notice['id']}")
    assert mitoyen.call(reader.key, "GET", "notices") == []
    with Subscriber(reader.mqtt) as later:
        later.subscribe(topic)
        later.ping()
        assert later.messages == []


def _events(notices: list[dict[str, Any]] | None) -> list[str]:
    return [notice["event"] for notice in notices or []]


def test_a_revocation_is_told_with_its_reason_to_its_application_alone(mitoyen: Mitoyen, owner: Owner) -> None:
    reader, other = new_reader(mitoyen, "revoked"), new_reader(mitoyen, "curious-one")
    agreed = reader.agree(owner.offer(["d"])["id"])
    with Subscriber(reader.mqtt) as hearing, Subscriber(other.mqtt) as closed:
        hearing.subscribe("notices/revoked")
        closed.subscribe("notices/revoked")
        mitoyen.call(owner.key, "DELETE", f"agreements/{agreed['id']}", {"reason": "It was resold"})
        hearing.await_that(lambda seen: _events(seen.get("notices/revoked")) == ["revoked"])
        assert dict(hearing.messages)["notices/revoked"][0]["reason"] == "It was resold"
        closed.ping()
        assert closed.messages == []


def test_a_stream_that_ends_says_why(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "streaming")
    agreed = reader.agree(owner.offer(["d"])["id"])
    path = f"/api/v1/releases/{agreed['releases'][0]['id']}/live"
    with mitoyen.client(reader.key) as client, client.stream("GET", path) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": listening"
        mitoyen.call(owner.key, "DELETE", f"agreements/{agreed['id']}", {"reason": "enough"})
        ended = [line for line in lines if line and not line.startswith((":", "id"))]
    assert ended[-2:] == ["event: end", 'data: {"reason":"agreement_revoked"}']


def test_a_suspension_silences_everything_and_a_resumption_lets_it_go_on(mitoyen: Mitoyen, owner: Owner) -> None:
    offer = owner.offer(["d"])
    reader = new_reader(mitoyen, "paused")
    agreed = reader.agree(offer["id"])
    granted = agreed["releases"][0]
    suspension = f"agreements/{agreed['id']}/suspension"
    with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/terms/#")
        device.publish("d", [record(200)])
        hearing.await_that(lambda seen: seen.get(granted["topic"], {}).get("value") == 200)
        with pytest.raises(httpx.HTTPStatusError) as not_theirs:
            mitoyen.call(reader.key, "PUT", suspension, {"reason": "mine"})
        assert refusal(not_theirs.value) == (403, "not_yours")
        mitoyen.call(owner.key, "PUT", suspension, {"reason": "We look into a complaint"})
        assert history(reader, granted["id"])[1]["reason"] == "agreement_suspended"
        assert _silent(hearing, device, granted["topic"])
        shown = mitoyen.call(reader.key, "GET", f"agreements/{agreed['id']}")
        assert (shown["state"], shown["reason"], shown["releases"]) == ("suspended", "We look into a complaint", [])
        with pytest.raises(httpx.HTTPStatusError) as around:
            reader.agree(offer["id"])
        assert around.value.response.status_code == 409
        mitoyen.call(owner.key, "DELETE", suspension)
        assert history(reader, granted["id"])[0] == 200
        device.publish("d", [record(300)])
        hearing.await_that(lambda seen: seen.get(granted["topic"], {}).get("value") == 300)


def test_a_stream_tells_its_notices_as_events(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "told-on-stream")
    offer = owner.offer(["d"], terms={"expires": times.text(time.time_ns() + 4 * times.SECOND)})
    agreed = reader.agree(offer["id"])
    reader.agree(owner.offer(["d"])["id"])
    path = f"/api/v1/releases/{agreed['releases'][0]['id']}/live"
    with mitoyen.client(reader.key) as client, client.stream("GET", path) as stream:
        lines = list(stream.iter_lines())
    events = [(lines[at][7:], json.loads(lines[at + 1][6:])) for at in range(len(lines)) if lines[at][:6] == "event:"]
    assert {data["agreement"] for event, data in events if event == "notice"} == {agreed["id"]}
    assert next(data["event"] for event, data in events if event == "notice") == "expiring"
    assert events[-1] == ("end", {"reason": "agreement_expired"})


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"approval": "manual"}, "no_criteria"),
        ({"criteria": ["x"]}, "criteria_unused"),
        ({"high_value": "environment", "price": "1 EUR"}, "not_high_value"),
        ({"access": "open", "quota": {"per": "day", "records": 1}}, "open_to_all"),
        ({"access": "open", "purposes": ["research"]}, "open_to_all"),
        ({"quota": {"per": "day"}}, "quota_of_nothing"),
        ({"only_for": ["friends"]}, "invalid"),
    ],
)
def test_terms_that_cannot_hold_are_refused(owner: Owner, terms: dict[str, Any], reason: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        owner.offer(["d"], terms=terms)
    assert refusal(refused.value) == (422, reason)
