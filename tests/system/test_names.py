"""Names that are none, in the place of every name in every address: nothing outside is read, nothing breaks."""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING

import pytest

from tests.owners import new_owner

if TYPE_CHECKING:
    from tests.servers import Mitoyen

NAMES = (
    "..", "%2e%2e", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..%5c..%5cpasswd", "a%00b", "%ff%fe", "x" * 5_000, "../operator.key",
)  # fmt: skip
UNDESCRIBED = ("/assets/{name}", "/developer/{part}", "/v1.1/{path}", "/{name}", "/sensors/{organisation}/{datastream}")
PAGE = b"<!doctype html>"
WITHIN = (b"root:", b"SQLite format", b"mitoyen_operator")


def addresses(broker: Mitoyen) -> list[tuple[str, str]]:
    """Each call with a name in it, as method and template."""
    with broker.client() as client:
        described = client.get("/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, item in described.items() if "{" in path for method in item]
    return found + [("GET", path) for path in UNDESCRIBED]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_no_name_leads_out_of_where_names_are_looked_up(mitoyen: Mitoyen, name: str) -> None:
    owner = new_owner(mitoyen, f"names-{NAMES.index(name)}")
    connection = http.client.HTTPConnection("127.0.0.1", mitoyen.http_port, timeout=30)
    calls = addresses(mitoyen)
    assert len(calls) > 60
    for method, template in calls:
        path = re.sub(r"\{\w+\}", lambda _: name, template)
        connection.putrequest(method, path, skip_accept_encoding=True)  # as it is: a client would tidy it up
        connection.putheader("Authorization", f"Bearer {owner.key}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "2")
        connection.endheaders(b"{}")
        answer = connection.getresponse()
        said = answer.read()
        where = (method, path[:80], answer.status, said[:200])
        assert answer.status < 500, where
        assert not any(inner in said for inner in WITHIN), where
        assert answer.status >= 300 or said[: len(PAGE)].lower() == PAGE, where
    connection.close()
