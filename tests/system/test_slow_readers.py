"""What becomes of what waits in Mosquitto for a reader that is slow, or pretends to be, when its agreement is revoked."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import times
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BEGIN = times.parse("2026-01-01T00:00:00Z")
COUNT = 50


class Hoarder(Subscriber):
    """Takes one message, and the next when it has acknowledged that."""

    def __init__(self, login: Mapping[str, Any]) -> None:
        super().__init__(login, "hoarder")
        one = Properties(PacketTypes.CONNECT)
        one.ReceiveMaximum = 1
        self._client.connect = partial(self._client.connect, properties=one)  # type: ignore[method-assign]
        self._client.manual_ack_set(True)
        self._ids: list[int] = []

    def _heard(self, client: object, data: object, message: Any) -> None:
        self._ids.append(message.mid)
        super()._heard(client, data, message)

    def take(self, count: int) -> list[float]:
        """Acknowledge one after the other until so many came; their values."""
        for number in range(1, count):
            self._client.ack(self._ids[number - 1], 1)
            self.await_messages(number + 1)
        return [said["value"] for _, said in self.messages]


def _say(owner: Owner, first: int) -> None:
    with Device(owner.mqtt) as device:
        device.publish(
            "d",
            [
                json.dumps({"time": times.text(BEGIN + n * times.SECOND), "value": n})
                for n in range(first, first + COUNT)
            ],
        )
        device.await_answers(COUNT)


def _hoarding(broker: Mitoyen) -> tuple[Owner, Reader, str, Hoarder]:
    """A reader that took one of many."""
    owner, reader = new_owner(broker, "spring"), new_reader(broker, "hoarding")
    owner.datastream("d", unit="1")
    agreement = reader.agree(owner.offer(["d"])["id"])
    hoarder = Hoarder(reader.mqtt).__enter__()
    topic = agreement["releases"][0]["topic"]  # and no open data of others
    hoarder.subscribe(topic)
    _say(owner, 0)
    with Subscriber(reader.mqtt, "beside") as beside:  # so that all is published
        beside.subscribe(topic)
        beside.await_that(lambda last: any(said["value"] == COUNT - 1 for said in last.values()))
    hoarder.await_messages(1)
    return owner, reader, agreement["id"], hoarder


def test_what_was_published_before_a_revocation_is_still_read_by_who_reads_slowly_and_nothing_of_after(
    mitoyen: Mitoyen,
) -> None:
    owner, reader, agreement, hoarder = _hoarding(mitoyen)
    mitoyen.call(reader.key, "DELETE", f"agreements/{agreement}", {"reason": "It leaves"})
    _say(owner, COUNT)
    assert hoarder.take(COUNT) == list(range(COUNT))
    hoarder.ping()
    assert len(hoarder.messages) == COUNT
    hoarder.__exit__()


def test_where_the_operator_asks_for_it_nothing_is_read_after_a_revocation(tmp_path: Path) -> None:
    with Mitoyen(tmp_path, environment={"DISCONNECT_AT_END": "true"}) as broker:
        _, reader, agreement, hoarder = _hoarding(broker)
        broker.call(reader.key, "DELETE", f"agreements/{agreement}", {"reason": "It leaves"})
        hoarder.await_disconnected()
        assert len(hoarder.messages) == 1
        hoarder.__exit__()
