"""A plain MQTT device for tests: publishes at QoS 1, and knows what Mosquitto acknowledged to it, and what the broker."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.mqtt import ANSWER_S, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OUTSTANDING = 500
AGAIN_S = 2.0  # a receipt takes milliseconds; after this long it won't come


class Device(Client):
    """A gateway's connection."""

    def __init__(self, login: Mapping[str, Any], *, in_flight: int = 100, **more: Any) -> None:
        super().__init__(login, "device", **more)
        self._client.max_inflight_messages_set(in_flight)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._published
        self._sent: dict[int, str] = {}
        self._answers: list[tuple[int, str]] = []

    def publish(self, datastream: str, payloads: Iterable[str], *, topic: str | None = None) -> None:
        """Hand messages to paho, 60,000 at most in all; they are resent until they are acknowledged."""
        where = (topic or self._login["topic"]).replace("{datastream}", datastream)
        for payload in payloads:
            self._sent[self._client.publish(where, payload, qos=1).mid] = payload

    def await_answers(self, count: int, *, within_s: float = ANSWER_S) -> None:
        """Wait until this many messages were acknowledged or refused."""
        self._await(lambda: len(self._answers) >= count, f"fewer than {count} messages answered", within_s)

    @property
    def acknowledged(self) -> list[str]:
        """The payloads that Mosquitto acknowledged, in that order."""
        return [self._sent[mid] for mid, refusal in list(self._answers) if not refusal]

    @property
    def refused(self) -> list[tuple[str, str]]:
        """(payload, reason) of those that it did not take."""
        return [(self._sent[mid], refusal) for mid, refusal in list(self._answers) if refusal]

    def _published(self, _client: object, _data: object, mid: int, reason: Any, _properties: object) -> None:
        with self._something:
            self._answers.append((mid, str(reason) if reason.is_failure else ""))
            self._something.notify_all()


class CertainDevice(Device):
    """Asks for receipts, and sends again what it got none for: what a publisher does that must be certain."""

    def __init__(self, login: Mapping[str, Any]) -> None:
        super().__init__(login, in_flight=OUTSTANDING)
        _, organisation, gateway, _ = login["topic"].split("/")
        self._receipts = f"ack/{organisation}/{gateway}"
        self._waiting: dict[str, tuple[str, float]] = {}
        self.receipts: dict[str, Any] = {}
        """Each message's receipt, by its number."""
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    def deliver(self, datastream: str, payloads: Iterable[str], on_progress: Callable[[int], None]) -> None:
        """Publish until there is a receipt for each; `on_progress` is told how many there are."""
        numbered = iter(enumerate(payloads))
        where = self._login["topic"].replace("{datastream}", datastream)
        more = True
        while more or self._waiting:
            more = self._send_new(where, numbered)
            self._send_again(where)
            had = len(self.receipts)
            with self._something:
                self._something.wait_for(lambda had=had: len(self.receipts) > had, 0.2)
            on_progress(len(self.receipts))

    def _send_new(self, where: str, numbered: Iterable[tuple[int, str]]) -> bool:
        while len(self._waiting) < OUTSTANDING:
            for number, payload in numbered:
                self._send(where, str(number), payload)
                break
            else:
                return False
        return True

    def _send_again(self, where: str) -> None:
        late = time.monotonic() - AGAIN_S
        with self._something:
            waiting = list(self._waiting.items())
        for number, (payload, sent) in waiting:
            if sent < late:
                self._send(where, number, payload)

    def _send(self, where: str, number: str, payload: str) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = self._receipts, number.encode()
        with self._something:
            self._waiting[number] = payload, time.monotonic()
        self._sent[self._client.publish(where, payload, qos=1, properties=properties).mid] = payload

    def _connected(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if not reason.is_failure:
            self._client.subscribe(self._receipts, qos=1)
        self._note("connected", reason)

    def _received(self, _client: object, _data: object, message: Any) -> None:
        number = message.properties.CorrelationData.decode()
        with self._something:
            self.receipts[number] = json.loads(message.payload)
            self._waiting.pop(number, None)
            self._something.notify_all()
