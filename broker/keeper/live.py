"""Publishing windows, with paho: a few messages at each window's end, so comfort counts more than speed."""

from __future__ import annotations

import threading
from collections import OrderedDict

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.errors import Unavailable
from broker.keeper.plan import Feed
from broker.metrics import PUBLISHED
from broker.mqtt.connection import KEEPALIVE_S, Account
from broker.points import Point

log = structlog.get_logger()

IN_FLIGHT = 1_000  # windows published and not acknowledged; paho holds more back by itself
RETRY_S = (1, 5)  # shortest and longest pause before it connects again


class PahoPublisher:
    """A connection in a thread of its own. What could not be sent while it was down is sent when it is up."""

    def __init__(self, account: Account) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=account.client_id, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(account.username, account.password)
        self._client.max_inflight_messages_set(IN_FLIGHT)
        self._client.reconnect_delay_set(*RETRY_S)
        self._client.on_connect = self._connected
        self._fresh = threading.Event()
        self._waiting: OrderedDict[str, tuple[Feed, list[Point]]] = OrderedDict()
        self._client.connect_async(account.host, account.port, KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, feed: Feed, points: list[Point]) -> None:
        """Publish a window's points on the topics of every offer that shows it, retained. While it is down, the newest waits."""
        if not self._client.is_connected():
            self._waiting[feed.stream] = (feed, points)
            return
        for shown in feed.shown_by:
            by_topic: dict[str, list[Point]] = {}
            for point in points:
                by_topic.setdefault(shown.topic(point), []).append(point)
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own gap
            properties.UserProperty = [
                ("licence", shown.offer.terms.licence),
                ("attribution", shown.offer.terms.attribution),
                ("profile", shown.offer.profile.name),
            ]
            for topic, of_topic in by_topic.items():
                text = shown.form.messages(of_topic)
                sent = self._client.publish(topic, text, qos=1, retain=True, properties=properties)
                if sent.rc not in (mqtt.MQTT_ERR_SUCCESS, mqtt.MQTT_ERR_NO_CONN):
                    raise Unavailable(f"a window could not be published: {mqtt.error_string(sent.rc)}")
                PUBLISHED.inc()

    def tell(self, topic: str, payload: bytes) -> bool:
        """Publish a status, retained; False while it is down."""
        if not self._client.is_connected():
            return False
        return self._client.publish(topic, payload, qos=1, retain=True).rc == mqtt.MQTT_ERR_SUCCESS

    def wants_retained(self) -> bool:
        """Whether it has just connected, so that retained values should be published again. Asked once, told once."""
        if self._fresh.is_set():
            self._fresh.clear()
            return True
        return False

    def forward(self) -> None:
        """Publish what waited."""
        while self._waiting and self._client.is_connected():
            _, (feed, points) = self._waiting.popitem(last=False)
            self.publish(feed, points)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _props: object) -> None:
        if reason.is_failure:
            log.warning("keeper_not_connected", reason=str(reason))
        else:
            log.info("keeper_connected")
            self._fresh.set()
