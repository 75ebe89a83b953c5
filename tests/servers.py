"""Real servers for tests: on free ports, each in a directory of its own, stopped by whoever started it.

One class a server: `__init__` writes the configuration, `command` starts it, `ready` says that it answers.
"""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path

START_S = 30.0  # under load; alone each is up within a second
STOP_S = 10.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; asked for together, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server(ABC):
    """One process in `directory`, and its log. May be stopped and started: it keeps its ports and data."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def ready(self) -> bool: ...

    def start(self) -> None:
        """Returns when it answers. Raises RuntimeError with the end of the log if it does not."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.directory, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_S
        while not self.ready():
            if self._ended(within_s=0.02) or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"{self.command()[0]} does not answer: {self.log()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            if not self._ended(within_s=STOP_S):
                self._process.kill()
                self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ended(self, *, within_s: float) -> bool:
        assert self._process is not None
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True


class Influxd(Server):
    """InfluxDB 1.x. With `auth` it knows no user yet: the first that is created must be an administrator."""

    def __init__(self, directory: Path, *, auth: bool = False, max_body_size: int = 25_000_000) -> None:
        super().__init__(directory)
        http, rpc = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        (directory / "influxdb.conf").write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  index-version = "tsi1"  # on the disk: each tag that is read is a series
  query-log-enabled = false
  max-series-per-database = 0
  max-values-per-tag = 0
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
  auth-enabled = {str(auth).lower()}
  max-body-size = {max_body_size}
""")

    def command(self) -> list[str]:
        return ["influxd", "run", "-config", str(self.directory / "influxdb.conf")]

    def create_admin(self, name: str, password: str) -> None:
        """The first user, whom a server with `auth` lets anyone create."""
        quoted = password.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        query = f"CREATE USER {name} WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES"
        httpx.post(f"{self.url}/query", data={"q": query}, trust_env=False).raise_for_status()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ping", trust_env=False).status_code == httpx.codes.NO_CONTENT
        except httpx.TransportError:
            return False
