"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers import TLS

if TYPE_CHECKING:
    from tests.servers import Influxd

MITOYEN = str(Path(sys.executable).with_name("mitoyen"))
RECORDED = "timestamp,value\n2015-08-31 18:22:00,90\n2015-08-31 18:27:00,80.5\n"


def _run(*options: str) -> dict[str, int | dict[str, dict[str, int]]]:
    done = subprocess.run(
        [MITOYEN, "demo", "--seconds", "6", *options], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary: dict[str, int | dict[str, dict[str, int]]] = json.loads(done.stdout.splitlines()[-1])
    return summary


def test_the_demo_carries_data_through_every_stage_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "speed_6005.csv").write_text(RECORDED)
    _assert_all_carried(_run("--recordings", str(tmp_path)))


def test_the_demo_runs_on_influxdb_and_without_recordings(influxd: Influxd, tmp_path: Path) -> None:
    _assert_all_carried(_run("--store", f"influx:{influxd.url}", "--recordings", str(tmp_path / "none")))


def _assert_all_carried(summary: dict[str, int | dict[str, dict[str, int]]]) -> None:
    applications = summary["applications"]
    assert isinstance(applications, dict)
    assert summary["ingested"]
    assert summary["released"]
    assert set(applications) == {"live-map", "research"}
    assert all(count > 0 for counts in applications.values() for count in counts.values())


def _children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_demo_and_leaves_no_process(sign: signal.Signals) -> None:
    with subprocess.Popen([MITOYEN, "demo"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "Try it without a key" in line:
                break
        (sandbox,) = re.findall(r"http://\S+/api/v1/sandbox", line)
        assert httpx.get(sandbox, trust_env=False, verify=TLS).json()
        parts = _children(demo.pid)
        assert len(parts) == 5
        demo.send_signal(sign)
        out, rest = demo.communicate(timeout=30)
        assert demo.returncode == 0, rest
        assert json.loads(out.splitlines()[-1])["ingested"] >= 0
        assert not any(Path(f"/proc/{part}").exists() for part in parts)
