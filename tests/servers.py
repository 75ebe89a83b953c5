"""Real servers for tests: on free ports, each in a directory of its own, stopped by whoever started it.

One class a server: `__init__` writes the configuration, `command` starts it, `ready` says that it answers.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import psycopg
from psycopg import sql

from mitoyen.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TLS = ssl.create_default_context()  # made once: it takes 48 ms, and a client asks for one even where it is not used
START_S = 90.0  # under load; alone each is up within two seconds
STOP_S = 60.0  # `mitoyen up` gives each of its parts 8 s


def await_that(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.02)


class Server(ABC):
    """One process in `directory`, and its log. May be stopped and started: it keeps its ports and data."""

    patience_s = START_S
    """How long it may take until it answers."""

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
        until = time.monotonic() + self.patience_s
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

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It answers nobody meanwhile, and its connections stay."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

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
        self.backups = f"127.0.0.1:{rpc}"
        """Where `influxd backup` and `influxd restore` find it."""
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

    def kill(self) -> None:
        """SIGKILL, as a power cut does; it can be started again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def create_admin(self, name: str, password: str) -> None:
        """The first user, whom a server with `auth` lets anyone create."""
        quoted = password.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        query = f"CREATE USER {name} WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES"
        httpx.post(f"{self.url}/query", data={"q": query}, trust_env=False, verify=TLS).raise_for_status()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ping", trust_env=False, verify=TLS).status_code == httpx.codes.NO_CONTENT
        except httpx.TransportError:
            return False


def listens(port: int) -> bool:
    """Whether anybody does, on the loopback address."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Mosquitto(Server):
    """Another owner's own MQTT broker: it asks for no name, and remembers sessions only while it runs."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (self.port,) = free_ports(1)
        (directory / "mosquitto.conf").write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")

    def command(self) -> list[str]:
        return ["mosquitto", "-c", str(self.directory / "mosquitto.conf")]

    def ready(self) -> bool:
        return listens(self.port)

    @property
    def login(self) -> dict[str, Any]:
        """How anyone logs in to it."""
        anyone = {"username": "anyone", "password": "", "client_id_prefix": "device-"}
        return {"host": "127.0.0.1", "port": self.port, "topic": "{datastream}", **anyone}


def _command_of(process: str) -> list[bytes]:
    """A process's command line; nothing if it died since it was looked up."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


class Mitoyen(Server):
    """`mitoyen up`, with a home in `directory`, as an operator runs it. `environment` adds settings."""

    def __init__(
        self, directory: Path, *options: str, store: str = "sqlite", environment: dict[str, str] | None = None
    ) -> None:
        super().__init__(directory)
        self.http_port, self.mqtt_port = free_ports(2)
        self.home = directory / "home"
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._options = [*options, "--store", store, "--http", f"127.0.0.1:{self.http_port}"]
        self._environment = environment or {}

    def set(self, *options: str) -> None:
        """Start with these as well from the next time."""
        self._options += options

    def command(self) -> list[str]:
        settings = [f"MITOYEN_{name}={value}" for name, value in self._environment.items()]
        mitoyen = str(Path(sys.executable).with_name("mitoyen"))
        own = ["--home", str(self.home), "--mqtt", f"127.0.0.1:{self.mqtt_port}", *self._options]
        return ["env", *settings, mitoyen, "up", *own]

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, verify=TLS).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def client(self, key: str | None = None) -> httpx.Client:
        """An HTTP client with this key, or with none. Close it."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=TLS)

    def call(self, key: str | None, method: str, path: str, body: object = None, **query: str) -> Any:
        """One call below `/api/v1/`; its answer in Python, None if it has none. Raises httpx.HTTPStatusError."""
        with self.client(key) as client:
            answer = client.request(method, f"/api/v1/{path}", json=body, params=query)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json() if answer.content else None

    def text(self, key: str | None, path: str) -> str:
        """What is answered at this path."""
        with self.client(key) as client:
            return client.get(path).raise_for_status().text

    @staticmethod
    def run_command(*arguments: str) -> str:
        """What `mitoyen` prints for these. Raises subprocess.CalledProcessError."""
        mitoyen = str(Path(sys.executable).with_name("mitoyen"))
        return subprocess.run([mitoyen, *arguments], check=True, capture_output=True, text=True).stdout

    def login(self, name: str) -> dict[str, Any]:
        """How one of its own MQTT clients logs in."""
        own = json.loads((self.home / "logins.json").read_text())[name]
        address = {"host": "127.0.0.1", "port": self.mqtt_port, "client_id_prefix": "test-"}
        return {**address, "username": own["username"], "password": own["password"]}

    @property
    def operator_key(self) -> str:
        return (self.home / "operator.key").read_text().strip()

    def part(self, name: str) -> int:
        """Process id of `broker`, `keeper`, `api` or `mosquitto`, as it runs now. Raises LookupError if it does not."""
        assert self._process is not None
        for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            if name.encode() in _command_of(child):
                return int(child)
        raise LookupError(f"no {name} runs")

    def command_lines(self) -> str:
        """What anyone on this machine may read of it and its parts: their command lines."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return "\n".join(
            Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in [self._process.pid, *children]
        )

    def kill(self, name: str) -> str:
        """SIGKILL for one of its parts, which it then starts again; as soon as it runs, since it may have been killed before."""
        await_that(lambda: self._kills(name), f"no {name} runs")
        return name

    def await_ready(self, *, other_than: int) -> None:
        """Wait until everything answers again, with another Mosquitto than this process."""
        await_that(lambda: self.runs_other("mosquitto", other_than) and self.ready(), "it does not answer again")

    def await_metric(self, name: str, holds: Callable[[float], bool]) -> None:
        """Wait until this holds of a metric that has no labels."""
        await_that(lambda: holds(self.metric(name)), f"{name} is {self.metric(name)}")

    def await_that(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Wait until something holds that it causes."""
        await_that(holds, otherwise)

    def metric(self, name: str) -> float:
        """A metric's value, all its labels added up; 0 if there is none."""
        lines = self.text(self.operator_key, "/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def _kills(self, name: str) -> bool:
        try:
            os.kill(self.part(name), signal.SIGKILL)
        except (LookupError, ProcessLookupError):
            return False
        return True

    def runs_other(self, name: str, other_than: int) -> bool:
        """Whether a part runs, as another process than this."""
        try:
            return self.part(name) != other_than
        except LookupError:
            return False

    def kill_whole(self) -> None:
        """SIGKILL for the supervisor; its parts notice, and Mosquitto stays."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None


class Postgres(Server):
    """PostgreSQL. It refuses to run as root, so root runs it as the user that its package made."""

    PASSWORD = "only for tests"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (self.port,) = free_ports(1)
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self._as_user = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        )
        if self._as_user:
            shutil.chown(directory, "postgres")
        password = directory / "password"
        password.write_text(self.PASSWORD)
        initdb = [str(self._bin / "initdb"), "-D", str(directory / "data"), "-U", "mitoyen", "-A", "scram-sha-256"]
        options = ["--pwfile", str(password), "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run([*self._as_user, *initdb, *options], check=True, capture_output=True, cwd=directory)

    def command(self) -> list[str]:
        own = [
            "-p",
            str(self.port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=off",
        ]
        return [*self._as_user, str(self._bin / "postgres"), "-D", str(self.directory / "data"), *own]

    def ready(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), password=self.PASSWORD).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, as a power cut does; it can be started again once its own children noticed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def new_database(self) -> str:
        """The URL of an empty database; its password is PASSWORD."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._address("postgres"), password=self.PASSWORD, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://mitoyen@127.0.0.1:{self.port}/{database}"
