"""What is signed, when it is tried again, and where no webhook goes."""

from __future__ import annotations

import base64
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times, webhook
from broker.errors import Refused

MASTER = bytes(range(32))


def test_a_signature_is_the_one_that_the_specifications_own_libraries_expect() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = webhook.headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330 * times.SECOND, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_every_application_and_every_registration_has_a_secret_of_its_own() -> None:
    made = {webhook.secret(MASTER, application, nonce) for application in "ab" for nonce in "12"}
    assert len(made) == 4
    told = webhook.spelled(made.pop())
    assert told.startswith("whsec_")
    assert len(base64.b64decode(told.removeprefix("whsec_"))) == 32


def test_pauses_grow_and_end() -> None:
    pauses = [webhook.pause(attempts, 5) for attempts in range(1, webhook.ATTEMPTS + 1)]
    assert pauses == [5, 30, 180, 1080, 6480, 38880, None]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",  # noqa: S104 - nobody listens there
        "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:4136:e378::", "2001:db8::1",
        "example.org", "",
    ],
)  # fmt: skip
def test_what_is_private_reserved_or_hidden_in_another_is_no_address_for_a_webhook(address: str) -> None:
    assert not webhook.permitted(address, loopback=False)
    assert webhook.permitted(address, loopback=True) == (
        address in {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}
    )


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_what_is_public_is_permitted(address: str) -> None:
    assert webhook.permitted(address, loopback=False)


@given(st.ip_addresses())
def test_no_address_that_is_not_global_is_permitted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    inner = getattr(address, "ipv4_mapped", None) or address
    assert inner.is_global or not webhook.permitted(str(address), loopback=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "not_https"),
        ("ftp://example.org/", "not_https"),
        ("https:///path", "no_such_url"),
        (f"https://{'a' * 64}.example/", "no_such_url"),
        ("https://a..example/", "no_such_url"),
        ("https://user:password@example.org/", "no_such_url"),
        ("https://example.org:99999/", "no_such_url"),
        ("https://example.org/#part", "no_such_url"),
        ("https://exämple.org/", "no_such_url"),
        ("https://127.0.0.1/", "address_not_public"),
        ("https://[::1]/", "address_not_public"),
        ("https://169.254.169.254/latest", "address_not_public"),
        ("https://localhost/", "address_not_public"),
        ("http://127.0.0.1/", "not_https"),
    ],
)
def test_a_url_that_no_webhook_may_go_to_is_refused_at_once(url: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        webhook.check(url, loopback=False)
    assert refused.value.reason == reason


def test_where_the_operator_permits_it_this_machine_may_be_told_without_tls() -> None:
    for url in (
        "http://127.0.0.1:8000/hook",
        "http://[::1]:8000/",
        "http://localhost:8000/",
        "https://example.org/hook",
    ):
        webhook.check(url, loopback=True)
    with pytest.raises(Refused):
        webhook.check("http://example.org/", loopback=True)
