"""What a running camera costs the other streams: live latency of a measurement with no camera, and beside one that sends 10 frames a second.

    .venv/bin/python -m bench.camera_latency [seconds]

Both are measured in turns on one broker, so that what else runs on the machine weighs on both alike; the ratio counts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.owners import Owner, new_owner, new_reader
from tests.pictures import jpeg, street
from tests.servers import Mitoyen

TURNS = 4
PAUSE_S = 0.02  # between two measurements: 50 a second
FRAME_S = 0.1


def connected(login: dict[str, Any], name: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=login["client_id_prefix"] + name, protocol=paho.MQTTv5)
    client.username_pw_set(login["username"], login["password"])
    client.connect(login["host"], login["port"])
    client.loop_start()
    return client


def measure(owner: Owner, client: paho.Client, heard: dict[int, float], seconds: float) -> list[float]:
    """Milliseconds from publish to delivery."""
    sent: dict[int, float] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number = len(heard) + len(sent) + time.time_ns()
        sent[number] = time.perf_counter()
        client.publish(f"in/{owner.id}/g/air", json.dumps({"value": number}), qos=1)
        time.sleep(PAUSE_S)
    time.sleep(1)
    return [1000 * (heard[number] - at) for number, at in sent.items() if number in heard]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as home, Mitoyen(Path(home)) as broker:
        owner, reader = new_owner(broker, "bench"), new_reader(broker, "reader")
        owner.datastream("air")
        owner.datastream("corner", kind="camera")
        for offer in (owner.offer(["air"]), owner.offer(["corner"], {"op": "blur"})):
            reader.agree(offer["id"])
        heard: dict[int, float] = {}

        def hear(_client: object, _data: object, message: paho.MQTTMessage) -> None:
            if message.payload[:1] == b"{":
                heard[json.loads(message.payload)["value"]] = time.perf_counter()

        listening, device = connected(reader.mqtt, "listen"), connected(owner.mqtt, "device")
        listening.on_message = hear
        listening.subscribe("live/#", qos=1)
        time.sleep(1)
        frame, filming, stop = jpeg(street()), threading.Event(), threading.Event()

        def film() -> None:
            while not stop.wait(FRAME_S):
                if filming.is_set():
                    device.publish(f"frame/{owner.id}/g/corner", frame)

        threading.Thread(target=film, daemon=True).start()
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(TURNS):
            filming.clear()
            alone += measure(owner, device, heard, seconds / TURNS)
            filming.set()
            beside += measure(owner, device, heard, seconds / TURNS)
        stop.set()
        for name, found in (("no camera", alone), ("beside a camera", beside)):
            middle, late = np.percentile(found, [50, 99])
            print(f"{name}: median {middle:.1f} ms, 99th percentile {late:.1f} ms, {len(found)} messages")
        print(f"frames released: {broker.metric('mitoyen_frame_seconds_count'):.0f}")


if __name__ == "__main__":
    main()
