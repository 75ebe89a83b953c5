"""What most system tests begin with: an owner with a gateway and datastreams, an application that agreed, its history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers import Mitoyen

TERMS = {"licence": "CC-BY-4.0", "attribution": "A test", "purposes": ["any"]}
SETTLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation with one gateway."""

    broker: Mitoyen
    id: str
    key: str
    mqtt: dict[str, Any]
    """How its gateway logs in."""

    def datastream(self, name: str, **more: Any) -> None:
        body = {"id": name, "gateway": "g", "kind": "measurement", **more}
        self.broker.call(self.key, "POST", "datastreams", body)

    def offer(
        self,
        datastreams: Iterable[str],
        *operators: dict[str, Any],
        terms: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Returns the offer as the broker answers it."""
        profile = {"name": "tested", "operators": list(operators)}
        body = {"datastreams": list(datastreams), "profile": profile, "terms": {**TERMS, **(terms or {})}, **more}
        made: dict[str, Any] = self.broker.call(self.key, "POST", "offers", body)
        return made


@dataclass(frozen=True, slots=True)
class Reader:
    """An application of an organisation of its own."""

    broker: Mitoyen
    id: str
    key: str
    mqtt: dict[str, Any]

    def agree(self, offer: str) -> dict[str, Any]:
        body = {"offer": offer, "application": self.id, "purpose": "testing", "accept": True}
        made: dict[str, Any] = self.broker.call(self.key, "POST", "agreements", body)
        return made

    def history(self, release: str, **query: str) -> list[dict[str, Any]]:
        """All observations of a release, as soon as the broker says that they are complete; it may be starting again."""
        until = time.monotonic() + SETTLE_S
        with self.broker.client(self.key) as client:
            while True:
                found, complete = _pages(
                    client, f"/api/v1/releases/{release}/observations", {"limit": "10000", **query}
                )
                if complete:
                    return found
                assert time.monotonic() < until, f"not complete after {SETTLE_S} s: {len(found)} observations"


def new_owner(broker: Mitoyen, name: str) -> Owner:
    made = broker.call(broker.operator_key, "POST", "organisations", {"id": name, "name": name.title()})
    gateway = broker.call(made["key"], "POST", "gateways", {"id": "g"})
    return Owner(broker, name, made["key"], gateway["mqtt"])


def new_reader(broker: Mitoyen, name: str) -> Reader:
    organisation = broker.call(broker.operator_key, "POST", "organisations", {"id": f"{name}-org", "name": name})
    made = broker.call(organisation["key"], "POST", "applications", {"id": name})
    return Reader(broker, name, made["key"], made["mqtt"])


def audit(broker: Mitoyen, release: str) -> dict[str, Any]:
    """What `mitoyen audit` says of a release while the broker runs."""
    own = [str(Path(sys.executable).parent / "mitoyen"), "audit", release, "--home", str(broker.home), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(own, check=True, capture_output=True, timeout=60).stdout)
    return found


def _pages(client: httpx.Client, path: str, query: dict[str, str]) -> tuple[list[dict[str, Any]], bool]:
    found: list[dict[str, Any]] = []
    answer = client.get(path, params=query)
    while True:
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return found, False
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        page = answer.json()
        found += page["observations"]
        if not page.get("next"):
            return found, answer.headers["Mitoyen-Complete"] == "true"
        answer = client.get(page["next"])
