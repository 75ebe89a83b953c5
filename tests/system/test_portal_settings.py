"""What an operator sets for the portal: an identity provider to sign in with, and a map of their own under the sensors."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from PIL import Image
from playwright.sync_api import expect

from api.routes.portal import Shown
from api.serve import application
from api.sessions import CSRF
from mitoyen.ports import free_ports
from tests import tiles
from tests.browser import chromium, leaves, violations, visitor
from tests.environments import python
from tests.identity import CLIENT, SECRET, Provider, provider
from tests.owners import Owner, new_owner
from tests.servers import TLS, Mitoyen, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

WATER = (197, 221, 228)
"""As the map draws it by day."""
COLOUR = (200, 90, 40)


@pytest.fixture(scope="module")
def identity() -> Iterator[Provider]:
    with provider() as started:
        yield started


@pytest.fixture(scope="module")
def broker(identity: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    folder = tmp_path_factory.mktemp("set")
    (folder / "city.pmtiles").write_bytes(tiles.water())
    own = {
        "OIDC_ISSUER": identity.url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_ORGANISATION_CLAIM": "team",
    }
    map_ = {"TILES": str(folder / "city.pmtiles"), "TILES_ATTRIBUTION": "© the city’s survey"}
    with Mitoyen(folder, environment={**own, **map_}) as started:
        yield started


@pytest.fixture(scope="module")
def owner(broker: Mitoyen) -> Owner:
    return new_owner(broker, "known-there")


@pytest.fixture
def somebody(identity: Provider, owner: Owner) -> Provider:
    """The provider, who lets in somebody of the owner's and tells the truth."""
    identity.claims = {"sub": "u-1", "preferred_username": "ada", "team": owner.id}
    identity.wrong = None
    identity.signs_with = identity.key
    return identity


def _walk(client: httpx.Client, to: str = "/owner") -> httpx.Response:
    """From the button over the provider and back; returns where one is sent then."""
    begun = client.get("/session/provider", params={"to": to})
    assert begun.status_code == 303, begun.text
    with httpx.Client(trust_env=False, verify=TLS) as elsewhere:
        back = elsewhere.get(begun.headers["location"])
    return client.get(urlsplit(back.headers["location"])._replace(scheme="", netloc="").geturl())


@pytest.mark.usefixtures("somebody")
def test_whoever_the_provider_lets_in_is_signed_in_as_their_organisation(broker: Mitoyen, owner: Owner) -> None:
    with broker.client() as client:
        answer = _walk(client, "/owner/offers/new")
        assert (answer.status_code, answer.headers["location"]) == (303, "/owner/offers/new")
        session = client.get("/session").json()
        assert (session["role"], session["id"]) == ("organisation", owner.id)
        assert client.post("/api/v1/gateways", json={"id": "by-session"}).status_code == 403
        made = client.post("/api/v1/gateways", json={"id": "by-session"}, headers={CSRF: session["csrf"]})
        assert made.status_code == 201
        mine = [one for one in client.get("/api/v1/keys").json() if one["id"].startswith("session-")]
        assert [one["name"] for one in mine] == ["signed in: ada"]
        assert client.delete("/session", headers={CSRF: session["csrf"]}).status_code == 204
        assert client.get("/session").json() is None
    assert not [one for one in broker.call(owner.key, "GET", "keys") if one["id"].startswith("session-")]


@pytest.mark.usefixtures("somebody")
def test_an_organisation_ends_such_a_session_as_it_ends_a_key(broker: Mitoyen, owner: Owner) -> None:
    with broker.client() as client:
        _walk(client)
        (key,) = [one["id"] for one in broker.call(owner.key, "GET", "keys") if one["id"].startswith("session-")]
        broker.call(owner.key, "DELETE", f"keys/{key}")
        assert client.get("/session").json() is None
        assert client.get("/api/v1/gateways").status_code == 401


@pytest.mark.parametrize("team", [None, "nobody-here", ["known-there", "known-too"], 7], ids=str)
def test_whoever_belongs_to_no_organisation_or_to_several_is_not_signed_in(
    broker: Mitoyen, somebody: Provider, team: object
) -> None:
    known = {one["id"] for one in broker.call(None, "GET", "organisations")}
    if "known-too" not in known:
        new_owner(broker, "known-too")
    somebody.claims["team"] = team
    with broker.client() as client:
        assert _walk(client).headers["location"] == "/sign-in?refused=no_organisation"
        assert client.get("/session").json() is None


def _another_nonce(_: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["nonce"] = "another"


def _for_another(_: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["aud"] = "wiki"


@pytest.mark.parametrize("wrong", [_another_nonce, _for_another])
def test_a_token_that_does_not_hold_signs_nobody_in(
    broker: Mitoyen, somebody: Provider, wrong: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    somebody.wrong = wrong
    with broker.client() as client:
        assert _walk(client).headers["location"] == "/sign-in?refused=token"
        assert client.get("/session").json() is None


def test_a_token_of_another_key_signs_nobody_in(broker: Mitoyen, somebody: Provider) -> None:
    somebody.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    with broker.client() as client:
        assert _walk(client).headers["location"] == "/sign-in?refused=token"


@pytest.mark.usefixtures("somebody")
def test_a_way_back_counts_once_and_in_the_browser_that_began_it(broker: Mitoyen) -> None:
    with broker.client() as client, broker.client() as other, httpx.Client(trust_env=False, verify=TLS) as elsewhere:
        there = client.get("/session/provider").headers["location"]
        back = urlsplit(elsewhere.get(there).headers["location"])._replace(scheme="", netloc="").geturl()
        assert other.get(back).headers["location"] == "/sign-in?refused=stale"
        assert client.get(back).headers["location"] == "/sign-in?refused=stale"  # what somebody tried is spent
        assert client.get("/session/provider/answer?state=made-up&code=1").headers["location"].endswith("stale")


@pytest.mark.usefixtures("somebody")
def test_whoever_the_provider_does_not_let_in_is_told(broker: Mitoyen) -> None:
    with broker.client() as client:
        there = client.get("/session/provider").headers["location"]
        state = parse_qs(urlsplit(there).query)["state"][0]
        answer = client.get("/session/provider/answer", params={"state": state, "error": "access_denied"})
        assert answer.headers["location"] == "/sign-in?refused=denied"


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\nSet-Cookie: a=b"])
def test_nobody_is_sent_to_another_site_afterwards(broker: Mitoyen, to: str) -> None:
    with broker.client() as client:
        assert _walk(client, to).headers["location"] == "/owner"


def test_where_no_provider_is_named_there_is_no_way_over_one(mitoyen: Mitoyen) -> None:
    with mitoyen.client() as client:
        assert client.get("/session/provider").status_code == 404
        assert client.get("/session/provider/answer").status_code == 404
        assert client.get("/portal.json").json() == {"sign_in": None, "tiles": None}
        assert client.get("/tiles.pmtiles").status_code == 404


def test_the_operators_tiles_are_read_by_ranges(broker: Mitoyen) -> None:
    with broker.client() as client:
        whole = client.get("/tiles.pmtiles").content
        part = client.get("/tiles.pmtiles", headers={"Range": "bytes=0-6"})
    assert whole == tiles.water()
    assert (part.status_code, part.content) == (206, b"PMTiles")
    assert part.headers["content-range"] == f"bytes 0-6/{len(whole)}"


async def test_the_policy_lets_pictures_of_the_one_tile_server_pass_and_nothing_else() -> None:
    served = application()
    served.state.portal = Shown(tile_server="https://tiles.example:8443/{z}/{x}/{y}.png", attribution="© Survey")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://portal") as client:
        policy = dict(
            one.split(" ", 1) for one in (await client.get("/")).headers["content-security-policy"].split("; ")
        )
        told = (await client.get("/portal.json")).json()
    assert policy["connect-src"] == "'self' https://tiles.example:8443"
    assert policy["img-src"] == "'self' data: blob: https://tiles.example:8443"
    assert {where for what, where in policy.items() if what.endswith("-src") and "tiles" not in where} == {
        "'none'",
        "'self'",
    }
    assert told["tiles"] == {
        "file": None,
        "server": "https://tiles.example:8443/{z}/{x}/{y}.png",
        "attribution": "© Survey",
    }


@pytest.mark.usefixtures("somebody")
def test_the_map_draws_the_operators_tiles_and_names_whose_they_are_and_the_sign_in_shows_the_provider(
    broker: Mitoyen,
) -> None:
    with chromium() as browser, visitor(browser, broker) as page:
        page.goto("/")
        assert _drawn(page) == WATER
        expect(page.get_by_text("© the city’s survey")).to_be_visible()
        page.goto("/sign-in?refused=no_organisation")
        expect(page.get_by_role("alert")).to_contain_text("names no organisation for you")
        expect(page.get_by_role("link", name="Sign in at 127.0.0.1")).to_be_visible()
        assert not violations(page)


def _drawn(page: Page) -> tuple[int, ...]:
    """The colour of a place on the map where nothing stands."""
    page.locator(".map[data-drawn]").wait_for()
    drawn = Image.open(io.BytesIO(page.locator(".map").screenshot())).convert("RGB")
    found = drawn.getpixel((drawn.width // 3, drawn.height // 3))
    assert isinstance(found, tuple)
    return found


class _Another(Server):
    """A provider of somebody else's making, with a page that asks who one is."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (port,) = free_ports(1)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.program = python("oidc-provider-mock==0.3.4")

    def command(self) -> list[str]:
        return [str(self.program), "-m", "oidc_provider_mock", "--port", str(self.port)]

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/jwks", trust_env=False, verify=TLS).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@pytest.mark.long
@pytest.mark.timeout(300)
def test_somebody_signs_in_through_a_provider_of_anothers_making_and_sees_a_tile_servers_map(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with _Another(tmp_path_factory.mktemp("provider")) as other, tiles.server(COLOUR) as pictures:
        client = {"OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET, "OIDC_ORGANISATION_CLAIM": "team"}
        own = {"OIDC_ISSUER": other.url, **client, "TILE_SERVER": f"{pictures}/{{z}}/{{x}}/{{y}}.png"}
        with Mitoyen(tmp_path_factory.mktemp("broker"), environment=own) as broker, chromium() as browser:
            owner = new_owner(broker, "lamplighters")
            httpx.put(f"{other.url}/users/ada", json={"team": owner.id}, trust_env=False, verify=TLS).raise_for_status()
            page = browser.new_context(
                base_url=broker.url, locale="en-GB"
            ).new_page()  # no visitor: the other's page asks others, too
            asked: set[str] = set()
            page.on(
                "request",
                lambda one: (
                    asked.add(one.url) if one.frame.url.startswith(broker.url) and leaves(one, broker) else None
                ),
            )
            page.goto("/sign-in?to=/owner/gateways/g")
            page.get_by_role("link", name="Sign in at 127.0.0.1").click()
            page.get_by_placeholder("sub").fill("ada")
            page.get_by_role("button", name="Authorize").click()
            expect(page.get_by_role("button", name="Sign out")).to_be_visible()
            assert page.url == f"{broker.url}/owner/gateways/g"
            page.get_by_role("link", name="Map", exact=True).click()
            assert _drawn(page) == COLOUR
            assert {one for one in asked if not one.startswith((other.url, pictures))} == set()
            assert any(one.startswith(pictures) for one in asked)
