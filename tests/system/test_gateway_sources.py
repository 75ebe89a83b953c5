"""Each way in to `mitoyen gateway`, with the other side real: what a device says there arrives at an application as its offer says."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest

from gateways.epc import of_bytes
from mitoyen.ports import free_ports
from tests.gatewayprocess import GatewayProcess
from tests.othersides import emulated, secret
from tests.owners import new_owner, new_reader
from tests.publisher import Device
from tests.servers import TLS, Mitoyen, Mosquitto
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator


EPCIS_SCHEMA = Path(__file__).parents[3] / "shared/reference/data/schemas/epcis.json"


def timed(number: int) -> str:
    return json.dumps({"time": f"2026-01-01T00:00:{number:02}Z", "value": number})


def wired(broker: Mitoyen, name: str, *operators: dict[str, Any], **more: Any) -> tuple[Any, Any, Any]:
    """An owner with the datastream `d`, an application that agreed, and the release."""
    owner, reader = new_owner(broker, name), new_reader(broker, f"{name}-reader")
    owner.datastream("d", **more)
    offer = owner.offer(["d"], *operators)
    reader.agree(offer["id"])
    return owner, reader, offer["releases"][0]


def test_what_another_broker_holds_for_it_while_it_is_away_arrives_once(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader, release = wired(mitoyen, "bridged")
    with Mosquitto(tmp_path) as other, Device(other.login) as device:
        source = {
            "kind": "mqtt",
            "name": "b",
            "url": f"mqtt://127.0.0.1:{other.port}",
            "topics": ["s/#"],
            "datastream": "d",
        }
        gateway = GatewayProcess(tmp_path, owner.mqtt, source)
        with gateway:
            gateway.await_log("source_connected")
            device.publish("s/1", map(timed, range(20)))
            device.await_answers(20)
            gateway.await_log("broker_connected")
            gateway.kill()
        device.publish("s/1", map(timed, range(20, 60)))
        device.await_answers(60)
        with gateway:
            mitoyen.await_that(lambda: len(reader.history(release["id"])) == 60, "not all arrived")
    kept = reader.history(release["id"])
    assert Counter(one["value"] for one in kept) == Counter(range(60))


class _Page(BaseHTTPRequestHandler):
    """A page that changes when its number does."""

    number = 0
    asked = 0

    def do_GET(self) -> None:
        tag = f'"{type(self).number}"'
        type(self).asked += 1
        unchanged = self.headers["If-None-Match"] == tag
        body = b"" if unchanged else timed(type(self).number).encode()
        self.send_response(304 if unchanged else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def page() -> Iterator[tuple[type[_Page], str]]:
    class Page(_Page):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Page, f"http://127.0.0.1:{server.server_port}/feed.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_is_asked_for_again_and_taken_when_it_changed(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader, release = wired(mitoyen, "polled")
    with page() as (answers, url), Subscriber(reader.mqtt) as application:
        application.subscribe(release["topic"])
        source = {"kind": "poll", "name": "p", "urls": [url], "every": "PT1S", "datastream": "d"}
        with GatewayProcess(tmp_path, owner.mqtt, source) as gateway:
            application.await_messages(1)
            mitoyen.await_that(lambda: answers.asked > 2, "it is not asked for again")
            answers.number = 1
            application.await_messages(2)
            said = gateway.stop()
    assert [message["value"] for _, message in application.messages] == [0, 1]
    assert said["kept"] == 2


def test_what_is_pushed_with_the_token_is_kept_before_it_is_answered(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader, release = wired(mitoyen, "pushed")
    (port,) = free_ports(1)
    where = {"listen": f"127.0.0.1:{port}", "path": "/push", "token_file": secret(tmp_path, "of the station")}
    source = {"kind": "push", "name": "p", "datastream": "d", **where}
    url = f"http://127.0.0.1:{port}/push/1"
    with GatewayProcess(tmp_path, owner.mqtt, source) as gateway, httpx.Client(verify=TLS, trust_env=False) as station:
        gateway.await_answer(f"http://127.0.0.1:{port}/push")
        bearer = station.post(url, content=timed(1), headers={"Authorization": "Bearer of the station"})
        basic = station.post(url, content=timed(2), auth=("anyone", "of the station"))
        wrong = [station.post(url, content=timed(3), headers=h) for h in ({}, {"Authorization": "Bearer of another"})]
        large = station.post(url, content=b" " * 2_000_000, auth=("anyone", "of the station"))
        gateway.kill()
        assert [one.status_code for one in (bearer, basic, *wrong, large)] == [204, 204, 401, 401, 413]
    with GatewayProcess(tmp_path, owner.mqtt, source):
        mitoyen.await_that(lambda: len(reader.history(release["id"])) == 2, "not both arrived")
    assert [one["value"] for one in reader.history(release["id"])] == [1, 2]


def _seen(application: Subscriber) -> set[str]:
    """The tags that it was told of, as it was told."""
    told = [one for _, said in application.messages for one in (said if isinstance(said, list) else [said])]
    return {one.get("tag") or one["epc"] for one in told}


@pytest.mark.parametrize("operators", [[], [{"op": "pseudonymise", "rotate": "P1D"}]], ids=["assets", "pseudonyms"])
def test_tags_that_an_llrp_reader_sees_arrive_as_the_offer_says(
    mitoyen: Mitoyen, tmp_path: Path, operators: list[dict[str, Any]]
) -> None:
    things, people = (
        [bytes.fromhex(f"3074257BF7194E4000{serial + n:06X}") for n in range(5)] for serial in (0x1A00, 0xBB00)
    )
    named = {of_bytes(one) for one in things}
    prefix = min(named).rpartition(".")[0] + ".6"
    assert not any(of_bytes(one).startswith(prefix) for one in people)
    owner, reader, release = wired(
        mitoyen, f"llrp-{len(operators)}", *operators, kind="rfid", personal_data=False, asset_prefixes=[prefix]
    )
    with emulated([*things, *people]) as port, Subscriber(reader.mqtt) as application:
        application.subscribe(release["topic"])
        source = {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "port": port, "every": "PT1S", "datastream": "d"}
        with GatewayProcess(tmp_path, owner.mqtt, source) as gateway:
            mitoyen.await_that(lambda: len(_seen(application)) >= len(things), "not all tags arrived")
            said = gateway.stop()
    assert said["stored"] == said["kept"]
    if operators:
        assert not _seen(application) & named
        assert all(len(tag) == 32 for tag in _seen(application))
        assert len(_seen(application)) == len(things)
    else:
        assert _seen(application) == named
        _, last = application.messages[-1]
        assert {"datastream", "time", "epc", "antenna", "rssi"} <= (last[-1] if isinstance(last, list) else last).keys()


@pytest.mark.parametrize("where", ["agent", "broker"])
def test_reads_become_arrival_still_there_and_departure_where_it_is_asked_for(
    mitoyen: Mitoyen, tmp_path: Path, where: str
) -> None:
    tag = bytes.fromhex("3074257BF7194E4000001A85")
    named = of_bytes(tag)
    more = {"smooth": "PT2S"} if where == "broker" else {}
    owner, reader, release = wired(
        mitoyen, f"smooth-{where}", kind="rfid", personal_data=False, asset_prefixes=[named], **more
    )
    source = {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "every": None, "datastream": "d"}
    if where == "agent":
        source["smooth"] = "PT2S"
    with Subscriber(reader.mqtt) as application:
        application.subscribe(release["topic"])

        def told() -> list[str]:
            heard = [one for _, said in application.messages for one in (said if isinstance(said, list) else [said])]
            return [one["biz_step"] for one in heard]

        with emulated([tag]) as port, GatewayProcess(tmp_path, owner.mqtt, {**source, "port": port}) as gateway:
            mitoyen.await_that(lambda: told().count("cycle_counting") >= 2, f"not still there: {told()}")
            said = gateway.stop()
        if where == "agent":  # it remembers who was there, and tells the departure when it runs again
            with GatewayProcess(tmp_path, owner.mqtt, {**source, "port": port}):
                mitoyen.await_that(lambda: "departing" in told(), f"not gone: {told()}")
        mitoyen.await_that(lambda: "departing" in told(), f"not gone: {told()}")
    assert told() == ["arriving", *["cycle_counting"] * (len(told()) - 2), "departing"]
    assert said["stored"] == said["kept"]
    assert (said["smoothed"] > said["kept"]) is (where == "agent")
    kept = reader.history(release["id"])
    assert [one["biz_step"] for one in kept] == told()
    assert {(one["epc"], one["antenna"]) for one in kept} == {(named, 1)}
    with mitoyen.client(reader.key) as client:
        document = client.get(f"/api/v1/releases/{release['id']}/observations", params={"format": "epcis"}).json()
    assert [event["bizStep"] for event in document["epcisBody"]["eventList"]] == told()
    if EPCIS_SCHEMA.exists():
        jsonschema_rs.validator_for(json.loads(EPCIS_SCHEMA.read_text())).validate(document)
