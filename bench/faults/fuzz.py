"""Payloads that nobody should send, in each format: 100,000 that were valid before something was done to them, and as many that are found by what they reach.

The second by atheris, which watches which branches of the readers a payload takes and keeps what takes new ones; where it can't be installed (it
has wheels for some systems alone) they are left out, and that is said. Each format in a process of its own, so that a crash is one format's.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

from bench.faults.limits import own_resident_mb
from bench.faults.nonsense import spoiled
from broker.entry import Refusal
from broker.model import FormatName
from gateways.foreign import EXPECTED, parse
from tests.payloads import MESSAGES
from tests.understood import holds, read

SEED = 13
PATIENCE_S = 1_800.0
GROWS_MB = 32
"""How much reading 90 of 100 payloads may add to what the first 10 left."""
SLOWEST_S = 1.0
ODD: list[Any] = [
    None,
    True,
    -0.0,
    1e308,
    10**400,
    "",
    "NaN",
    "1e999",
    "\ud800",
    "9999-12-31T23:59:59Z",
    "2026-13-01T00:00:00Z",
    [],
    {},
    [[]] * 50,
    2**63,
]
EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


def fuzzed(folder: Path, *, count: int) -> dict[str, Any]:
    """Each payload is understood or refused with a reason; nothing else is raised, nothing grows, nothing takes long."""
    found = {name: _of(folder, name, count) for name in get_args(FormatName)}
    guided = importlib.util.find_spec("atheris") is not None
    return {"guided": guided, "formats": found, "holds": all(one["holds"] for one in found.values())}


def _of(folder: Path, name: FormatName, count: int) -> dict[str, Any]:
    ended = _run("bench.faults.fuzz", name, str(count))
    told = json.loads(ended.stdout) if ended.returncode == 0 else {"crashed": ended.stderr[-500:], "holds": False}
    if importlib.util.find_spec("atheris") is not None:
        corpus = folder / name
        corpus.mkdir()
        for number, (_, payload) in enumerate(MESSAGES[name]):
            (corpus / str(number)).write_bytes(bytes([number % 256]) + payload)
        ended = _run(
            "bench.faults.guided",
            name,
            f"-runs={count}",
            f"-seed={SEED}",
            "-print_final_stats=1",
            f"-artifact_prefix={folder}/",
            str(corpus),
        )
        executed = EXECUTED.search(ended.stderr)
        told |= {"guided": int(executed[1]) if executed else 0}
        told["holds"] &= ended.returncode == 0 and told["guided"] >= count
        if ended.returncode:
            told["guided_said"] = ended.stderr[-1_000:]
    return told


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=Path(__file__).parents[2]
    )


def _changed(chance: random.Random, found: Any) -> Any:  # noqa: ANN401 - JSON
    """The same, but for one value somewhere within."""
    if not isinstance(found, dict | list) or not found or chance.random() < 0.2:  # noqa: PLR2004 - now and then
        return chance.choice([*ODD, found, [found], {"value": found}])
    changed: Any = dict(found) if isinstance(found, dict) else list(found)
    at = chance.choice(list(found) if isinstance(found, dict) else range(len(found)))
    if chance.random() < 0.2:  # noqa: PLR2004 - as above
        del changed[at]
    else:
        changed[at] = _changed(chance, found[at])
    return changed


def _payload(chance: random.Random, payload: bytes) -> bytes:
    """A message with something done to its bytes or, where it is JSON, to its values."""
    if chance.random() < 0.5:  # noqa: PLR2004 - half of them
        return spoiled(chance, payload)
    try:
        found = parse(payload)
    except EXPECTED:
        return spoiled(chance, payload)
    return json.dumps(_changed(chance, found)).encode(errors="surrogatepass")


def _mutated(name: FormatName, count: int) -> dict[str, Any]:
    chance = random.Random(SEED)  # noqa: S311 - the same each time
    messages = MESSAGES[name]
    read(name, messages)  # loads what knows units, which takes a second
    items, refused, slowest, before = 0, 0, 0.0, 0
    for number in range(count):
        if number == count // 10:
            gc.collect()
            before = own_resident_mb()
        topic, payload = chance.choice(messages)
        topic = chance.choice([topic, topic, topic, "", f"{topic}/x", topic.rpartition("/")[0]])
        began = time.perf_counter()
        understood = read(name, [(topic, _payload(chance, payload))])
        slowest = max(slowest, time.perf_counter() - began)
        assert all(holds(item) for item in understood), (topic, payload)
        items += len(understood)
        refused += sum(isinstance(item, Refusal) for item in understood)
    gc.collect()
    grown = own_resident_mb() - before
    return {
        "payloads": count,
        "items": items,
        "refused": refused,
        "slowest_ms": round(slowest * 1e3, 1),
        "grown_mb": grown,
        "holds": grown < GROWS_MB and slowest < SLOWEST_S,
    }


def main() -> None:
    name, count = sys.argv[1:]
    (known,) = (one for one in get_args(FormatName) if one == name)
    print(json.dumps(_mutated(known, int(count))))


if __name__ == "__main__":
    main()
