"""Whether an identity provider's word counts: everything that is wrong with a token is refused, whatever else is right with it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from api import oidc
from broker.errors import Refused, Unavailable

if TYPE_CHECKING:
    from joserfc.jwk import Key

ISSUER = "https://login.example"
NOW = 1_800_000_000
CLIENT = oidc.Client(ISSUER, "mitoyen", "s", "https://broker.example/session/provider/answer", "teams", "openid")
ASKED = oidc.Asked("the nonce", "a verifier", "/owner", NOW + 600)
SIGNS = ECKey.generate_key("P-256", {"kid": "one"})
KEYS = oidc.keys(json.dumps(KeySet([SIGNS]).as_dict(private=False)).encode())
GOOD = {"iss": ISSUER, "aud": "mitoyen", "sub": "u-1", "nonce": "the nonce", "iat": NOW, "exp": NOW + 300}


def _answer(claims: dict[str, Any], key: Key = SIGNS, alg: str = "ES256") -> bytes:
    signed = jwt.encode({"alg": alg, "kid": "one"}, claims, key, algorithms=[alg])
    return json.dumps({"id_token": signed}).encode()


def _claims(answer: bytes) -> oidc.Claims:
    return oidc.claims(answer, KEYS, CLIENT, ASKED, NOW)


@pytest.mark.parametrize(
    "more", [{}, {"aud": ["mitoyen"]}, {"aud": ["mitoyen", "wiki"], "azp": "mitoyen"}, {"exp": NOW - 30}]
)
def test_the_providers_word_for_this_client_and_this_sign_in_counts(more: dict[str, Any]) -> None:
    assert _claims(_answer({**GOOD, **more}))["sub"] == "u-1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.evil.example"},
        {"aud": "wiki"},
        {"aud": ["mitoyen", "wiki"]},
        {"aud": ["mitoyen", "wiki"], "azp": "wiki"},
        {"azp": "wiki"},
        {"nonce": "another"},
        {"exp": NOW - 61},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
    ],
    ids=json.dumps,
)
def test_a_token_for_somebody_else_or_another_time_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        _claims(_answer({**GOOD, **wrong}))


@pytest.mark.parametrize("missing", ["iss", "aud", "nonce", "exp", "iat", "sub"])
def test_a_token_that_leaves_out_what_it_has_to_say_is_refused(missing: str) -> None:
    with pytest.raises(Refused):
        _claims(_answer({name: value for name, value in GOOD.items() if name != missing}))


def test_a_token_that_another_key_signed_is_refused() -> None:
    with pytest.raises(Refused):
        _claims(_answer(GOOD, ECKey.generate_key("P-256", {"kid": "one"})))


def test_a_token_that_the_clients_secret_signed_or_nobody_is_refused() -> None:
    secret = OctKey.import_key("x" * 32)
    with pytest.raises(Refused):
        _claims(_answer(GOOD, secret, "HS256"))
    parts = [
        base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in ({"alg": "none"}, GOOD)
    ]
    with pytest.raises(Refused):
        _claims(json.dumps({"id_token": f"{parts[0]}.{parts[1]}."}).encode())


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"id_token": 1}', b'{"id_token": "a.b.c"}', b'{"id_token": ""}'])
def test_what_is_no_token_is_refused(answer: bytes) -> None:
    with pytest.raises(Refused):
        _claims(answer)


DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/a?tenant=1",
    "token_endpoint": f"{ISSUER}/t",
    "jwks_uri": f"{ISSUER}/k",
}


@pytest.mark.parametrize("wrong", [{"issuer": f"{ISSUER}/"}, {"jwks_uri": None}, {"token_endpoint": ""}])
def test_another_providers_configuration_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        oidc.provider(json.dumps({**DOCUMENT, **wrong}).encode(), ISSUER)


def test_it_is_asked_with_state_nonce_and_a_challenge_for_the_verifier() -> None:
    at = oidc.provider(json.dumps(DOCUMENT).encode(), ISSUER)
    query = {
        name: one[0] for name, one in parse_qs(urlsplit(oidc.question(at, CLIENT, ASKED, "the state")).query).items()
    }
    digest = hashlib.sha256(b"a verifier").digest()
    assert query == {
        "tenant": "1", "response_type": "code", "client_id": "mitoyen", "redirect_uri": CLIENT.redirect, "scope": "openid", "state": "the state",
        "nonce": "the nonce", "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="), "code_challenge_method": "S256",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("methods", "secret", "form", "header"),
    [
        (("client_secret_basic",), "s/1", {}, "Basic bWl0b3llbjpzJTJGMQ=="),
        (("client_secret_post",), "s/1", {"client_id": "mitoyen", "client_secret": "s/1"}, None),
        (("client_secret_basic",), None, {"client_id": "mitoyen"}, None),
    ],
)
def test_the_client_shows_its_secret_as_the_provider_takes_it(
    methods: tuple[str, ...], secret: str | None, form: dict[str, str], header: str | None
) -> None:
    at = oidc.provider(json.dumps({**DOCUMENT, "token_endpoint_auth_methods_supported": methods}).encode(), ISSUER)
    client = oidc.Client(ISSUER, "mitoyen", secret, CLIENT.redirect, "teams", "openid")
    headers, body = oidc.exchange(at, client, ASKED, "a code")
    sent = {name: one[0] for name, one in parse_qs(body.decode()).items()}
    own = {
        "grant_type": "authorization_code",
        "code": "a code",
        "redirect_uri": CLIENT.redirect,
        "code_verifier": "a verifier",
    }
    assert sent == {**own, **form}
    assert headers.get("authorization") == header


@pytest.mark.parametrize(
    ("value", "named"),
    [("air", ["air"]), (["air", 3, "air", "noise"], ["air", "noise"]), (None, []), (7, []), ({}, [])],
)
def test_the_claim_names_organisations_as_a_text_or_a_list(value: object, named: list[str]) -> None:
    assert oidc.named({"teams": value}, CLIENT) == named


def test_an_answer_says_whose_it_is_where_the_provider_always_does() -> None:
    at = oidc.provider(
        json.dumps({**DOCUMENT, "authorization_response_iss_parameter_supported": True}).encode(), ISSUER
    )
    assert oidc.from_it({"iss": ISSUER}, at)
    assert not oidc.from_it({}, at)
    assert not oidc.from_it({"iss": "https://evil.example"}, at)
