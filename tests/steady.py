"""A gateway that sends observations and tag reads steadily, and knows what it sent and had receipts for."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from broker import times
from tests.publisher import CertainDevice, Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.owners import Owner

RATE = 50
TAGS = 20


class Load:
    """Of datastream `d` with receipts, of `gate` without, until told to stop."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._stop = threading.Event()
        self.sent: list[str] = []
        """Times; the first has value 1."""
        self.receipts: dict[str, Any] = {}
        """By the message's number, from 0."""
        self.longest_s = 0.0
        """Without a receipt, since it was last set to 0."""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with CertainDevice(self._owner.mqtt) as device, Device(self._owner.mqtt) as gate:
            self.receipts = device.receipts
            last, had = time.monotonic(), 0

            def progress(receipts: int) -> None:
                nonlocal last, had
                now = time.monotonic()
                self.longest_s = max(self.longest_s, now - last)
                if receipts > had:
                    last, had = now, receipts

            device.deliver("d", self._messages(gate), progress)
            assert set(map(str, device.receipts.values())) == {"{'stored': 1}"}

    def _messages(self, gate: Device) -> Iterator[str]:
        while not self._stop.wait(1 / RATE):
            now = times.text(time.time_ns())
            self.sent.append(now)
            tag = f"urn:epc:id:sgtin:0614141.112345.{len(self.sent) % TAGS}"
            gate.publish("gate", [json.dumps({"time": now, "epc": tag})])
            yield json.dumps({"time": now, "value": len(self.sent)})
