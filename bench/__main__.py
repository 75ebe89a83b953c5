"""Every measurement that has a goal, one after the other, in one line of JSON.

    make bench            .venv/bin/python -m bench [NAME …]

Exit code 0 only if every goal holds; one that fails, or takes longer than half an hour, holds nothing. `end_to_end` and `node_red` call what is shared
beside this project (`../shared/bench`), and are left out where that is not; the goals are those of `docs/performance.md`. Each may be run by itself: `.venv/bin/python -m bench.storing --help`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers import Influxd

END_TO_END = Path(__file__).parents[2] / "shared" / "bench" / "end_to_end.py"
LONGEST_S = 1_800
GOAL = {"single_ratio": 0.9, "pack50_ratio": 0.6, "p99_over_ms": 10.0}


def module(*arguments: str) -> dict[str, Any]:
    """What a measurement of ours prints, which says itself whether its goal holds."""
    return _said([sys.executable, "-m", *arguments])


def end_to_end(*, influx: bool) -> dict[str, Any]:
    if not END_TO_END.exists():
        return {"left_out": f"{END_TO_END} is not there", "goal": {"holds": True}}
    with (
        TemporaryDirectory(prefix="mitoyen-bench-") as folder,
        Influxd(Path(folder)) if influx else nullcontext() as server,
    ):
        mitoyen = str(Path(sys.executable).with_name("mitoyen"))
        store = f"influx:{server.url}" if server else "sqlite"
        found = _said([sys.executable, str(END_TO_END), "--command", mitoyen, "--store", store])
    if "failed" in found:
        return found
    holds = (
        found["single_ratio"] >= GOAL["single_ratio"]
        and found["pack50_ratio"] >= GOAL["pack50_ratio"]
        and found["p99_over_ms"] <= GOAL["p99_over_ms"]
        and not found["lost"]
        and not found["duplicates"]
    )
    return {**found, "goal": {**GOAL, "holds": holds}}


def _said(command: list[str]) -> dict[str, Any]:
    """What it prints last, as one JSON object."""
    try:
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=LONGEST_S)
        said: dict[str, Any] = json.loads(ran.stdout[ran.stdout.index("{") :])
    except (ValueError, subprocess.TimeoutExpired) as error:
        return {"failed": f"{' '.join(command)}: no JSON: {error}"[:500], "goal": {"holds": False}}
    return said


ALL: dict[str, Callable[[], dict[str, Any]]] = {
    "end_to_end": lambda: end_to_end(influx=False),
    "end_to_end_influx": lambda: end_to_end(influx=True),
    "storing": lambda: module("bench.storing"),
    "history": lambda: module("bench.history"),
    "history_influx": lambda: module("bench.history", "--store", "influx"),
    "live": lambda: module("bench.live"),
    "growth": lambda: module("bench.growth"),
    "node_red": lambda: module("bench.node_red"),
    "revocation": lambda: module("bench.revocation"),
}


def main() -> None:
    found: dict[str, Any] = {}
    for name in sys.argv[1:] or ALL:
        if name not in ALL:
            raise SystemExit(f"{name}: expected one of {', '.join(ALL)}")
        found[name] = ALL[name]()
        print(f"{name}: {json.dumps(found[name])}", file=sys.stderr, flush=True)
    holds = all(one["goal"]["holds"] for one in found.values())
    print(json.dumps({**found, "holds": holds}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
