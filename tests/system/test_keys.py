"""Keys and logins follow one another without a gap, do no more than they are for, and end at once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broker import times
from tests.owners import Owner, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "keyed")
    made.datastream("d")
    return made


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    """Status and reason of a call that is refused."""
    with pytest.raises(httpx.HTTPStatusError) as refused:
        call()
    return refused.value.response.status_code, refused.value.response.json()["reason"]


def record(value: int) -> str:
    return json.dumps({"time": times.text(time.time_ns()), "value": value})


def test_a_key_follows_another_without_a_gap(mitoyen: Mitoyen) -> None:
    old = new_owner(mitoyen, "rotating").key
    new = mitoyen.call(old, "POST", "keys", {"name": "from March on"})
    assert mitoyen.call(new["key"], "GET", "gateways") == mitoyen.call(old, "GET", "gateways")
    first, second = mitoyen.call(new["key"], "GET", "keys")
    assert (first["name"], second["name"]) == ("first", "from March on")
    assert second == {name: value for name, value in new.items() if name != "key"}
    mitoyen.call(new["key"], "DELETE", f"keys/{first['id']}")
    assert refusal(lambda: mitoyen.call(old, "GET", "gateways")) == (401, "no_valid_key")
    assert mitoyen.call(new["key"], "GET", "keys") == [second]


def test_a_key_does_what_its_scopes_say_and_nothing_else(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "scoped")
    offer = owner.offer(["d"])
    reader.agree(offer["id"])
    release = f"releases/{offer['releases'][0]['id']}"
    attempts: dict[str, Callable[[str], httpx.Response]] = {
        "read": lambda key: _get(mitoyen, key, "agreements"),
        "history": lambda key: _get(mitoyen, key, f"{release}/observations"),
        "live": lambda key: _get(mitoyen, key, f"{release}/live"),
        "manage": lambda key: _post(mitoyen, key, "agreements"),
    }
    for scope in attempts:
        key = mitoyen.call(reader.key, "POST", "keys", {"name": scope, "scopes": [scope]})["key"]
        for other, attempt in attempts.items():
            answer = attempt(key)
            refused = answer.status_code == 403
            assert refused == (other != scope), (scope, other, answer.status_code)
            assert not refused or answer.json()["reason"] == "scope"
        several = _get(mitoyen, key, f"live?release={offer['releases'][0]['id']}")
        assert several.status_code == (200 if scope == "live" else 403)
    assert _get(mitoyen, key, "live").status_code == 403
    assert _get(mitoyen, key, f"{release}/latest").status_code == 403
    assert _get(mitoyen, key, "offers").status_code == 200, "what is public is public"


def _get(broker: Mitoyen, key: str, path: str) -> httpx.Response:
    with broker.client(key) as client, client.stream("GET", f"/api/v1/{path}") as answer:
        if answer.headers.get("content-type", "").endswith("json"):
            answer.read()
        return answer


def _post(broker: Mitoyen, key: str, path: str) -> httpx.Response:
    with broker.client(key) as client:
        return client.post(f"/api/v1/{path}", json={})


def test_a_key_makes_none_that_may_do_more_and_none_for_others(mitoyen: Mitoyen, owner: Owner) -> None:
    manager = mitoyen.call(owner.key, "POST", "keys", {"name": "x", "scopes": ["manage"]})["key"]
    stranger = new_reader(mitoyen, "unkeyed")
    assert refusal(lambda: mitoyen.call(manager, "POST", "keys", {"name": "y"})) == (403, "scope")
    soon, later = (times.text(time.time_ns() + hours * times.HOUR) for hours in (1, 2))
    brief = mitoyen.call(owner.key, "POST", "keys", {"name": "x", "expires": soon})["key"]
    for expiry in ({}, {"expires": later}):
        assert refusal(lambda e=expiry: mitoyen.call(brief, "POST", "keys", {"name": "y", **e})) == (403, "scope")
    assert mitoyen.call(brief, "POST", "keys", {"name": "y", "expires": soon})["expires"] == soon
    for body in ({"organisation": "unkeyed-org"}, {"application": "unkeyed"}):
        assert refusal(lambda b=body: mitoyen.call(owner.key, "POST", "keys", {"name": "y", **b})) == (403, "not_yours")
    assert refusal(lambda: mitoyen.call(stranger.key, "GET", "keys", organisation="keyed")) == (403, "not_yours")
    (first, *_) = mitoyen.call(owner.key, "GET", "keys")
    assert refusal(lambda: mitoyen.call(stranger.key, "DELETE", f"keys/{first['id']}")) == (403, "not_yours")
    (operators,) = mitoyen.call(mitoyen.operator_key, "GET", "keys")
    assert refusal(lambda: mitoyen.call(owner.key, "DELETE", f"keys/{operators['id']}")) == (403, "not_yours")


def test_the_operator_helps_an_organisation_that_lost_its_key_and_the_ledger_tells(mitoyen: Mitoyen) -> None:
    lost = new_owner(mitoyen, "forgetful").key
    made = mitoyen.call(mitoyen.operator_key, "POST", "keys", {"name": "again", "organisation": "forgetful"})
    (first, _) = mitoyen.call(made["key"], "GET", "keys")
    mitoyen.call(mitoyen.operator_key, "DELETE", f"keys/{first['id']}")
    assert refusal(lambda: mitoyen.call(lost, "GET", "keys"))[0] == 401
    told = [e for e in mitoyen.call(None, "GET", "ledger", limit="10000") if e.get("whose") == "forgetful"]
    assert [(e["event"], e["by"]) for e in told] == [("key_added", "operator"), ("key_revoked", "operator")]
    watching = mitoyen.call(mitoyen.operator_key, "POST", "keys", {"name": "Prometheus", "scopes": ["read"]})["key"]
    assert "mitoyen_records" in mitoyen.text(watching, "/metrics")
    assert refusal(lambda: mitoyen.call(watching, "POST", "organisations", {"name": "x"})) == (403, "scope")
    mitoyen.call(mitoyen.operator_key, "DELETE", f"keys/{mitoyen.call(watching, 'GET', 'keys')[-1]['id']}")


def test_a_key_expires_by_itself_and_a_stream_ends_with_its_key(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "ending")
    offer = owner.offer(["d"])
    reader.agree(offer["id"])
    ends = times.text(time.time_ns() + 3 * times.SECOND)
    expiring = mitoyen.call(reader.key, "POST", "keys", {"name": "short", "expires": ends})["key"]
    revoked = mitoyen.call(reader.key, "POST", "keys", {"name": "revoked"})
    path = f"/api/v1/releases/{offer['releases'][0]['id']}/live"
    with mitoyen.client(expiring) as one, mitoyen.client(revoked["key"]) as two, Device(owner.mqtt) as device:
        with one.stream("GET", path) as until_expiry, two.stream("GET", path) as until_revoked:
            device.publish("d", [record(1)])
            assert any('"value":1' in line for line in _lines(until_expiry, "data"))
            lines = _lines(until_revoked, "data")
            assert any('"value":1' in line for line in lines)
            mitoyen.call(reader.key, "DELETE", f"keys/{revoked['id']}")
            device.publish("d", [record(2)])
            assert not any('"value":2' in line for line in lines), "a revoked key heard more"
        with one.stream("GET", path) as answer:
            assert answer.status_code == 200 or time.time_ns() > times.parse(ends)
            assert list(answer.iter_lines()) is not None
    assert time.time_ns() >= times.parse(ends)
    assert refusal(lambda: mitoyen.call(expiring, "GET", "agreements")) == (401, "no_valid_key")
    assert refusal(lambda: mitoyen.call(reader.key, "POST", "keys", {"name": "late", "expires": ends})) == (
        422,
        "expires_in_the_past",
    )


def _lines(stream: httpx.Response, field: str) -> Iterator[str]:
    return (line for line in stream.iter_lines() if line.startswith(field))


def test_a_gateway_changes_its_login_without_a_gap_and_the_old_one_is_cut_off(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "moving")
    owner.datastream("d")
    with Device(owner.mqtt) as old:
        second = mitoyen.call(owner.key, "POST", "gateways/g/logins", {"name": "after the move"})
        assert second["topic"] == owner.mqtt["topic"]
        with Device(second) as new:
            old.publish("d", [record(1)])
            new.publish("d", [record(2)])
            old.await_answers(1)
            new.await_answers(1)
            assert len(old.acknowledged) == len(new.acknowledged) == 1
            listed = mitoyen.call(owner.key, "GET", "gateways/g/logins")
            assert [one["name"] for one in listed] == ["first", "after the move"]
            mitoyen.call(owner.key, "DELETE", f"gateways/g/logins/{owner.mqtt['username']}")
            old.await_disconnected()
            new.publish("d", [record(3)])
            new.await_answers(2)
    with pytest.raises(PermissionError), Device(owner.mqtt):
        pass
    with Device(second):
        pass
    assert refusal_status(lambda: mitoyen.call(owner.key, "DELETE", "gateways/g/logins/gateway.moving.g")) == 404


def test_an_applications_second_login_hears_what_the_first_does(mitoyen: Mitoyen, owner: Owner) -> None:
    reader = new_reader(mitoyen, "twice")
    topic = reader.agree(owner.offer(["d"])["id"])["releases"][0]["topic"]
    second = mitoyen.call(reader.key, "POST", "applications/twice/logins", {"name": "second"})
    with Subscriber(reader.mqtt) as one, Subscriber(second, "two") as two, Device(owner.mqtt) as device:
        for hearing in (one, two):
            hearing.subscribe(topic)
        device.publish("d", [record(7)])
        for hearing in (one, two):
            hearing.await_that(lambda seen: seen.get(topic, {}).get("value") == 7)
        mitoyen.call(reader.key, "DELETE", f"applications/twice/logins/{second['username']}")
        two.await_disconnected()
        device.publish("d", [record(8)])
        one.await_that(lambda seen: seen.get(topic, {}).get("value") == 8)
    assert len(mitoyen.call(reader.key, "GET", "applications/twice/logins")) == 1
    stranger = new_reader(mitoyen, "not-twice")
    assert refusal(lambda: mitoyen.call(stranger.key, "GET", "applications/twice/logins")) == (403, "not_yours")


def refusal_status(call: Callable[[], Any]) -> int:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        call()
    return refused.value.response.status_code


def test_when_a_key_was_used_last_is_kept_across_a_restart_and_so_are_logins(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        owner = new_owner(broker, "used")
        second = broker.call(owner.key, "POST", "gateways/g/logins", {"name": "second"})
        began = time.time_ns()
        broker.stop()
        broker.start()
        (first,) = broker.call(owner.key, "GET", "keys")
        assert times.parse(first["last_used"]) < began
        with Device(owner.mqtt), Device(second):
            pass
