"""A plain MQTT device for tests: publishes at QoS 1 with paho, and knows what Mosquitto acknowledged to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANSWER_S = 30.0


class Device:
    """Connected while the `with` lasts. `login`: what the broker answered when the gateway was made."""

    def __init__(self, login: Mapping[str, Any], *, in_flight: int = 100) -> None:
        self._login = login
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=login["client_id_prefix"] + "device", protocol=paho.MQTTv5
        )
        self._client.username_pw_set(login["username"], login["password"])
        self._client.max_inflight_messages_set(in_flight)
        self._client.max_queued_messages_set(0)
        self._client.on_publish = self._published
        self._client.on_connect = lambda *_: self._connected.set()
        self._connected = threading.Event()
        self._something = threading.Condition()
        self._sent: dict[int, str] = {}
        self._answers: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        self._client.connect(self._login["host"], self._login["port"])
        self._client.loop_start()
        assert self._connected.wait(ANSWER_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, datastream: str, payloads: Iterable[str], *, topic: str | None = None) -> None:
        """Hand messages to paho, 60,000 at most in all; they are resent until they are acknowledged."""
        where = (topic or self._login["topic"]).replace("{datastream}", datastream)
        for payload in payloads:
            self._sent[self._client.publish(where, payload, qos=1).mid] = payload

    def await_answers(self, count: int, *, within_s: float = ANSWER_S) -> None:
        """Wait until this many messages were acknowledged or refused."""
        with self._something:
            answered = self._something.wait_for(lambda: len(self._answers) >= count, within_s)
        assert answered, f"{len(self._answers)} of {count} messages answered"

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
