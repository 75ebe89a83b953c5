"""TLS, client certificates and WebSockets on the real Mosquitto: who gets in where, under the same rules everywhere."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mitoyen.ports import free_ports
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD = '{"time": "2026-03-01T00:00:00Z", "value": 1}'
KINDS = ("mqtts", "mqtt-mtls", "mqtt-ws", "mqtt-wss")


@dataclass(frozen=True, slots=True)
class Secured:
    """A broker with all listeners, and the certificates that were made for it."""

    broker: Mitoyen
    ports: dict[str, int]
    folder: Path
    owner: Owner
    reader: Reader
    offer: str
    release: dict[str, Any]

    def trusting(self, authority: str = "ca", client: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / f"{authority}.pem"))
        if client is not None:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        return context

    def at(self, kind: str, login: dict[str, Any]) -> dict[str, Any]:
        return {**login, "host": "localhost", "port": self.ports[kind]}


def made(folder: Path, *options: str) -> None:
    Mitoyen.run_command("certificates", "--out", str(folder), *options)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("listeners")
    made(folder / "tls", "--client", "roof-1")
    made(folder / "others", "--client", "roof-1")
    for name in ("ca.pem", "roof-1.pem", "roof-1.key"):
        shutil.copy(folder / "others" / name, folder / "tls" / f"other-{name}")
    ports = dict(zip(KINDS, free_ports(4), strict=True))
    options = [part for kind, port in ports.items() for part in (f"--{kind}", f"127.0.0.1:{port}")]
    environment = {
        "TLS_CERTIFICATE": str(folder / "tls" / "server.pem"),
        "TLS_KEY": str(folder / "tls" / "server.key"),
        "TLS_CLIENT_CA": str(folder / "tls" / "ca.pem"),
        "MQTT_HOST": "localhost",
    }
    with Mitoyen(folder, *options, environment=environment) as broker:
        owner, reader = new_owner(broker, "secured"), new_reader(broker, "careful")
        owner.datastream("d")
        offer = owner.offer(["d"])["id"]
        release = reader.agree(offer)["releases"][0]
        yield Secured(broker, ports, folder / "tls", owner, reader, offer, release)


def ways(secured: Secured) -> dict[str, dict[str, Any]]:
    """How a client connects to each listener."""
    return {
        "mqtts": {"tls": secured.trusting()},
        "mqtt-mtls": {"tls": secured.trusting(client="roof-1")},
        "mqtt-ws": {"websockets": True},
        "mqtt-wss": {"tls": secured.trusting(), "websockets": True},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_listener_delivers_under_the_same_rules(secured: Secured, kind: str) -> None:
    way = ways(secured)[kind]
    stranger = new_reader(secured.broker, f"stranger-{kind}")
    with (
        Device(secured.at(kind, secured.owner.mqtt), **way) as device,
        Subscriber(secured.at(kind, secured.reader.mqtt), **way) as hearing,
        Subscriber(secured.at(kind, stranger.mqtt), **way) as closed,
    ):
        for each in (hearing, closed):
            each.subscribe("live/#")
        hearing.ping()
        before = len(hearing.messages)
        device.publish("d", [RECORD])
        hearing.await_messages(before + 1)
        device.publish("d", [RECORD], topic="in/secured/other/d")
        device.await_answers(2)
        assert [reason for _, reason in device.refused] == ["Not authorized"]
        closed.ping()
        assert closed.messages == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_licence_that_ends_ends_on_every_listener(secured: Secured, kind: str) -> None:
    way, topic = ways(secured)[kind], secured.release["topic"]
    leaving = new_reader(secured.broker, f"leaving-{kind}")
    agreement = leaving.agree(secured.offer)["id"]
    before, after = (f"2026-03-0{day}T00:{KINDS.index(kind):02}:00Z" for day in (2, 3))
    with (
        Device(secured.at(kind, secured.owner.mqtt), **way) as device,
        Subscriber(secured.at(kind, secured.reader.mqtt), **way) as staying,
        Subscriber(secured.at(kind, leaving.mqtt), **way) as hearing,
    ):
        for each in (staying, hearing):
            each.subscribe(topic)
        device.publish("d", [json.dumps({"time": before, "value": 1})])
        hearing.await_that(lambda told: told.get(topic, {}).get("time") == before)
        secured.broker.call(secured.owner.key, "DELETE", f"agreements/{agreement}", {"reason": "tried"})
        device.publish("d", [json.dumps({"time": after, "value": 1})])
        staying.await_that(lambda told: told.get(topic, {}).get("time") == after)
        hearing.ping()
        assert dict(hearing.messages)[topic]["time"] == before


@pytest.mark.parametrize("kind", ["mqtts", "mqtt-mtls", "mqtt-wss"])
def test_a_server_that_another_authority_vouches_for_is_not_trusted(secured: Secured, kind: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _connect(secured.at(kind, secured.owner.mqtt), secured.trusting("other-ca"))


@pytest.mark.parametrize("client", [None, "other-roof-1"])
def test_without_a_certificate_of_the_named_authority_nobody_gets_in_by_mutual_tls(
    secured: Secured, client: str | None
) -> None:
    login = secured.at("mqtt-mtls", secured.owner.mqtt)
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        _connect(login, secured.trusting(client=client))


def test_a_certificate_stands_beside_the_password_and_not_for_it(secured: Secured) -> None:
    login = {**secured.at("mqtt-mtls", secured.owner.mqtt), "password": "guessed"}
    with pytest.raises(PermissionError), Device(login, tls=secured.trusting(client="roof-1")):
        pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_tls_and_no_tls_are_turned_away(secured: Secured) -> None:
    old = secured.trusting()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        _connect(secured.at("mqtts", secured.owner.mqtt), old)
    with pytest.raises((OSError, AssertionError)):
        _connect(secured.at("mqtts", secured.owner.mqtt), None)


def test_who_registers_is_told_every_place(secured: Secured) -> None:
    assert (secured.owner.mqtt["host"], secured.owner.mqtt["port"]) == ("localhost", secured.broker.mqtt_port)
    assert secured.owner.mqtt["also"] == [
        {"url": f"{scheme}://localhost:{secured.ports[kind]}", "certificate": kind == "mqtt-mtls"}
        for scheme, kind in zip(("mqtts", "mqtts", "ws", "wss"), KINDS, strict=True)
    ]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "TLS needs MITOYEN_TLS_CERTIFICATE"),
        ({"TLS_CERTIFICATE": "{}/none.pem", "TLS_KEY": "{}/server.key"}, "no certificate and its key"),
        ({"TLS_CERTIFICATE": "{}/server.pem", "TLS_KEY": "{}/roof-1.key"}, "no certificate and its key"),
    ],
)
def test_what_tls_lacks_is_said_before_anything_starts(
    secured: Secured, tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    (port,) = free_ports(1)
    given = {name: value.format(secured.folder) for name, value in environment.items()}
    broker = Mitoyen(tmp_path, "--mqtts", f"127.0.0.1:{port}", environment=given)
    with pytest.raises(RuntimeError, match=said):
        broker.start()


def test_certificates_are_private_and_never_overwritten(tmp_path: Path) -> None:
    made(tmp_path, "--host", "broker.example", "--host", "192.0.2.7", "--days", "3")
    names = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "server.pem", "-noout", "-ext", "subjectAltName"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "DNS:broker.example" in names
    assert "IP Address:192.0.2.7" in names
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0
    before = (tmp_path / "server.key").read_bytes()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        made(tmp_path)
    assert "not overwritten" in refused.value.stderr
    assert (tmp_path / "server.key").read_bytes() == before


def _connect(login: dict[str, Any], tls: ssl.SSLContext | None) -> None:
    """One attempt, which ends when the other side turns it away. Raises what says so."""
    plain = socket.create_connection((login["host"], login["port"]), timeout=5)
    with plain, tls.wrap_socket(plain, server_hostname="localhost") if tls else plain as one:
        one.sendall(b"\x10\x12\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x05probe")
        assert one.recv(4), "turned away"
