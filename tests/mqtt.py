"""A plain MQTT 5 client for tests, on paho: connected while the `with` lasts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

ANSWER_S = 30.0


class Client:
    """`login`: what the broker answered when the account was made. Raises PermissionError if it is not let in."""

    def __init__(
        self,
        login: Mapping[str, Any],
        name: str,
        *,
        will: tuple[str, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        websockets: bool = False,
    ) -> None:
        self._login = login
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=login["client_id_prefix"] + name,
            protocol=paho.MQTTv5,
            transport="websockets" if websockets else "tcp",
        )
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.username_pw_set(login["username"], login["password"])
        if will is not None:
            self._client.will_set(*will, qos=1)
        self._client.on_connect = lambda _client, _data, _flags, reason, _properties: self._note("connected", reason)
        self._client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self._note("lost", reason)
        self._something = threading.Condition()
        self._noted: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._client.connect(self._login["host"], self._login["port"])
        self._client.loop_start()
        self._await(lambda: "connected" in self._noted, "no answer to CONNECT")
        if self._noted["connected"].is_failure:
            self.__exit__()
            raise PermissionError(str(self._noted["connected"]))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # which paho leaves to the garbage when it was not let in

    def await_disconnected(self) -> None:
        """Wait until the broker ended the connection."""
        self._await(lambda: "lost" in self._noted, "still connected")

    def vanish(self) -> None:
        """End the connection without a word, as a device does that loses its power."""
        self._client.loop_stop()
        self._client._sock_close()

    def _note(self, what: str, of: Any) -> None:
        with self._something:
            self._noted[what] = of
            self._something.notify_all()

    def _await(self, condition: Callable[[], bool], otherwise: str, within_s: float = ANSWER_S) -> None:
        with self._something:
            assert self._something.wait_for(condition, within_s), otherwise
