"""What nobody should send: broken MQTT packets to the listener, and broken payloads and topics by one who may publish."""

from __future__ import annotations

import asyncio
import io
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.faults.limits import PARTS, Memory
from bench.faults.load import STEP_S, account, numbered
from bench.faults.reconcile import reconciled
from bench.faults.world import World
from broker.mqtt import codec, connection
from tests.owners import new_reader
from tests.pictures import street
from tests.servers import Mitoyen

SEED = 11
PROGRESS_S = 120.0
BLUR = {"op": "blur", "faces": True, "plates": True}
GROWS_MB = 150
"""How much any part may grow meanwhile."""
PACKETS = 25
"""Broken packets that a connection is sent, should Mosquitto not hang up first."""
AT_ONCE = 200
TOGETHER = 5_000
"""Payloads after which it is waited until all are counted: else what grows is Mosquitto's queue, as it may."""
ACCEPTED, NOT_AUTHORIZED = 0x00, 0x87  # MQTT 5, 3.4.2.1
OTHERS = ("in/o/g/certain", "live/o/whole/certain", "frame/o/g/certain", "$CONTROL/dynamic-security/v1", "ack/o/g")
"""Where this gateway may not publish."""
_ALPHABET = b'{}[]",:0123456789.eE+-truefalsnu \\\x00\xff\xc3\xa9\xf0\x9f'


def payloads(seed: int) -> Iterator[bytes]:
    """Messages that were valid, spoiled."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    while True:
        yield spoiled(chance, numbered(chance.randrange(1 << 20)))


def spoiled(chance: random.Random, payload: bytes) -> bytes:
    """The same with bytes changed, doubled, left out, cut off or made up; nested deeply; or large."""
    text = bytearray(payload)
    for _ in range(chance.randint(0, 6)):
        at = chance.randrange(len(text) or 1)
        match chance.randrange(6):
            case 0:
                text[at : at + 1] = bytes([chance.choice(_ALPHABET)])
            case 1:
                text[at:at] = text[at : at + chance.randint(1, 12)]
            case 2:
                del text[at : at + chance.randint(1, 6)]
            case 3:
                del text[at:]
            case 4:
                text[at:at] = chance.randbytes(chance.randint(1, 8))
            case _:
                text[at:at] = chance.choice(
                    (b"[" * 5_000, b'{"a":' * 3_000, b"9" * 400, b"1e999", b'"\\ud800"', b"-0.0")
                )
    return bytes(text)


def packets(seed: int, login: Mapping[str, Any]) -> Iterator[bytes]:
    """MQTT packets that were valid, with bytes changed, cut off, doubled or made up, and some that are none."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    who = account(login, "nonsense")
    hello = codec.connect(who.client_id, who.username, who.password, clean=True, session_expiry_s=0, keepalive_s=9)
    valid = [
        hello,
        codec.publish(codec.heading(login["topic"]), 1, codec.NO_PROPERTIES, numbered(1), retain=False),
        codec.subscribe(2, ["live/#"], codec.FROM_NOW_ON),
        codec.acknowledge([3]),
        codec.PINGREQ,
        codec.GOODBYE,
    ]
    while True:
        packet = bytearray(chance.choice(valid))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(packet) or 1)
            match chance.randrange(4):
                case 0:
                    packet[at : at + 1] = chance.randbytes(1)
                case 1:
                    del packet[at:]
                case 2:
                    packet[at:at] = chance.randbytes(chance.randint(1, 300))
                case _:
                    packet[1:2] = b"\xff\xff\xff\x7f"[: chance.randint(1, 4)]  # a length that is not there
        yield bytes(packet)


def malformed(folder: Path, *, count: int, rate: float) -> dict[str, Any]:
    """Each of `count` payloads is refused and counted, or taken; as many packets disturb nobody. Nothing dies, nothing grows."""
    with Mitoyen(folder) as broker, Memory(broker) as memory:
        world = World.made(broker)
        login = broker.call(world.owner.key, "POST", "gateways", {"id": "n"})["mqtt"]
        body = {"id": "nonsense", "gateway": "n", "kind": "measurement", "unit": "1"}
        broker.call(world.owner.key, "POST", "datastreams", body)
        parts = {name: broker.part(name) for name in PARTS}
        with world.load(rate) as load:
            load.await_answers(int(rate), PROGRESS_S)
            before = dict(memory.most)
            prefix = login["topic"].rpartition("/")[0]
            own = [f"{prefix}/{name}" for name in ("nonsense", "unknown", "x" * 200, "é ☃")]
            reasons, made, counted = Counter[int](), payloads(SEED), True
            for published in range(0, count, TOGETHER):
                reasons += asyncio.run(_publish(login, own, min(TOGETHER, count - published), made))
                counted = counted and _awaited(lambda: _counted(world) == reasons[ACCEPTED])  # noqa: B023 - at once
            reasons += sum((asyncio.run(_publish(login, [topic], 1)) for topic in OTHERS), Counter())
            seen = _counted(world)
            sent = _send(broker.mqtt_port, login, count)  # of which some are right after all
            alive = load.await_answers(100, PROGRESS_S) and all(broker.part(name) == pid for name, pid in parts.items())
            found = reconciled(world, load)
    grown = {name: most - before[name] for name, most in memory.most.items()}
    found["holds"] = (
        found["holds"]
        and counted
        and reasons == {ACCEPTED: count, NOT_AUTHORIZED: len(OTHERS)}
        and alive
        and max(grown.values()) < GROWS_MB
    )
    return {
        "payloads": {"taken_in": reasons[ACCEPTED], "counted": seen, "not_allowed": reasons[NOT_AUTHORIZED]},
        "packets": sent, "alive": alive, "grown_mb": grown, **found,
    }  # fmt: skip


def frames(folder: Path, *, count: int, rate: float) -> dict[str, Any]:
    """Each of `count` broken pictures is covered, refused or overtaken by the next, and counted; nothing dies, nothing grows, all else goes on."""
    with Mitoyen(folder) as broker, Memory(broker) as memory:
        world = World.made(broker)
        world.owner.datastream("camera", kind="camera")
        new_reader(broker, "viewer").agree(world.owner.offer(["camera"], BLUR, id="camera")["id"])
        parts = {name: broker.part(name) for name in PARTS}
        with world.load(rate) as load:
            load.await_answers(int(rate), PROGRESS_S)
            before = dict(memory.most)
            topic = world.owner.mqtt["topic"].replace("in/", "frame/", 1).replace("{datastream}", "camera")
            reasons = asyncio.run(_publish(world.owner.mqtt, [topic], count, _pictures(SEED)))
            counted = _awaited(lambda: _seen(broker) + _dropped(broker) >= count)
            seen = {"seen": _seen(broker), "dropped_by_mosquitto": _dropped(broker)}
            alive = load.await_answers(100, PROGRESS_S) and all(broker.part(name) == pid for name, pid in parts.items())
            found = reconciled(world, load)
    grown = {name: most - before[name] for name, most in memory.most.items()}
    found["holds"] &= counted and alive and reasons == {ACCEPTED: count} and max(grown.values()) < GROWS_MB
    return {"frames": count, **seen, "alive": alive, "grown_mb": grown, **found}


def _pictures(seed: int) -> Iterator[bytes]:
    """JPEGs, spoiled."""
    chance, whole = random.Random(seed), io.BytesIO()  # noqa: S311 - the same each time
    street(160, 120, at=(60, 70), high=12).save(whole, "JPEG")
    while True:
        yield spoiled(chance, whole.getvalue())


def _seen(broker: Mitoyen) -> float:
    """Frames of which it is counted what became of them."""
    return broker.metric("mitoyen_frames_total")


def _dropped(broker: Mitoyen) -> float:
    """Frames go to the cameras at QoS 0: what they don't fetch in time is dropped before it gets there."""
    return broker.metric("mitoyen_mosquitto_dropped_messages")


async def _publish(
    login: Mapping[str, Any], topics: list[str], count: int, made: Iterator[bytes] | None = None
) -> Counter[int]:
    """Publish broken payloads on these topics; how many were answered with each reason."""
    chance, made = random.Random(SEED), made or payloads(SEED)  # noqa: S311 - as above
    headings = [codec.heading(topic) for topic in topics]
    reasons: Counter[int] = Counter()
    async with connection.connect(account(login, "nonsense"), lambda _: None) as out:
        left = count
        while left:
            some = min(left, AT_ONCE, await out.room())
            out.publish(
                [(chance.choice(headings), codec.NO_PROPERTIES, next(made), False) for _ in range(some)],
                lambda reason: reasons.update([reason]),
            )
            left -= some
            await asyncio.sleep(0)
        async with asyncio.timeout(PROGRESS_S):
            while reasons.total() < count:  # noqa: ASYNC110 - its callbacks count
                await asyncio.sleep(STEP_S)
    return reasons


def _send(port: int, login: Mapping[str, Any], count: int) -> int:
    """Send broken packets to the listener, some hundred a connection, with a valid beginning every other time; returns how many."""
    made, left = packets(SEED, login), count
    who = account(login, "nonsense")
    hello = codec.connect(who.client_id, who.username, who.password, clean=True, session_expiry_s=0, keepalive_s=9)
    while left > 0:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connected:
            if left % 2:
                connected.sendall(hello)
            for _ in range(PACKETS):
                left -= 1
                connected.sendall(next(made))
    return count - left


def _counted(world: World) -> int:
    """What the owner is told of the records of that gateway: accepted and rejected."""
    seen = world.broker.call(world.owner.key, "GET", "gateways/n")
    return int(seen["accepted"] + seen["rejected"])


def _awaited(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PROGRESS_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(STEP_S)
    return True
