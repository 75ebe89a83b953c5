"""A plain MQTT subscriber for tests: keeps what it hears."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.mqtt import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Subscriber(Client):
    """An application's connection."""

    def __init__(self, login: Mapping[str, Any], name: str = "subscriber", **more: Any) -> None:
        super().__init__(login, name, **more)
        self.messages: list[tuple[str, Any]] = []
        """(topic, what the payload says), as they came."""
        self._client.on_message = self._heard
        self._client.on_subscribe = lambda *_: self._note("subscribed", True)
        self._client.on_unsubscribe = lambda *_: self._note("unsubscribed", True)

    def subscribe(self, topic_filter: str) -> None:
        """Returns when it is subscribed."""
        self._noted.pop("subscribed", None)
        self._client.subscribe(topic_filter, qos=1)
        self._await(lambda: "subscribed" in self._noted, "no answer to SUBSCRIBE")

    def ping(self) -> None:
        """Wait for an answer to something else: what was on its way before is there then."""
        self._noted.pop("unsubscribed", None)
        self._client.unsubscribe("live/nothing")
        self._await(lambda: "unsubscribed" in self._noted, "no answer to UNSUBSCRIBE")

    def await_messages(self, count: int) -> None:
        self._await(lambda: len(self.messages) >= count, f"fewer than {count} messages: {self.messages}")

    def await_that(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until this holds of the last message of each topic."""
        self._await(lambda: holds(dict(self.messages)), f"it does not hold of {dict(self.messages)}")

    def _heard(self, _client: object, _data: object, message: Any) -> None:
        with self._something:
            self.messages.append((message.topic, json.loads(message.payload or b"null")))
            self._something.notify_all()
