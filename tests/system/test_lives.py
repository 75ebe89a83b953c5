"""The whole life of things: what is made can be listed, read, changed and removed, and what is removed has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORD = '{"time": "2026-03-01T00:00:00Z", "value": 21.5}'


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path_factory.mktemp("lives")) as running:
        yield running


def status_of(call: Callable[[], Any]) -> int:
    try:
        call()
    except httpx.HTTPStatusError as error:
        return error.response.status_code
    return 200


def test_everything_that_is_made_is_listed_read_changed_and_removed(broker: Mitoyen) -> None:
    owner = new_owner(broker, "whole")
    owner.datastream("d", description="roof", location={"type": "Point", "coordinates": [4.8, 45.7]})
    offer = owner.offer(["d"])
    app = broker.call(owner.key, "POST", "applications", {"id": "whole-app"})
    agreed = Reader(broker, "whole-app", app["key"], app["mqtt"]).agree(offer["id"])
    call = broker.call

    assert [one["id"] for one in call(owner.key, "GET", "gateways")] == ["g"]
    assert call(owner.key, "PATCH", "gateways/g", {"name": "Roof"})["name"] == "Roof"
    assert call(owner.key, "GET", "gateways/g")["name"] == "Roof"
    changed = call(owner.key, "PATCH", "datastreams/d", {"description": None, "theme": "air"})
    assert (changed["description"], changed["theme"], changed["location"]["coordinates"]) == (None, "air", [4.8, 45.7])
    assert call(owner.key, "GET", "datastreams/d") == changed
    assert call(owner.key, "GET", "datastreams") == [changed]
    assert call(broker.operator_key, "GET", "datastreams", organisation="whole") == [changed]
    assert call(owner.key, "PATCH", "applications/whole-app", {"name": "Map"})["name"] == "Map"
    assert call(app["key"], "GET", "applications/whole-app")["name"] == "Map"
    assert [one["id"] for one in call(owner.key, "GET", "applications")] == ["whole-app"]
    assert call(owner.key, "PATCH", "organisations/whole", {"contact": "us@example.org"})["name"] == "Whole"
    assert call(None, "GET", "organisations/whole")["contact"] == "us@example.org"
    assert [one["id"] for one in call(None, "GET", "offers", organisation="whole")] == [offer["id"]]
    assert [one["id"] for one in call(app["key"], "GET", "agreements")] == [agreed["id"]]
    assert [one["id"] for one in call(owner.key, "GET", "agreements")] == [agreed["id"]]

    for path in ("gateways/g", "datastreams/d", "organisations/whole"):
        assert status_of(lambda path=path: call(owner.key, "DELETE", path)) == 409
    call(owner.key, "DELETE", f"offers/{offer['id']}", {"reason": "moved"})
    assert call(None, "GET", f"offers/{offer['id']}")["withdrawn"] is not None
    assert call(None, "GET", "offers", organisation="whole") == []
    ended = call(owner.key, "GET", f"agreements/{agreed['id']}")
    assert (ended["state"], ended["reason"]) == ("revoked", "the offer was withdrawn: moved")
    for path in ("datastreams/d", "gateways/g", "applications/whole-app", "organisations/whole"):
        call(owner.key, "DELETE", path)
    assert status_of(lambda: call(owner.key, "GET", "gateways")) == 401
    assert status_of(lambda: call(app["key"], "GET", "applications/whole-app")) == 401
    again = {"id": "whole", "name": "Whole"}
    assert status_of(lambda: call(broker.operator_key, "POST", "organisations", again)) == 409


def test_nobody_reads_or_changes_what_is_anothers(broker: Mitoyen) -> None:
    mine, other = new_owner(broker, "mine"), new_owner(broker, "other")
    mine.datastream("d")
    offer = mine.offer(["d"])
    app = new_reader(broker, "reader")
    agreed = app.agree(offer["id"])
    call = broker.call
    for method, path, body in (
        ("PATCH", "organisations/mine", {"name": "x"}),
        ("DELETE", "organisations/mine", None),
        ("PUT", "organisations/mine/suspension", {"reason": "x"}),
        ("GET", "applications/reader", None),
        ("PATCH", "applications/reader", {"name": "x"}),
        ("DELETE", "applications/reader", None),
        ("GET", f"agreements/{agreed['id']}", None),
        ("DELETE", f"agreements/{agreed['id']}", {"reason": "x"}),
        ("DELETE", f"offers/{offer['id']}", {"reason": "x"}),
    ):
        assert status_of(lambda m=method, p=path, b=body: call(other.key, m, p, b)) == 403, (method, path)
    assert status_of(lambda: call(other.key, "GET", "gateways", organisation="mine")) == 403
    assert status_of(lambda: call(other.key, "GET", "datastreams/d")) == 404
    assert [one["id"] for one in call(other.key, "GET", "agreements")] == []
    assert status_of(lambda: call(app.key, "GET", "gateways")) == 403


def test_lists_go_on_where_the_link_says(broker: Mitoyen) -> None:
    owner = new_owner(broker, "paged")
    for number in range(5):
        owner.datastream(f"d{number}")
    with broker.client(owner.key) as client:
        seen, url = [], "/api/v1/datastreams?limit=2"
        while url:
            answer = client.get(url)
            seen.append([one["id"] for one in answer.json()])
            url = answer.links.get("next", {}).get("url", "")
    assert seen == [["d0", "d1"], ["d2", "d3"], ["d4"]]


def test_a_removed_gateway_and_application_are_disconnected(broker: Mitoyen) -> None:
    owner = new_owner(broker, "leaving")
    owner.datastream("d")
    offer = owner.offer(["d"])
    reader = new_reader(broker, "leaver")
    reader.agree(offer["id"])
    with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/#")
        broker.call(reader.key, "DELETE", "applications/leaver")
        hearing.await_disconnected()
        broker.call(owner.key, "DELETE", f"offers/{offer['id']}", {"reason": "moved"})
        broker.call(owner.key, "DELETE", "datastreams/d")
        broker.call(owner.key, "DELETE", "gateways/g")
        device.await_disconnected()
    with pytest.raises(PermissionError), Device(owner.mqtt):
        pass


def test_a_suspended_organisation_is_still_until_it_is_let_go_on(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "suspect"), new_reader(broker, "bystander")
    owner.datastream("d", unit="Cel")
    offer = owner.offer(["d"], terms={"access": "open"})
    agreed = reader.agree(offer["id"])
    path = f"releases/{agreed['releases'][0]['id']}/observations"
    operator = broker.operator_key
    with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/#")
        device.publish("d", [RECORD])
        hearing.await_messages(1)
        broker.call(operator, "PUT", "organisations/suspect/suspension", {"reason": "faked data"})
        device.await_disconnected()
    for key in (None, reader.key):
        assert status_of(lambda key=key: broker.call(key, "GET", path)) in (401, 403)
    assert status_of(lambda: broker.call(owner.key, "GET", "gateways")) == 403
    with pytest.raises(PermissionError), Device(owner.mqtt):
        pass
    with Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/#")
        hearing.ping()
        assert hearing.messages == []
    assert broker.call(None, "GET", "organisations/suspect")["suspended"] == "faked data"
    broker.call(operator, "DELETE", "organisations/suspect/suspension")
    with Device(owner.mqtt) as device, Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/#")
        hearing.await_messages(1)
        device.publish("d", ['{"time": "2026-03-01T00:01:00Z", "value": 22.5}'])
        hearing.await_messages(2)
    assert [o["value"] for o in reader.history(agreed["releases"][0]["id"])] == [21.5, 22.5]
    events = [
        e["event"] for e in broker.call(None, "GET", "ledger", limit="10000") if e.get("organisation") == "suspect"
    ]
    assert events == ["organisation_registered", "offer_published", "organisation_suspended", "organisation_resumed"]


def test_a_suspended_reader_hears_and_reads_nothing(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "giver"), new_reader(broker, "taker")
    owner.datastream("d")
    agreed = reader.agree(owner.offer(["d"])["id"])
    with Subscriber(reader.mqtt) as hearing:
        hearing.subscribe("live/#")
        broker.call(broker.operator_key, "PUT", "organisations/taker-org/suspension", {"reason": "resold it"})
        hearing.await_disconnected()
    path = f"releases/{agreed['releases'][0]['id']}/observations"
    assert status_of(lambda: broker.call(reader.key, "GET", path)) == 403


def test_what_is_erased_is_in_no_history_and_no_retained_value(broker: Mitoyen) -> None:
    owner, reader = new_owner(broker, "eraser"), new_reader(broker, "rubber")
    owner.datastream("d")
    gone, kept = owner.offer(["d"]), owner.offer(["d"], {"op": "clip", "min": 0, "max": 5})
    left = reader.agree(kept["id"])
    over = reader.agree(gone["id"])
    with Device(owner.mqtt) as device:
        device.publish("d", [RECORD])
        device.await_answers(1)
    assert len(reader.history(over["releases"][0]["id"])) == 1
    broker.call(owner.key, "DELETE", f"offers/{gone['id']}", {"reason": "enough"})
    assert status_of(lambda: reader.history(over["releases"][0]["id"])) == 403
    assert len(reader.history(left["releases"][0]["id"])) == 1
    with Subscriber(broker.login("mitoyen.read")) as all_seeing:
        all_seeing.subscribe("live/#")
        all_seeing.ping()
        topics = [topic for topic, _ in all_seeing.messages if "/eraser/" in topic]
    assert topics == [left["releases"][0]["topic"]]


def test_a_rotated_operators_key_opens_and_the_old_one_does_not(broker: Mitoyen) -> None:
    old = broker.operator_key
    broker.run_command("operator-key", "rotate", "--home", str(broker.home))
    assert broker.operator_key != old
    assert status_of(lambda: broker.call(old, "GET", "../../metrics")) == 401
    assert "mitoyen_records_accepted" in broker.text(broker.operator_key, "/metrics")
    assert (broker.home / "operator.key").stat().st_mode & 0o077 == 0


def test_silence_is_told_apart_from_failure(broker: Mitoyen) -> None:
    owner = new_owner(broker, "watched")
    owner.datastream("d")
    offer = owner.offer(["d"])
    app = broker.call(owner.key, "POST", "applications", {"id": "watcher"})
    own = Reader(broker, "watcher", app["key"], app["mqtt"])
    topic = own.agree(offer["id"])["releases"][0]["status"]
    stranger = new_reader(broker, "lives-stranger")
    gateway = broker.call(owner.key, "GET", "gateways/g")
    assert (gateway["state"], gateway["reason"]) == ("silent", "never_heard")
    with Subscriber(own.mqtt) as hearing, Subscriber(stranger.mqtt) as closed:
        for each in (hearing, closed):
            each.subscribe("status/#")
        hearing.await_that(lambda seen: seen.get(topic, {}).get("reason") == "never_heard")
        with Device(owner.mqtt, will=(owner.mqtt["will_topic"], b"offline")) as device:
            device.publish("d", [RECORD])
            hearing.await_that(lambda seen: seen[topic] == {"datastream": "d", "state": "live"})
            hearing.await_that(lambda seen: seen["status/watched/g"] == {"gateway": "g", "state": "live"})
            device.vanish()
        hearing.await_that(lambda seen: seen["status/watched/g"].get("reason") == "last_will")
        hearing.await_that(lambda seen: seen[topic].get("reason") == "last_will")
        closed.ping()
        assert not [topic for topic, _ in closed.messages if "/watched/" in topic]
    gateway = broker.call(owner.key, "GET", "gateways/g")
    assert (gateway["state"], gateway["reason"]) == ("silent", "last_will")
    assert gateway["since"] is not None
