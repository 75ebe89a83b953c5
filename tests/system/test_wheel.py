"""The wheel alone, without the checkout that it was built from: what it lacks is missed here, and not by whoever installs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest

from tests.servers import TLS

HERE = Path(__file__).parents[2]
INSTALL_S = 540


def _pip(python: str | Path, *arguments: str | Path) -> None:
    command = [str(python), "-m", "pip", *(str(one) for one in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_wheel_runs_the_demo_with_its_portal_and_no_checkout_beside_it(tmp_path: Path) -> None:
    _pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, HERE)
    (wheel,) = tmp_path.glob("mitoyen-*.whl")
    venv.create(tmp_path / "own", with_pip=True)
    _pip(tmp_path / "own" / "bin" / "python", "install", "--quiet", "--constraint", HERE / "requirements.lock", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MITOYEN_", "PYTHON"))}
    program = [tmp_path / "own" / "bin" / "mitoyen", "demo", "--seconds", "20"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(program, cwd=elsewhere, env=own, **pipes) as demo:  # type: ignore[call-overload]  # pipes are named once
        assert demo.stderr is not None
        line = next(line for line in demo.stderr if "/api/v1/sandbox" in line)
        url = re.findall(r"(http://\S+)/api/v1/sandbox", line)[0]
        page = httpx.get(url, trust_env=False, verify=TLS).text
        assets = re.findall(r'"(/assets/[^"]+)"', page)
        answers = {
            one: httpx.get(url + one, trust_env=False, verify=TLS).status_code for one in (*assets, "/ground.geojson")
        }
        out, rest = demo.communicate(timeout=120)
        assert demo.returncode == 0, rest[-3000:]
    assert assets
    assert set(answers.values()) == {200}
    summary = json.loads(out.splitlines()[-1])
    assert summary["ingested"] > 0
    assert summary["released"] > 0
