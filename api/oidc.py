"""OpenID Connect's code flow: what a provider is asked, and whether its answer is to be believed. Pure.

A code that was caught on the way is worth nothing without the verifier (PKCE, RFC 7636), an answer that nobody asked for has no `state`, and
an identity token that was given for another sign-in has another `nonce`. In doubt nobody is signed in.
https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from broker.errors import Refused, Unavailable

ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA", "Ed25519", "RS384", "RS512", "ES384", "ES512", "PS384", "PS512")
"""With a key of the provider's: never none, and never with the client's secret."""
LEEWAY_S = 60
"""How far its clock and ours may differ."""
Claims: TypeAlias = Mapping[str, Any]  # Any: JSON
Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows this broker as."""

    issuer: str
    id: str
    secret: str | None = field(repr=False)
    """None: it is a public client, which PKCE alone secures."""
    redirect: str
    """Where the provider sends people back to."""
    claim: str
    """Which claim names the organisation."""
    scopes: str


class Provider(msgspec.Struct, frozen=True):
    """What it says of itself (https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata), as far as it is used."""

    issuer: Text
    authorization_endpoint: Text
    token_endpoint: Text
    jwks_uri: Text
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that somebody began."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    to: str
    """Where in the portal they wanted to go."""
    expires: float
    """In seconds since 1970."""


class _Tokens(msgspec.Struct):
    id_token: str


def discovery(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def provider(document: bytes, issuer: str) -> Provider:
    """Raises Unavailable if it is no such document, or another's."""
    try:
        found = msgspec.json.decode(document, type=Provider)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"the provider's configuration: {error}") from error
    if found.issuer != issuer:
        raise Unavailable(f"the provider calls itself {found.issuer!r}, expected {issuer!r}")
    return found


def question(at: Provider, client: Client, asked: Asked, state: str) -> str:
    """Where somebody is sent to sign in."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.redirect,
        "scope": client.scopes,
        "state": state,
        "nonce": asked.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{at.authorization_endpoint}{'&' if '?' in at.authorization_endpoint else '?'}{urlencode(query)}"


def from_it(query: Mapping[str, str], at: Provider) -> bool:
    """Whether an answer says that it is this provider's, or may leave that out (RFC 9207, 2.4)."""
    left_out = None if at.authorization_response_iss_parameter_supported else at.issuer
    return query.get("iss", left_out) == at.issuer


def exchange(at: Provider, client: Client, asked: Asked, code: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request that makes a code an identity token (RFC 6749, 2.3.1 and 4.1.3)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect,
        "code_verifier": asked.verifier,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if client.secret is None:
        form["client_id"] = client.id
    elif "client_secret_basic" in at.token_endpoint_auth_methods_supported:
        login = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}".encode()
        headers["authorization"] = f"Basic {base64.b64encode(login).decode()}"
    else:
        form |= {"client_id": client.id, "client_secret": client.secret}
    return headers, urlencode(form).encode()


def keys(document: bytes) -> KeySet:
    """What the provider signs with. Raises Unavailable."""
    try:
        return KeySet.import_key_set(msgspec.json.decode(document))
    except (JoseError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"the provider's keys: {type(error).__name__}") from error


def claims(answer: bytes, by: KeySet, client: Client, asked: Asked, now: int) -> Claims:
    """What the identity token says, once it is the provider's, for this client and this sign-in, at `now` (s since 1970). Raises Refused."""
    try:
        token = jwt.decode(msgspec.json.decode(answer, type=_Tokens).id_token, by, algorithms=ALGORITHMS)
        _expected(client, asked, now).validate(token.claims)
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise Refused("token", f"The provider's answer does not hold: {type(error).__name__}") from error
    return _for_us(token.claims, client)


def _expected(client: Client, asked: Asked, now: int) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now,
        LEEWAY_S,
        iss={"essential": True, "value": client.issuer},
        aud={"essential": True, "value": client.id},
        nonce={"essential": True, "value": asked.nonce},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )


def _for_us(found: Claims, client: Client) -> Claims:
    """A token for several has to say that it was given to this one (3.1.3.7, 4 and 5). Raises Refused."""
    several = isinstance(found["aud"], list) and len(found["aud"]) > 1
    if found.get("azp", None if several else client.id) != client.id:
        raise Refused("token", "The provider's answer was given to another client.")
    return found


def named(found: Claims, client: Client) -> list[str]:
    """The organisations that the claim names: a text, or a list of them, as providers have for groups."""
    value = found.get(client.claim)
    values = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(one for one in values if isinstance(one, str)))
