"""The servers of a cluster, started on free loopback ports in one folder, and the settings that make `mitoyen up` use them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.natsservers import Nats
from tests.servers import Influxd, Postgres, free_ports


@contextmanager
def servers(folder: Path, *, partitions: int = 3, edges: int = 2) -> Iterator[dict[str, str]]:
    """What to add to the environment."""
    with ExitStack() as stack:
        for name in ("nats", "influxd"):
            (folder / name).mkdir()
        nats = stack.enter_context(Nats(folder / "nats"))
        influxd = stack.enter_context(Influxd(folder / "influxd"))
        below = stack.enter_context(tempfile.TemporaryDirectory(prefix="mitoyen-postgresql-"))  # its user may enter
        postgres = stack.enter_context(Postgres(Path(below)))
        more = [f"127.0.0.1:{port}" for port in free_ports(edges - 1)] if edges > 1 else []
        yield {
            "MITOYEN_JOURNAL": nats.url,
            "MITOYEN_PARTITIONS": str(partitions),
            "MITOYEN_EDGES": " ".join(more),
            "MITOYEN_STORE": f"influx:{influxd.url}",
            "MITOYEN_REGISTRY": postgres.new_database(),
            "MITOYEN_REGISTRY_PASSWORD": postgres.PASSWORD,
        }
