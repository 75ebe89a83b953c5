"""Limits on a running broker: what is one too many is told when to come back, and counted; and who is not meant goes on."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import ssl
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from bench.faults.load import account
from broker.mqtt import codec, connection
from mitoyen.ports import free_ports
from tests.mqtt import Client
from tests.owners import new_owner
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG = 5
PER_KEY = 1
MQTT = 2
HTTP = 20
HEAD_KB = 16
BODY_MB = 1
WITHIN_S = 2
MESSAGE_KB = 64
_asked = itertools.count(1)  # an address of its own each time, which has its whole rate


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mitoyen, int]]:
    """A broker with tight limits that believes this machine's proxies, and where it speaks MQTT over TLS."""
    folder, (port, mounted) = tmp_path_factory.mktemp("limited"), free_ports(2)
    Mitoyen.run_command("certificates", "--out", str(folder / "tls"))
    environment = {
        "WRONG_KEYS": str(WRONG),
        "REQUESTS_PER_KEY": str(PER_KEY),
        "REQUESTS_PER_ADDRESS": "20",
        "TRUSTED_PROXIES": "127.0.0.1",
        "MQTT_CONNECTIONS": str(MQTT),
        "MQTT_MOUNTED": f"127.0.0.1:{mounted}=crowd/g",
        "MQTT_MESSAGE_KB": str(MESSAGE_KB),
        "HTTP_CONNECTIONS": str(HTTP),
        "HTTP_HEAD_KB": str(HEAD_KB),
        "HTTP_BODY_MB": str(BODY_MB),
        "HTTP_WITHIN_S": str(WITHIN_S),
        "TLS_CERTIFICATE": str(folder / "tls" / "server.pem"),
        "TLS_KEY": str(folder / "tls" / "server.key"),
    }
    with Mitoyen(folder, "--mqtts", f"127.0.0.1:{port}", environment=environment) as broker:
        yield broker, port


def ask(broker: Mitoyen, key: str | None, callers: list[str], path: str = "/api/v1/agreements") -> list[httpx.Response]:
    """The answers to one call of each of these behind a proxy."""
    with broker.client(key) as client:
        return [client.get(path, headers={"X-Forwarded-For": caller}) for caller in callers]


def refusal(answers: list[httpx.Response]) -> tuple[int, str, bool]:
    """The first that says no; on a slow machine one after it may be answered again."""
    answer = next(one for one in answers if one.status_code not in (httpx.codes.OK, httpx.codes.UNAUTHORIZED))
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"], int(answer.headers["Retry-After"]) >= 1


def test_wrong_keys_are_told_so_a_few_times_and_then_no_key_from_there_is_looked_at(
    limited: tuple[Mitoyen, int],
) -> None:
    broker, _ = limited
    owner = new_owner(broker, "right")
    answers = ask(broker, "mitoyen_organisation_guessed", ["192.0.2.1"] * (WRONG + 5))
    assert [answer.status_code for answer in answers[:WRONG]] == [401] * WRONG
    assert refusal(answers) == (429, "limit_wrong_keys", True)
    assert counted(broker, "wrong_keys") > 0
    assert refusal(ask(broker, owner.key, ["192.0.2.1"]))[1] == "limit_wrong_keys"
    assert ask(broker, owner.key, ["192.0.2.2"])[0].status_code == 200
    assert ask(broker, None, ["192.0.2.1"], "/api/v1/offers")[0].status_code == 200


def test_a_key_that_asks_too_much_is_refused_wherever_it_calls_from_and_others_are_not(
    limited: tuple[Mitoyen, int],
) -> None:
    broker, _ = limited
    owner = new_owner(broker, "eager")
    other = new_owner(broker, "patient")
    answers = ask(broker, owner.key, [f"198.51.100.{place}" for place in range(100)])
    assert answers[0].status_code == 200
    assert refusal(answers) == (429, "limit_key", True)
    assert counted(broker, "key") > 0
    assert ask(broker, other.key, ["198.51.100.1"])[0].status_code == 200


def test_an_address_that_asks_too_much_is_refused_with_any_key_and_without(limited: tuple[Mitoyen, int]) -> None:
    broker, _ = limited
    answers = ask(broker, None, ["203.0.113.1"] * 400, "/healthz")
    assert answers[0].status_code == 200
    assert refusal(answers) == (429, "limit_address", True)
    assert ask(broker, None, ["203.0.113.2"], "/healthz")[0].status_code == 200
    site = ask(broker, None, [f"2001:db8::{place:x}" for place in range(400)], "/healthz")
    assert refusal(site)[1] == "limit_address"
    assert counted(broker, "address") > 0


def test_a_stranger_who_names_another_address_is_not_believed(mitoyen: Mitoyen) -> None:
    """Without a trusted proxy the header says nothing: the page's links stay http."""
    with mitoyen.client() as client:
        answer = client.get("/catalog.jsonld", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"})
    assert "https://127.0.0.1" not in answer.text


def test_mosquitto_takes_so_many_connections_where_it_faces_others_and_the_broker_keeps_its_own(
    limited: tuple[Mitoyen, int],
) -> None:
    broker, port = limited
    owner = new_owner(broker, "crowd")
    tls = broker.directory / "tls"
    context = ssl.create_default_context(cafile=str(tls / "ca.pem"))
    at = {**owner.mqtt, "host": "localhost", "port": port}
    with Client(at, "one", tls=context), Client(at, "two", tls=context):
        with socket.create_connection(("127.0.0.1", port)) as third, pytest.raises(OSError, match=r"EOF|reset|closed"):
            context.wrap_socket(third, server_hostname="localhost")
        with Client(owner.mqtt, "plain"):
            pass


def test_so_many_connections_where_devices_can_not_say_who_they_are(limited: tuple[Mitoyen, int]) -> None:
    """Mosquitto 2.0.11 forgets one that is there for each that it turned away, so that there may be a few more."""
    broker, _ = limited
    mounted = broker._environment["MQTT_MOUNTED"].partition("=")[0]
    address = ("127.0.0.1", int(mounted.rpartition(":")[2]))
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(2 * MQTT + 1)]
        with suppress(ConnectionResetError):
            assert crowd[-1].recv(1) == b""


async def test_a_message_that_is_too_large_is_not_taken(limited: tuple[Mitoyen, int]) -> None:
    broker, _ = limited
    owner = new_owner(broker, "large")
    owner.datastream("d")
    with Device(owner.mqtt) as device:
        device.publish("d", ['{"value": 1}'.ljust(MESSAGE_KB << 10)])
        device.await_answers(1)
    heading = codec.heading(owner.mqtt["topic"].replace("{datastream}", "d"))
    async with asyncio.timeout(10), connection.connect(account(owner.mqtt, "large"), lambda _: None) as out:
        out.publish([(heading, codec.NO_PROPERTIES, b" " * (2 * MESSAGE_KB << 10), False)], lambda _: None)
        await out.lost


def told(broker: Mitoyen, *pieces: bytes) -> bytes:
    """What HTTP says to these bytes before it hangs up."""
    said = b""
    with socket.create_connection(("127.0.0.1", broker.http_port), timeout=10 * WITHIN_S) as connection:
        with suppress(OSError):  # it hangs up at the first that is too much
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionResetError):
            while piece := connection.recv(1 << 16):
                said += piece
    return said.partition(b"\r\n")[0]


GET = b"GET /healthz HTTP/1.1\r\nhost: h\r\n"
POST = b"POST /api/v1/signup HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
LARGE = b" " * (1 << 20)


@pytest.mark.parametrize(
    ("pieces", "status", "limit"),
    [
        ([], 408, "slow"),
        ([GET], 408, "slow"),
        ([GET + b"\r\n", b"GET /"], 200, "slow"),
        ([GET + b"x-long: ", *[b"x" * 1_000] * 1_000], 431, "head"),
        ([GET, *[b"x-another: 1\r\n" * 100] * 1_000], 431, "head"),
        ([POST + b"content-length: 9\r\n\r\n{"], 408, "body_slow"),
        ([POST + b"content-length: 2000000\r\n\r\n", LARGE, b" "], 413, "body"),
        ([POST + b"transfer-encoding: chunked\r\n\r\n100001\r\n", LARGE, b" "], 413, "body"),
    ],
    ids=["nothing", "half a head", "half a second head", "a long header", "many headers", "half a body", "large", "chunked"],
)  # fmt: skip
def test_what_http_is_sent_is_bounded_in_size_and_time_and_counted(
    limited: tuple[Mitoyen, int], pieces: list[bytes], status: int, limit: str
) -> None:
    broker, _ = limited
    before = counted(broker, limit)
    assert told(broker, *pieces).split()[1] == str(status).encode()
    assert counted(broker, limit) == before + 1


def counted(broker: Mitoyen, limit: str) -> float:
    """As the metrics tell it, which are for the operator's key, and that has its rate too."""
    said: list[httpx.Response] = []

    def told_now() -> bool:
        said[:] = ask(broker, broker.operator_key, [f"192.0.2.{next(_asked)}"], "/metrics")
        return said[0].status_code == httpx.codes.OK

    broker.await_that(told_now, "the metrics are not told")
    found = re.search(rf'^mitoyen_requests_limited_total{{limit="{limit}"}} (\S+)$', said[0].text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_so_many_connections_to_http_and_who_has_one_goes_on(limited: tuple[Mitoyen, int]) -> None:
    broker, _ = limited
    with broker.client() as client, ExitStack() as stack:
        assert client.get("/healthz").status_code == 200
        crowd = [
            stack.enter_context(socket.create_connection(("127.0.0.1", broker.http_port), timeout=10))
            for _ in range(HTTP)
        ]
        assert crowd[-1].recv(12) == b"HTTP/1.1 503"
        assert client.get("/healthz").status_code == 200
    broker.await_that(lambda: told(broker, GET + b"connection: close\r\n\r\n").endswith(b"200 OK"), "it stays full")
