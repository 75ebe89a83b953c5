"""What is in `deploy/` starts programs and names settings that exist, as users without rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker import alive
from broker.settings.settings import Settings
from tests.natsservers import NATS_SERVER

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSED = sorted(DEPLOY.glob("compose*.yaml"))
OF_COMMAND = {"MITOYEN_SECRETS"}


def settings_of(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))


def services(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(file.read_text())["services"]
    return read


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_run_as_a_user_without_rights(unit: Path) -> None:
    said = settings_of(unit.read_text())
    assert (said["User"], said["CapabilityBoundingSet"], said["NoNewPrivileges"]) == ("mitoyen", "", "yes")
    assert (said["ProtectSystem"], said["StateDirectoryMode"]) == ("strict", "0700")
    assert said["User"] in (DEPLOY / "mitoyen.sysusers").read_text()


@pytest.mark.parametrize("unit", ["mitoyen.service", "mitoyen-part@.service"])
def test_systemd_watches_whether_what_speaks_to_it_gets_on(unit: str) -> None:
    said = settings_of((DEPLOY / unit).read_text())
    assert (said["Type"], int(said["WatchdogSec"]) > 10 * alive.EVERY_S) == ("notify", True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    for one in UNITS:  # one may ask for another
        copy = tmp_path / one.name.replace("@", "@one")
        copy.write_text(one.read_text().replace("/opt/mitoyen/.venv/bin/mitoyen", shutil.which("true") or ""))
    own = str(tmp_path / unit.name.replace("@", "@one"))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", own], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_nats_finds_nothing_wrong_with_its_configuration_and_syncs_each_pack() -> None:
    known = {**os.environ, "NATS_NAME": "n", "NATS_PASSWORD": "p"}
    command = [str(NATS_SERVER), "-t", "-c", str(DEPLOY / "nats.conf")]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=known)
    assert found.returncode == 0, found.stderr
    assert "sync_interval: always" in (DEPLOY / "nats.conf").read_text()


def test_every_setting_that_is_named_there_exists() -> None:
    named = {name for file in DEPLOY.iterdir() for name in re.findall(r"\bMITOYEN_[A-Z_]+[A-Z]\b", file.read_text())}
    assert "MITOYEN_HOME" in named
    assert named - OF_COMMAND <= {f"MITOYEN_{name.upper()}" for name in Settings.model_fields}


def test_containers_run_without_rights_and_their_parts_fit_together() -> None:
    together: dict[str, Any] = {}
    for file in COMPOSED:
        for name, service in services(file).items():
            together[name] = {**together.get(name, {}), **service}
    mitoyen = together["mitoyen"]
    assert (mitoyen["user"], mitoyen["cap_drop"], mitoyen["read_only"]) == ("mitoyen", ["ALL"], True)
    assert set(mitoyen["depends_on"]) <= together.keys()
    assert all(port.startswith("127.0.0.1:") for port in mitoyen["ports"])
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "\nUSER mitoyen\n" in dockerfile.split("scripts/setup run")[1]
    assert (DEPLOY / mitoyen["build"]["context"] / mitoyen["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
