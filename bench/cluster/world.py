"""The servers of a cluster, started on free loopback ports in one folder, and the settings that make `mitoyen up` use them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mitoyen.ports import free_ports
from tests.natsservers import Nats, NatsServer
from tests.servers import START_S, Influxd, Postgres

PARTITIONS = 3
DEAD_S = 1.0
"""How long what was killed stays so."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What runs, and what to add to the environment."""

    nats: Nats
    postgres: Postgres
    influxd: Influxd
    settings: dict[str, str]

    def kill_nats(self, stream: str, *, leads: bool) -> None:
        """SIGKILL for the server that leads a stream, or for one that follows it; and start it again."""
        leader = self._leader(stream)
        victim = leader if leads else next(one for one in self.nats.servers if one is not leader)
        victim.kill()
        time.sleep(DEAD_S)
        victim.start()

    def kill_postgres(self) -> None:
        """SIGKILL, and start it again as soon as its own children noticed."""
        self.postgres.kill()
        time.sleep(DEAD_S)
        until = time.monotonic() + START_S
        while True:
            try:
                return self.postgres.start()
            except RuntimeError:
                if time.monotonic() > until:
                    raise

    def _leader(self, stream: str) -> NatsServer:
        until = time.monotonic() + START_S
        while True:
            try:
                return self.nats.leader(stream)
            except LookupError:
                if time.monotonic() > until:
                    raise
            time.sleep(DEAD_S / 10)


@contextmanager
def cluster(folder: Path, *, partitions: int = PARTITIONS, edges: int = 2) -> Iterator[Cluster]:
    """Three NATS servers, PostgreSQL and InfluxDB."""
    with ExitStack() as stack:
        for name in ("nats", "influxd"):
            (folder / name).mkdir()
        nats = stack.enter_context(Nats(folder / "nats"))
        influxd = stack.enter_context(Influxd(folder / "influxd"))
        below = stack.enter_context(tempfile.TemporaryDirectory(prefix="mitoyen-postgresql-"))  # its user may enter
        postgres = stack.enter_context(Postgres(Path(below)))
        more = [f"127.0.0.1:{port}" for port in free_ports(edges - 1)] if edges > 1 else []
        settings = {
            "MITOYEN_JOURNAL": nats.url,
            "MITOYEN_PARTITIONS": str(partitions),
            "MITOYEN_EDGES": " ".join(more),
            "MITOYEN_STORE": f"influx:{influxd.url}",
            "MITOYEN_REGISTRY": postgres.new_database(),
            "MITOYEN_REGISTRY_PASSWORD": postgres.PASSWORD,
        }
        yield Cluster(nats, postgres, influxd, settings)


@contextmanager
def servers(folder: Path, *, partitions: int = PARTITIONS, edges: int = 2) -> Iterator[dict[str, str]]:
    """The same, by what to add to the environment."""
    with cluster(folder, partitions=partitions, edges=edges) as made:
        yield made.settings
