"""Webhooks, taken by real HTTP servers: signed, tried again, and never sent where they must not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api import outward, poster
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.receiver import Receiver, Taken
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """One whose webhooks may go to this machine, and are tried again soon."""
    settings = {"WEBHOOK_LOOPBACK": "true", "WEBHOOK_RETRY": "PT1S"}
    with Mitoyen(tmp_path_factory.mktemp("webhooks"), environment=settings) as running:
        yield running


@pytest.fixture(scope="module")
def owner(broker: Mitoyen) -> Owner:
    made = new_owner(broker, "telling")
    made.datastream("d")
    return made


def register(reader: Reader, url: str) -> str:
    made = reader.broker.call(reader.key, "PUT", f"applications/{reader.id}/webhook", {"url": url})
    assert made["url"] == url
    return str(made["secret"])


def shown(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = reader.broker.call(reader.key, "GET", f"applications/{reader.id}/webhook")
    return found


def last(reader: Reader, **expected: object) -> dict[str, Any]:
    """The last delivery, as soon as it is so."""
    holds = lambda: any(expected.items() <= one.items() for one in shown(reader)["last"][:1])  # noqa: E731 - read once
    reader.broker.await_that(holds, f"{expected} never came")
    return dict(shown(reader)["last"][0])


def revoke(owner: Owner, agreement: str) -> None:
    owner.broker.call(owner.key, "DELETE", f"agreements/{agreement}", {"reason": "enough"})


def verify(taken: Taken, secret: str) -> None:
    """As a receiver does by the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{taken.headers['webhook-id']}.{taken.headers['webhook-timestamp']}.".encode() + taken.body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert taken.headers["webhook-signature"] == f"v1,{signature}"


def test_a_notice_is_posted_signed_and_once(broker: Mitoyen, owner: Owner) -> None:
    reader = new_reader(broker, "hooked")
    agreement = reader.agree(owner.offer(["d"])["id"])["id"]
    with Receiver() as receiver:
        secret = register(reader, f"{receiver.url}/hook")
        assert secret.startswith("whsec_")
        assert "secret" not in shown(reader)
        revoke(owner, agreement)
        (taken,) = receiver.await_taken(1)
        verify(taken, secret)
        assert (taken.path, taken.said["type"]) == ("/hook", "agreement.revoked")
        assert (taken.said["data"]["agreement"], taken.said["data"]["reason"]) == (agreement, "enough")
        assert taken.headers["webhook-id"] == taken.said["data"]["id"]
        done = last(reader, outcome="delivered")
        assert (done["attempts"], done["detail"], done["again"]) == (1, "204", None)
        renewed = register(reader, f"{receiver.url}/other")
        assert renewed != secret
        revoke(owner, reader.agree(owner.offer(["d"])["id"])["id"])
        taken = receiver.await_taken(2)[1]
        verify(taken, renewed)
        assert taken.path == "/other"
        broker.await_metric("mitoyen_webhook_attempts_total", lambda attempts: attempts >= 2)


def test_what_fails_is_tried_again_under_the_same_id_and_a_redirect_is_not_followed(
    broker: Mitoyen, owner: Owner
) -> None:
    reader = new_reader(broker, "again")
    agreement = reader.agree(owner.offer(["d"])["id"])["id"]
    with Receiver(307, 500) as receiver:
        secret = register(reader, receiver.url)
        revoke(owner, agreement)
        receiver.await_taken(1)
        waiting = last(reader, attempts=1, outcome="waiting")
        assert waiting["detail"] == "307"
        assert waiting["again"] > waiting["time"]
        taken = receiver.await_taken(3)
        done = last(reader, outcome="delivered")
        assert {one.path for one in taken} == {"/"}
        assert len({one.headers["webhook-id"] for one in taken}) == 1
        for one in taken:
            verify(one, secret)
        assert done["attempts"] == 3
        found = shown(reader)
        assert (found["delivered"], found["waiting"], found["failed"], found["attempts"]) == (1, 0, 0, 3)


def test_who_answers_that_it_is_gone_is_told_no_more(broker: Mitoyen, owner: Owner) -> None:
    reader = new_reader(broker, "gone")
    agreement = reader.agree(owner.offer(["d"])["id"])["id"]
    with Receiver(410) as receiver:
        register(reader, receiver.url)
        revoke(owner, agreement)
        receiver.await_taken(1)
        broker.await_that(lambda: _has_none(reader), "it is still there")


def _has_none(reader: Reader) -> bool:
    with reader.broker.client(reader.key) as client:
        return client.get(f"/api/v1/applications/{reader.id}/webhook").status_code == 404


def test_only_its_own_side_sees_or_sets_an_applications_webhook(broker: Mitoyen) -> None:
    reader, other = new_reader(broker, "private-hook"), new_reader(broker, "nosy")
    register(reader, "https://example.org/hook")
    path = f"applications/{reader.id}/webhook"
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"url": "https://example.org/"})):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            broker.call(other.key, method, path, body)
        assert refused.value.response.status_code == 403
    broker.call(reader.key, "DELETE", path)
    assert _has_none(reader)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1"])
def test_a_name_that_means_this_machine_is_never_connected_to(mitoyen: Mitoyen, host: str) -> None:
    """On a broker as it is by default."""
    name = f"inward-{host.replace('.', '-')}"
    owner, reader = new_owner(mitoyen, f"{name}-owner"), new_reader(mitoyen, name)
    owner.datastream("d")
    agreement = reader.agree(owner.offer(["d"])["id"])["id"]
    with Receiver() as receiver:
        register(reader, f"https://{host}:{receiver.port}/")
        revoke(owner, agreement)
        assert last(reader, outcome="waiting")["detail"] == "address_not_public"
        assert receiver.taken == []


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with Receiver() as receiver:
        async with outward.client() as http:
            url = f"http://no-such-name.invalid:{receiver.port}/hook"
            assert await poster.post(http, url, {}, b"{}", resolve, loopback=True) == 204
        (taken,) = receiver.taken
    assert asked == ["no-such-name.invalid"]
    assert taken.headers["host"] == f"no-such-name.invalid:{receiver.port}"


async def test_one_address_that_is_not_public_is_enough_to_send_nothing() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    async with outward.client() as http:
        with pytest.raises(outward.NotPublic):
            await poster.post(http, "https://example.org/", {}, b"{}", resolve, loopback=True)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the name `hooks.example`, in `server.pem`, and the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    Mitoyen.run_command("certificates", "--out", str(folder), "--host", "hooks.example")
    return folder


@pytest.mark.parametrize(("name", "fits"), [("hooks.example", True), ("other.example", False)])
async def test_a_certificate_is_for_the_name_not_for_the_address(tls: Path, name: str, fits: bool) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    trusting = ssl.create_default_context(cafile=tls / "ca.pem")
    with Receiver(certificate=tls / "server.pem", key=tls / "server.key") as receiver:
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as http:
            url = f"https://{name}:{receiver.port}/"
            if fits:
                assert await poster.post(http, url, {}, b"{}", resolve, loopback=True) == 204
            else:
                with pytest.raises(httpx.ConnectError, match="certificate"):
                    await poster.post(http, url, {}, b"{}", resolve, loopback=True)
                assert receiver.taken == []
