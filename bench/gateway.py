"""What `mitoyen gateway` takes of a machine: memory and processor time, idle, bridging another broker, and covering a camera's pictures.

    .venv/bin/python -m bench.gateway [--rate 100] [--seconds 20]

A broker, a Mosquitto with a device that publishes `--rate` Zigbee2MQTT-like messages a second, and the gateway, as owners run it. Prints one JSON
object: for each case the resident memory (MB) of the gateway and of its helpers (the worker that covers), the share of one core of both
while it lasted, what was stored, and the processor time of each record. Other work on the machine changes the share of a core by the processor's clock only.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.gatewayprocess import GatewayProcess
from tests.othersides import served
from tests.owners import new_owner
from tests.pictures import jpeg, street
from tests.publisher import Device
from tests.servers import Mitoyen, Mosquitto

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in started for one in family(int(child)))]


def memory_mb(pids: list[int]) -> float:
    return round(sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * _PAGE_MB, 1)


def processor_s(pids: list[int]) -> float:
    spent = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in pids]
    return sum(int(user) + int(system) for user, system in spent) / _TICKS


def measured(gateway: GatewayProcess, seconds: float, speak: Callable[[], None] | None = None) -> dict[str, float]:
    """What it takes while `speak` is called again and again, ten times a second."""
    pids = family(gateway.pid)
    began, before = time.monotonic(), processor_s(pids)
    while (passed := time.monotonic() - began) < seconds:
        if speak is not None:
            speak()
        time.sleep(0.1)
    share = (processor_s(pids) - before) / passed
    return {"gateway_mb": memory_mb(pids[:1]), "helpers_mb": memory_mb(pids[1:]), "share_of_a_core": round(share, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("broker", "other", "camera"):
            (folder / name).mkdir()
        broker = stack.enter_context(Mitoyen(folder / "broker"))
        other = stack.enter_context(Mosquitto(folder / "other"))
        device = stack.enter_context(Device(other.login))
        owner = new_owner(broker, "bench")
        owner.datastream("numbers")
        owner.datastream("corner", kind="camera")
        bridge = {"kind": "mqtt", "name": "b", "url": f"mqtt://127.0.0.1:{other.port}", "topics": ["s/#"], "datastream": "numbers"}  # fmt: skip
        url = stack.enter_context(served({"/now.jpg": jpeg(street())}))
        camera = {"kind": "camera", "name": "c", "url": f"{url}/now.jpg", "every": "PT2S", "datastream": "corner", "edge": {"op": "blur"}}  # fmt: skip
        found: dict[str, object] = {}
        with GatewayProcess(folder / "other", owner.mqtt, bridge) as gateway:
            gateway.await_log("source_connected")
            gateway.await_log("broker_connected")
            found["idle"] = measured(gateway, chosen.seconds / 4)
            said = (f'{{"value": {n}}}' for n in range(10**9))
            tenth = max(1, chosen.rate // 10)
            bridging = measured(gateway, chosen.seconds, lambda: device.publish("s/1", [next(said) for _ in range(tenth)]))  # fmt: skip
            stored = int(gateway.stop()["stored"])
            each_ms = round(1_000 * bridging["share_of_a_core"] * chosen.seconds / stored, 3)
            found["bridging"] = {"rate": tenth * 10, **bridging, "stored": stored, "processor_ms_a_record": each_ms}
        with GatewayProcess(folder / "camera", owner.mqtt, camera) as gateway:
            gateway.await_log("broker_connected")
            time.sleep(chosen.seconds / 2)  # the worker opens its networks
            found["covering a picture every 2 s"] = measured(gateway, chosen.seconds)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
