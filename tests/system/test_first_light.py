"""The interface page, executed against a running broker, on every store, registry and journal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.natsservers import Nats
    from tests.servers import Influxd, Postgres

SCRIPT = Path(__file__).parents[3] / "shared" / "acceptance" / "first_light.py"
MITOYEN = Path(sys.executable).with_name("mitoyen")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the acceptance script is not beside the project")
@pytest.mark.parametrize(
    ("store", "registry", "journal", "partitions"),
    [
        ("sqlite", "sqlite", "sqlite", 1),
        ("influx", "postgresql", "nats", 2),
        pytest.param("influx", "postgresql", "sqlite", 1, marks=pytest.mark.long),
        pytest.param("sqlite", "postgresql", "sqlite", 1, marks=pytest.mark.long),
        pytest.param("influx", "sqlite", "sqlite", 1, marks=pytest.mark.long),
        pytest.param("sqlite", "sqlite", "sqlite", 2, marks=pytest.mark.long),
        pytest.param("sqlite", "sqlite", "nats", 1, marks=pytest.mark.long),
    ],
)
def test_the_interface_holds(
    store: str, registry: str, journal: str, partitions: int, influxd: Influxd, postgres: Postgres, nats: Nats
) -> None:
    environment = {**os.environ, "MITOYEN_PARTITIONS": str(partitions)}
    if journal == "nats":
        environment["MITOYEN_JOURNAL"] = nats.url
    if registry == "postgresql":
        environment |= {
            "MITOYEN_REGISTRY": postgres.new_database(),
            "MITOYEN_REGISTRY_PASSWORD": postgres.PASSWORD,
        }
    options = ["--store", f"influx:{influxd.url}"] if store == "influx" else []
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--command", str(MITOYEN), *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
