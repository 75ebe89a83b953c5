"""A scene for tests of who may do what: an offer, its owner, and an application that agreed, by the names of the examples.

With a crowd around it: one of each that has nothing, or no longer, or not yet.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker import times
from tests.owners import TERMS
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

CRITERIA = {"approval": "manual", "criteria": ["The purpose is stated"]}


@dataclass(slots=True)
class Scene:
    """Keys and MQTT logins by role; `names` gives what an example names its name in this scene."""

    broker: Mitoyen
    name: str
    keys: dict[str, str | None] = field(default_factory=dict)
    mqtt: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    request: str = ""
    """Of an agreement, undecided."""
    open: dict[str, Any] = field(default_factory=dict)
    """An open offer of the same datastream."""

    def here(self, example: Any) -> Any:
        """An example of the description in this scene's names."""
        longest_first = sorted(self.names, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        return json.loads(pattern.sub(lambda found: self.names[found[0]], json.dumps(example)))

    def call(self, role: str, method: str, path: str, body: object = None) -> Any:
        return self.broker.call(self.keys[role], method, path, body)

    def entry(self) -> int:
        """The ledger's, in which the owner has a name."""
        entries = self.broker.call(None, "GET", "ledger", limit="10000")
        return next(int(one["seq"]) for one in entries if one.get("organisation") == self.names["air-lyon"])

    def organisation(self, role: str) -> None:
        made = self.call("operator", "POST", "organisations", {"id": f"{self.name}-{role}", "name": role})
        self.keys[role] = made["key"]

    def application(self, role: str, of: str = "holder") -> None:
        made = self.call(of, "POST", "applications", {"id": f"{self.name}-{role}"})
        self.keys[role], self.mqtt[role] = made["key"], made["mqtt"]

    def agree(self, role: str) -> dict[str, Any]:
        offer = self.names["air-by-minute"]
        body = {"offer": offer, "application": f"{self.name}-{role}", "purpose": "testing", "accept": True}
        made: dict[str, Any] = self.call(role, "POST", "agreements", body)
        return made

    def terms(self, **more: Any) -> None:
        """Another version, for those who agree from now on."""
        self.call("owner", "PUT", f"offers/{self.names['air-by-minute']}/terms", {**TERMS, **more})


def scene(broker: Mitoyen, name: str) -> Scene:
    """Owner, holder, the offer, the application that agreed to it, and one that asks to."""
    made = Scene(broker, name, keys={"operator": broker.operator_key, "nobody": None, "wrong_key": "guessed"})
    for role in ("owner", "holder"):
        made.organisation(role)
    gateway = made.call("owner", "POST", "gateways", {"id": "roof-1"})
    made.keys["gateway"], made.mqtt["gateway"] = gateway["mqtt"]["password"], gateway["mqtt"]
    made.call("owner", "POST", "datastreams", {"id": "pm25-roof-1", "gateway": "roof-1", "kind": "measurement"})
    offer = _offer(made, "offer", TERMS)
    made.open = _offer(made, "open", {**TERMS, "access": "open"})
    made.names |= {
        "air-lyon": f"{name}-owner",
        "air-by-minute": offer["id"],
        "release-52f3c6a39d08d50140bd": offer["releases"][0]["id"],
        "smog-alert": f"{name}-agreed",
    }
    for role in ("agreed", "asking"):
        made.application(role)
    agreement = made.agree("agreed")["id"]
    made.terms(**CRITERIA)
    made.request = made.agree("asking")["id"]
    made.terms()
    made.call("owner", "POST", "datastreams", {"id": "noise-roof-1", "gateway": "roof-1", "kind": "measurement"})
    wish = {"of": f"{name}-owner", "datastream": "noise-roof-1", "wish": "To compare"}
    dispute = {"offer": offer["id"], "over": "discrimination", "statement": "A test"}
    charge = {"amount": "12.50", "currency": "EUR"}
    finding = {"title": "A finding", "link": "https://example.org/finding"}
    made.names |= {
        "noise-lyon": f"{name}-owner",
        "noise-hourly": offer["id"],
        "request-7f4a90c1d25e8b36a0fc": made.call("holder", "POST", "requests", wish)["id"],
        "dispute-7f4a90c1d25e8b36a0fc": made.call("holder", "POST", "disputes", dispute)["id"],
        "november": made.call("owner", "POST", f"agreements/{agreement}/charges", charge)["id"],
        "school-streets": made.call("agreed", "POST", f"applications/{name}-agreed/findings", finding)["id"],
        "key-8c1f0a5d2b7e94c63f01": made.call("agreed", "POST", "keys", {"name": "another"})["id"],
        "agreement-7f4a90c1d25e8b36a0fc": agreement,
        "agreement-7f4a90c1d25e8b36a0fc-revoked": f"{agreement}-version-2",
    }
    return made


def crowded(broker: Mitoyen, name: str) -> Scene:
    """The same with everyone else of `tests/access_rows.py`, and with data."""
    made = scene(broker, name)
    made.organisation("other")
    made.names["signup-7f4a90c1d25e8b36a0fc"] = made.call("nobody", "POST", "signup", {"name": "New"})["signup"]
    made.mqtt["other_gateway"] = made.call("other", "POST", "gateways", {"id": "roof-7"})["mqtt"]
    made.application("own", of="owner")
    for role in ("stranger", "expired", "revoked", "exhausted"):
        made.application(role)
    ends = time.time_ns() + times.SECOND
    made.terms(expires=times.text(ends))
    made.agree("expired")
    made.terms(quota={"per": "day", "records": 1})
    made.agree("exhausted")
    made.terms()
    revoked = made.agree("revoked")["id"]
    made.call("owner", "DELETE", f"agreements/{revoked}", {"reason": "a test"})
    _suspend(made)
    _publish(made)
    broker.await_that(lambda: time.time_ns() > ends, "the agreement has not expired")
    return made


def _offer(made: Scene, name: str, terms: dict[str, Any]) -> dict[str, Any]:
    body = {"id": f"{made.name}-{name}", "datastreams": ["pm25-roof-1"], "profile": {"name": "raw", "operators": []}}
    offer: dict[str, Any] = made.call("owner", "POST", "offers", {**body, "terms": terms})
    return offer


def _suspend(made: Scene) -> None:
    made.organisation("suspended_organisation")
    made.application("suspended", of="suspended_organisation")
    made.agree("suspended")
    of = f"organisations/{made.name}-suspended_organisation"
    made.call("operator", "PUT", f"{of}/suspension", {"reason": "a test"})


def _publish(made: Scene) -> None:
    """A record, until it is history and the quota is used up."""
    with Device(made.mqtt["gateway"]) as device:
        device.publish("pm25-roof-1", ['{"time": "2026-03-01T00:00:00Z", "value": 1}'])
        device.await_answers(1)
    release = made.names["release-52f3c6a39d08d50140bd"]
    for offered in (release, made.open["releases"][0]["id"]):
        made.broker.await_that(lambda of=offered: _status(made, "agreed", of) == 200, "nothing was released")
    made.broker.await_that(lambda: _status(made, "exhausted", release) == 403, "the quota was not used up")


def _status(made: Scene, role: str, release: str) -> int:
    with made.broker.client(made.keys[role]) as client:
        return client.get(f"/api/v1/releases/{release}/latest").status_code
