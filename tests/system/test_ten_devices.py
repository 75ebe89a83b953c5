"""Ten devices of ten formats: connected with credentials alone, adopted through the API, read by an application that agreed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx

from gateways.epc import of_bytes
from mitoyen.ports import free_ports
from tests.gatewayprocess import GatewayProcess
from tests.othersides import emulated, secret, served
from tests.owners import Owner, new_owner, new_reader
from tests.payloads import MESSAGES
from tests.publisher import Device
from tests.servers import TLS, Mitoyen, Mosquitto
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from pathlib import Path

    from broker.model import FormatName

STRAIGHT: tuple[FormatName, ...] = ("senml", "ttn", "chirpstack", "shelly", "sparkplug")
"""These publish to the broker itself; the other five are heard by `mitoyen gateway`, each in another way."""
TAG = bytes.fromhex("3074257BF7194E4000001A85")
HEARD = {
    "zigbee2mqtt": "kitchen/window",
    "gbfs": "s1",
    "sensor-community": "esp8266-1234567-1",
    "ngsi": "",
    "llrp": "gate",
}


class City:
    """The devices, and how each is made to say what it says."""

    def __init__(self, owner: Owner, folder: Path, stack: ExitStack) -> None:
        broker = owner.broker
        self._logins = {
            name: broker.call(owner.key, "POST", "gateways", {"id": name, "format": name})["mqtt"]
            for name in (*STRAIGHT, "gateway")
        }
        self._log = folder / "log.ndjson"
        self._log.touch()
        (port,) = free_ports(1)
        self._push = f"http://127.0.0.1:{port}"
        other = stack.enter_context(Mosquitto(folder))
        self._zigbee = stack.enter_context(Device(other.login))
        self._zigbee_says = 0
        self._feeds = {f"/gbfs/{topic}": payload for topic, payload in MESSAGES["gbfs"] if topic == "station_status"}
        web = stack.enter_context(served(self._feeds))
        reader = stack.enter_context(emulated([TAG]))
        sources: list[dict[str, Any]] = [
            {"kind": "mqtt", "name": "zigbee", "url": f"mqtt://127.0.0.1:{other.port}", "topics": ["#"], "format": "zigbee2mqtt"},
            {"kind": "poll", "name": "bikes", "urls": [f"{web}/gbfs/station_status"], "every": "PT1S", "format": "gbfs"},
            {"kind": "push", "name": "air", "listen": f"127.0.0.1:{port}", "token_file": secret(folder, "of the station"),
             "headers": ["X-Sensor", "X-Pin"], "format": "sensor-community"},
            {"kind": "file", "name": "park", "path": str(self._log), "format": "ngsi"},
            {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "port": reader},
        ]  # fmt: skip
        gateway = stack.enter_context(GatewayProcess(folder, self._logins["gateway"], *sources))
        gateway.await_answer(self._push)
        gateway.await_log("source_connected")

    def speak(self) -> None:
        """Each device says what it has to say; the RFID reader does so all the time."""
        self._feeds["/gbfs/station_status"] += b"\n"
        for name in STRAIGHT:
            with Device(self._logins[name]) as device:
                _publish(device, name, self._logins[name]["topic"], len(MESSAGES[name]))
        self._zigbee_says += len(MESSAGES["zigbee2mqtt"])
        _publish(self._zigbee, "zigbee2mqtt", "{topic}", self._zigbee_says)
        (_, pushed), *_ = MESSAGES["sensor-community"]
        headers = {"X-Sensor": "esp8266-1234567", "X-Pin": "1"}
        answer = httpx.post(
            self._push,
            content=pushed,
            headers=headers,
            auth=("", "of the station"),
            verify=TLS,
            trust_env=False,
            timeout=30,
        )
        assert answer.status_code == 204
        with self._log.open("ab") as log:
            log.writelines(payload + b"\n" for _, payload in MESSAGES["ngsi"])


def _publish(device: Device, name: FormatName, template: str, answers: int) -> None:
    for topic, payload in MESSAGES[name]:
        device.publish("", [payload], topic=template.replace("{topic}", topic))  # type: ignore[list-item]  # bytes do as well
    device.await_answers(answers)


def adopted(owner: Owner, gateway: str, devices: int) -> list[dict[str, Any]]:
    """The datastreams that are made of all devices, as soon as so many are suggested."""
    broker = owner.broker

    def suggested() -> set[str]:
        return {one["device"] for one in broker.call(owner.key, "GET", f"gateways/{gateway}/suggestions")}

    broker.await_that(lambda: len(suggested()) >= devices, f"{gateway}: fewer than {devices} devices are suggested")
    own_things = {"personal_data": False, "asset_prefixes": [of_bytes(TAG)]}
    return [
        made
        for device in sorted(suggested())
        for made in broker.call(owner.key, "POST", f"gateways/{gateway}/adopt", {"device": device, **own_things})
    ]


def test_ten_devices_of_ten_formats_are_adopted_and_read_by_an_application_that_agreed(
    mitoyen: Mitoyen, tmp_path: Path
) -> None:
    owner, reader = new_owner(mitoyen, "ten"), new_reader(mitoyen, "ten-reader")
    with ExitStack() as stack:
        city = City(owner, tmp_path, stack)
        city.speak()
        made = [one for name in STRAIGHT for one in adopted(owner, name, 1)] + adopted(owner, "gateway", len(HEARD))
        offer = owner.offer([one["id"] for one in made])
        reader.agree(offer["id"])
        application = stack.enter_context(Subscriber(reader.mqtt))
        application.subscribe("live/ten/#")
        city.speak()
        of = {one["id"]: (one["gateway"], one["origin"]["device"]) for one in made}

        def heard() -> set[tuple[str, str]]:
            return {of[topic.rpartition("/")[2]] for topic, _ in application.messages}

        mitoyen.await_that(lambda: heard() == set(of.values()), f"not all of {set(of.values())}")
        assert {gateway for gateway, _ in heard()} == {*STRAIGHT, "gateway"}
        assert len({device for gateway, device in heard() if gateway == "gateway"}) >= len(HEARD)
        told = {topic.rpartition("/")[2]: said for topic, said in application.messages}
    units = {one["id"]: one["unit"] for one in made}
    for name, said in told.items():
        last = said[-1] if isinstance(said, list) else said
        assert last["datastream"] == name
        assert last.get("unit") == units[name]
