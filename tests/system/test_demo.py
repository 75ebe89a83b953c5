"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MITOYEN = Path(sys.executable).with_name("mitoyen")


def test_the_demo_carries_data_through_every_stage_and_says_so() -> None:
    done = subprocess.run(
        [str(MITOYEN), "demo", "--seconds", "8"], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["ingested"] > 0
    assert summary["released"] > 0
    assert all(count > 0 for counts in summary["applications"].values() for count in counts.values())
