"""NATS servers for tests and trials: one process each, three of them one cluster, every pack on the disk before it is acknowledged."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx

from mitoyen.ports import free_ports
from tests.servers import TLS, Server, await_that

NATS_SERVER = Path(sys.executable).parent / "nats-server"


class NatsServer(Server):
    """One of a cluster, or alone."""

    def __init__(
        self, directory: Path, name: str, ports: tuple[int, int, int], routes: list[int], more: str = ""
    ) -> None:
        super().__init__(directory)
        self.name = name
        self.port, cluster, self._monitor = ports
        (directory / "nats.conf").write_text(f"""
server_name: {name}
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self._monitor}
max_payload: 8MB
jetstream {{ store_dir: "{directory}", sync_interval: always }}
{_cluster(cluster, routes)}
{more}
""")

    def command(self) -> list[str]:
        return [str(NATS_SERVER), "-c", str(self.directory / "nats.conf")]

    def ready(self) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self._monitor}/healthz?js-enabled-only=true", verify=TLS)
        except httpx.TransportError:
            return False
        return answer.is_success

    def has_leader(self) -> bool:
        """Whether it is in contact with the leader of all streams."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._monitor}/healthz", verify=TLS).is_success
        except httpx.TransportError:
            return False

    def leads(self, stream: str) -> bool:
        """Whether it is the stream's leader, as far as it knows."""
        asked = f"http://127.0.0.1:{self._monitor}/jsz?accounts=true&streams=true"
        try:
            told = httpx.get(asked, verify=TLS).json()
        except httpx.TransportError:
            return False
        streams = [one for account in told.get("account_details", []) for one in account.get("stream_detail", [])]
        return any(one["name"] == stream and one["cluster"].get("leader") == self.name for one in streams)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None


def _cluster(port: int, routes: list[int]) -> str:
    """Nothing for one that is alone."""
    others = ", ".join(f"nats://127.0.0.1:{one}" for one in routes)
    return f"cluster {{ name: journal, listen: 127.0.0.1:{port}, routes: [{others}] }}" if routes else ""


class Nats:
    """Three servers, a cluster."""

    def __init__(self, directory: Path) -> None:
        ports = free_ports(9)
        routes = ports[3:6]
        self.servers = []
        for number in range(3):
            (directory / f"n{number}").mkdir()
            own = (ports[number], routes[number], ports[6 + number])
            self.servers.append(NatsServer(directory / f"n{number}", f"n{number}", own, routes))
        self.url = "nats://" + ",".join(f"127.0.0.1:{one.port}" for one in self.servers)
        self._running = ExitStack()

    def leader(self, stream: str) -> NatsServer:
        """Whoever leads the stream now. Raises LookupError while nobody does."""
        for one in self.servers:
            if one.leads(stream):
                return one
        raise LookupError(stream)

    def start(self) -> None:
        for one in self.servers:
            self._running.enter_context(one)
        await_that(lambda: all(one.has_leader() for one in self.servers), "the NATS servers have no leader")

    def stop(self) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
