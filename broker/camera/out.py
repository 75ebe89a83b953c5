"""Where pictures go out: the connections to all Mosquittos, each there or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from broker.errors import Unavailable
from broker.mqtt import codec
from broker.mqtt.connection import Connection


class Out:
    """Belongs to the event loop's thread."""

    def __init__(self, mosquittos: int) -> None:
        self.every = frozenset(range(mosquittos))
        self._connections: dict[int, Connection] = {}

    def came(self, mosquitto: int, connection: Connection) -> None:
        self._connections[mosquitto] = connection

    def went(self, mosquitto: int) -> None:
        self._connections.pop(mosquitto, None)

    def take_back(self, mosquitto: int, topic: str) -> None:
        """Have it retain nothing there, at once: it just sent what is taken back."""
        out = self._connections.get(mosquitto)
        with suppress(Unavailable):
            if out is not None:
                out.publish([(codec.heading(topic), codec.NO_PROPERTIES, b"", True)], _ignore)

    async def publish(self, at: Iterable[int], heading: bytes, properties: bytes, payload: bytes) -> bool:
        """Have these retain it; False while one is away: with its next connection all is published there again."""
        return all(await asyncio.gather(*(self._publish(one, heading, properties, payload) for one in at)))

    async def _publish(self, mosquitto: int, heading: bytes, properties: bytes, payload: bytes) -> bool:
        out = self._connections.get(mosquitto)
        if out is None or out.lost.done():
            return False
        with suppress(Unavailable):
            await out.room()
            out.publish([(heading, properties, payload, True)], _ignore)
            return True
        return False


def _ignore(_reason: int) -> None:
    """What Mosquitto refuses is published again with the next connection."""
