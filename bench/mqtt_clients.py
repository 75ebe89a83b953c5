"""Which MQTT client can stand on the hot path: what each relays at QoS 1 through a real Mosquitto, side by side.

    .venv/bin/python bench/mqtt_clients.py [--messages 20000] [--rounds 3]

Each client subscribes to `in/#`, and publishes every message again on `out`, as the broker does. Load and sink are the same
for all (the project's own connection), and the clients take turns, round by round, so that a busy machine slows all of them.
aiomqtt acknowledges by itself as soon as a message is read; the others as the broker needs it, after the message was handled.
Prints one JSON object: each client's median messages/s, and its ratio to the project's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from broker.mqtt import codec, connection
from broker.mqtt.codec import Message
from broker.mqtt.connection import Account

PAYLOAD = b'{"time": "2026-11-22T20:00:00Z", "value": 21.5, "padding": "%s"}' % (b"x" * 60)
READY_S, SILENCE_S = 10.0, 5.0
OUT = codec.heading("out")
IN = codec.heading("in/a")


def account(port: int, name: str) -> Account:
    return Account("127.0.0.1", port, name, "bench", "bench")


async def relay_own(port: int) -> None:
    waiting: asyncio.Queue[list[Message]] = asyncio.Queue()
    async with connection.connect(account(port, "own"), waiting.put_nowait) as own:
        await own.subscribe(["in/#"])
        print("ready", flush=True)
        while True:
            messages = await waiting.get()
            own.acknowledge([m.packet_id for m in messages])
            packets = [(OUT, codec.NO_PROPERTIES, m.payload, False) for m in messages]
            while packets:
                room = await own.room()
                own.publish(packets[:room], lambda _: None)
                packets = packets[room:]


async def relay_aiomqtt(port: int) -> None:
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        client.pending_calls_threshold = 1_000_000
        await client.subscribe("in/#", qos=1)
        print("ready", flush=True)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            await client.publish("out", message.payload, qos=1)


def relay_paho(port: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, manual_ack=True)
    client.max_inflight_messages_set(connection.IN_FLIGHT)

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        client.publish("out", message.payload, qos=1)
        client.ack(message.mid, message.qos)

    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("in/#", qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port)
    client.loop_forever()


async def measure(port: int, count: int) -> float:
    """Messages/s from the first publish until the last has come out."""
    done, seen = asyncio.Event(), 0

    def heard(messages: list[Message]) -> None:
        nonlocal seen
        seen += len(messages)
        sink.acknowledge([m.packet_id for m in messages])
        if seen >= count:
            done.set()

    async with (
        connection.connect(account(port, "sink"), heard) as sink,
        connection.connect(account(port, "load"), lambda _: None) as load,
    ):
        await sink.subscribe(["out"])
        began, left = time.perf_counter(), count
        while left:
            room = min(await load.room(), left, 100)
            load.publish([(IN, codec.NO_PROPERTIES, PAYLOAD, False)] * room, lambda _: None)
            left -= room
        async with asyncio.timeout(120):
            await done.wait()
        return count / (time.perf_counter() - began)


def one_round(port: int, name: str, count: int) -> float:
    command = [sys.executable, __file__, "--relay", name, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"
        try:
            return asyncio.run(measure(port, count))
        finally:
            relay.kill()


def mosquitto(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n"
    )
    server = subprocess.Popen(["mosquitto", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return server, port
    server.kill()
    raise SystemExit("Mosquitto did not start")


RELAYS = {"own": relay_own, "aiomqtt": relay_aiomqtt, "paho": relay_paho}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--relay", choices=RELAYS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.relay:
        began = RELAYS[asked.relay](asked.port)
        if began is not None:
            asyncio.run(began)
        return
    rates: dict[str, list[float]] = {name: [] for name in RELAYS}
    with tempfile.TemporaryDirectory() as folder:
        server, port = mosquitto(Path(folder))
        try:
            for _ in range(asked.rounds):
                for name, of in rates.items():
                    of.append(one_round(port, name, asked.messages))
        finally:
            server.terminate()
            server.wait()
    medians = {name: round(statistics.median(of)) for name, of in rates.items()}
    print(json.dumps({"messages_s": medians, "ratio": {n: round(m / medians["own"], 2) for n, m in medians.items()}}))


if __name__ == "__main__":
    main()
