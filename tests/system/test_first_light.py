"""The interface page, executed against a running broker, on every store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Influxd

SCRIPT = Path(__file__).parents[3] / "shared" / "acceptance" / "first_light.py"
MITOYEN = Path(sys.executable).with_name("mitoyen")


def run(*more: str) -> None:
    if not SCRIPT.exists():
        pytest.skip("the acceptance script is not beside the project")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--command", str(MITOYEN), *more],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_the_interface_holds_on_sqlite() -> None:
    run()


def test_the_interface_holds_on_influxdb(influxd: Influxd) -> None:
    run("--store", f"influx:{influxd.url}")
