"""A plain MQTT device for tests: publishes at QoS 1, and knows what Mosquitto acknowledged to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.mqtt import ANSWER_S, Client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Device(Client):
    """A gateway's connection."""

    def __init__(
        self, login: Mapping[str, Any], *, in_flight: int = 100, will: tuple[str, bytes] | None = None
    ) -> None:
        super().__init__(login, "device", will=will)
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
