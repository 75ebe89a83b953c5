"""Every call of `/openapi.json` has an example, and each example is sent to a running broker and does what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.owners import new_owner
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

BEFORE = [
    "post signup", "post organisations", "put organisations/{organisation}/tags", "post gateways", "post datastreams", "post offers", "post applications", "post agreements", "post keys",
    "put applications/{application}/webhook",
    "post requests", "post disputes",
]  # fmt: skip
AFTER = [
    "post signups/{signup}/decision",
    "delete requests/{request}/support", "delete requests/{request}", "post disputes/{dispute}/ruling", "delete disputes/{dispute}",
    "put organisations/{organisation}/suspension", "delete organisations/{organisation}/suspension", "put offers/{offer}/terms",
    "put agreements/{agreement}/suspension", "delete agreements/{agreement}/suspension",
    "post agreements/{agreement}/decision", "post agreements/{agreement}/renewal", "post charges/{charge}/answer", "delete charges/{charge}",
    "delete agreements/{agreement}", "delete notices/{notice}", "delete findings/{finding}",
    "delete applications/{application}/webhook", "delete offers/{offer}", "delete applications/{application}", "delete datastreams/{datastream}", "delete gateways/{gateway}",
    "delete organisations/{organisation}",
]  # fmt: skip
"""The order in which things are made and ended; all other calls come between."""
BY_OPERATOR = (
    "post organisations",
    "put organisations",
    "delete organisations",
    "get /metrics",
    "get signups",
    "post signups/{signup}/decision",
    "delete ledger",
    "post disputes/{dispute}/ruling",
)
BY_APPLICATION = ("get releases", "get offers/{offer}/observations", "get live", "get /gbfs", "get /epcis")
BY_ANOTHER = ("put requests/{request}/answer",)
"""The organisation that the example asks for data; and who stands beside:"""
BY_A_THIRD = ("put requests/{request}/support", "delete requests/{request}/support")
ADOPT, CELLAR = "post gateways/{gateway}/adopt", "cellar"
"""What is adopted is not the gateway's that all other examples are about."""
MAKES = {"post signup": ("signup", "signup"), "post requests": ("request", "id"), "post disputes": ("dispute", "id")}
"""What gives a name that nobody knows before: the name's parameter, and where the answer has it."""
STREAMS = ("get releases/{release}/live", "get live")


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the description."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api/v1/')}"

    def parameters(self, place: str) -> dict[str, Any]:
        """The example of each."""
        wanted = [one for one in self.described.get("parameters", []) if one["in"] == place]
        return {one["name"]: one["schema"]["examples"][0] for one in wanted}


class Example:
    """A broker that gets the examples, and what it answered that others need."""

    def __init__(self, broker: Mitoyen) -> None:
        self.broker = broker
        self.description = json.loads(broker.text(None, "/openapi.json"))
        self.keys: dict[str, str | None] = {"operator": broker.operator_key}
        self.agreement = ""
        self.code = ""
        self.request = ""
        self.made_key = ""
        self.made: dict[str, str] = {}
        another, third = new_owner(broker, "noise-lyon"), new_owner(broker, "neighbours")
        another.datastream("noise-roof-1", closed="It hears what is said on the terrace")
        another.datastream("noise-street-1")
        another.offer(["noise-street-1"], id="noise-hourly")
        self.keys |= {"another": another.key, "third": third.key}

    def calls(self) -> list[Call]:
        paths = self.description["paths"].items()
        found = {c.name: c for c in (Call(m, path, d) for path, of in paths for m, d in of.items())}
        between = sorted(found.keys() - {*BEFORE, *AFTER})
        return [found[name] for name in (*BEFORE, *between, *AFTER)]

    def send(self, call: Call, query: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        path = call.path.format(**{**call.parameters("path"), **self._made_up(call)})
        with self.broker.client(self._key(call)) as client:
            request = client.build_request(call.method, path, params=query, json=self._body(call), headers=headers)
            answer = client.send(request, stream=call.name in STREAMS)
            if call.name in STREAMS:
                answer.close()
            return answer

    def learn(self, call: Call, answer: httpx.Response) -> None:
        """Note keys and ids that are given once."""
        if call.name == "post organisations":
            self.keys["organisation"] = answer.json()["key"]
        elif call.name == "post applications":
            self.keys["application"] = answer.json()["key"]
        elif call.name == "post agreements":
            self.agreement = answer.json()["id"]
        elif call.name == "post keys":
            self.made_key = answer.json()["id"]
        elif "consent" in call.name:
            self.code = answer.json()["code"]
        elif call.name == "post gateways":
            self.mqtt = answer.json()["mqtt"]
        elif call.name in MAKES:
            made_up, field = MAKES[call.name]
            self.made[made_up] = answer.json()[field]
        elif call.name == ADOPT:
            for made in answer.json():
                self.broker.call(self.keys["organisation"], "DELETE", f"datastreams/{made['id']}")
            self.broker.call(self.keys["organisation"], "DELETE", f"gateways/{CELLAR}")

    def have_something_to_adopt(self) -> None:
        """A gateway of a device that says what nobody made a datastream of."""
        body = {"id": CELLAR, "format": "tasmota"}
        login = self.broker.call(self.keys["organisation"], "POST", "gateways", body)["mqtt"]
        with Device(login) as device:
            said = {"Time": "2026-11-23T08:00:00", "BME280": {"Temperature": 12.5}, "TempUnit": "C"}
            device.publish("", [json.dumps(said)], topic=login["topic"].replace("{topic}", "tele/cellar/SENSOR"))
            device.await_answers(1)
        suggestions = f"gateways/{CELLAR}/suggestions"
        self.broker.await_that(
            lambda: bool(self.broker.call(self.keys["organisation"], "GET", suggestions)), "nothing is suggested"
        )

    def ask(self) -> None:
        """Request an agreement, now that the terms want it to be decided on."""
        body = {"offer": "air-by-minute", "application": "smog-alert", "purpose": "teaching", "accept": True}
        self.request = self.broker.call(self.keys["organisation"], "POST", "agreements", body)["id"]

    def _made_up(self, call: Call) -> dict[str, str]:
        """Ids that nobody knows before."""
        of = self.request if call.path.endswith("/decision") else self.agreement
        made_up = {"agreement": of, "notice": f"{self.agreement}-revoked", "key": self.made_key, **self.made}
        return {**made_up, "gateway": CELLAR} if call.name == ADOPT else made_up

    def _key(self, call: Call) -> str | None:
        if "security" not in call.described:
            return None
        if call.name.startswith(BY_OPERATOR):
            return self.keys["operator"]
        if call.name in (*BY_ANOTHER, *BY_A_THIRD):
            return self.keys["another" if call.name in BY_ANOTHER else "third"]
        return self.keys["application" if call.name.startswith(BY_APPLICATION) else "organisation"]

    def _body(self, call: Call) -> Any:
        if "requestBody" not in call.described:
            return None
        schema = call.described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        body = self.description["components"]["schemas"][schema.rpartition("/")[2]]["examples"][0]
        return {**body, "code": self.code} if "code" in body else body


@pytest.fixture
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    criteria = {"SIGNUP": "criteria", "SIGNUP_CRITERIA": '["It says what it is here for"]'}
    with Mitoyen(tmp_path_factory.mktemp("openapi"), environment=criteria) as broker:
        yield Example(broker)


def test_every_example_of_the_description_is_accepted_by_the_broker(example: Example) -> None:
    sent = 0
    for call in example.calls():
        queries = [{name: value} for name, value in call.parameters("query").items()]
        headers = [{name: value} for name, value in call.parameters("header").items()]
        for query, header in [({}, {}), *((q, {}) for q in queries), *(({}, h) for h in headers)]:
            answer = example.send(call, query, header)
            expected = min(code for code in call.described["responses"])
            assert str(answer.status_code) == expected, (call.name, query, answer.status_code)
            sent += 1
            example.learn(call, answer)
        if call.name == "put offers/{offer}/terms":
            example.ask()
        if call.name == "post offers":
            with Device(example.mqtt) as device:
                record = {"time": "2026-11-23T08:00:00Z", "value": 12.3}
                device.publish("pm25-roof-1", [json.dumps(record)])
                device.await_answers(1)
            example.broker.await_metric("mitoyen_records_released_total", lambda released: released > 0)
            example.have_something_to_adopt()
    assert sent > len(example.calls())
