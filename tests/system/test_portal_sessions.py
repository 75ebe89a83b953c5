"""A session of the portal: a cookie that no script reads opens what its key opens, and a change needs the page's own token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.sessions import COOKIE, CSRF
from tests.owners import Owner, new_owner

if TYPE_CHECKING:
    import httpx

    from tests.servers import Mitoyen


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    return new_owner(mitoyen, "signed-in")


def _signed_in(client: httpx.Client, key: str) -> str:
    answer = client.post("/session", json={"key": key})
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["csrf"]
    return token


def test_signing_in_gives_a_cookie_for_this_origin_alone_and_says_who_one_is(mitoyen: Mitoyen, owner: Owner) -> None:
    with mitoyen.client() as client:
        answer = client.post("/session", json={"key": f" {owner.key}\n"})
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert owner.key not in cookie
        assert (answer.json()["role"], answer.json()["id"]) == ("organisation", owner.id)
        assert client.get("/session").json() == answer.json()
        assert [one["id"] for one in client.get("/api/v1/gateways").json()] == ["g"]


def test_a_change_needs_the_pages_own_token(mitoyen: Mitoyen, owner: Owner) -> None:
    with mitoyen.client() as client:
        token = _signed_in(client, owner.key)
        body = {"id": "forged"}
        assert client.post("/api/v1/gateways", json=body).json()["reason"] == "csrf"
        assert client.post("/api/v1/gateways", json=body, headers={CSRF: "wrong"}).status_code == 403
        assert client.delete("/session").json()["reason"] == "csrf"
        assert client.post("/api/v1/gateways", json=body, headers={CSRF: token}).status_code == 201


def test_a_key_that_is_shown_counts_rather_than_the_cookie(mitoyen: Mitoyen, owner: Owner) -> None:
    with mitoyen.client() as client:
        _signed_in(client, owner.key)
        assert client.get("/api/v1/gateways", headers={"Authorization": "Bearer nobody's"}).status_code == 401


def test_a_session_ends_with_its_key_when_it_is_ended_and_is_nobodys_then(mitoyen: Mitoyen, owner: Owner) -> None:
    second = mitoyen.call(owner.key, "POST", "keys", {"name": "for the portal"})
    with mitoyen.client() as client:
        token = _signed_in(client, second["key"])
        mitoyen.call(owner.key, "DELETE", f"keys/{second['id']}")
        assert client.get("/session").json() is None
        assert client.get("/api/v1/gateways").status_code == 401
        assert client.get("/api/v1/offers").status_code == 200
        kept = client.cookies[COOKIE]
        assert client.delete("/session", headers={CSRF: token}).status_code == 204
        client.cookies.set(COOKIE, kept)
        assert client.get("/session").json() is None


def test_a_read_only_key_changes_nothing_through_a_session(mitoyen: Mitoyen, owner: Owner) -> None:
    looking = mitoyen.call(owner.key, "POST", "keys", {"name": "looking", "scopes": ["read"]})
    with mitoyen.client() as client:
        token = _signed_in(client, looking["key"])
        answer = client.post("/api/v1/gateways", json={"id": "no"}, headers={CSRF: token})
        assert (answer.status_code, answer.json()["reason"]) == (403, "scope")


@pytest.mark.parametrize("key", ["", "mitoyen_organisation_nobody"])
def test_a_key_that_is_nobodys_opens_no_session(mitoyen: Mitoyen, key: str) -> None:
    with mitoyen.client() as client:
        answer = client.post("/session", json={"key": key})
        assert answer.status_code in (401, 422)
        assert "set-cookie" not in answer.headers
