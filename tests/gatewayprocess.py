"""`mitoyen gateway` as an owner runs it, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from tests.servers import TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDS_S = 60.0


class GatewayProcess:
    """A gateway with these sources, started when the `with` begins and terminated when it ends."""

    def __init__(self, folder: Path, mqtt: Mapping[str, Any], *sources: dict[str, Any], **more: Any) -> None:
        self._folder = folder
        login = folder / "login.json"
        login.touch(mode=0o600)
        login.write_text(json.dumps({"mqtt": dict(mqtt)}))
        self.file = folder / "gateway.yaml"
        self.file.write_text(yaml.safe_dump({"broker": {"login": "login.json"}, "sources": list(sources), **more}))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("mitoyen"), "gateway", str(self.file), "--json"],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def kill(self) -> None:
        """At once, as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> dict[str, int]:
        """As the machine's own stop does; returns what it says at the end."""
        return self._end(signal.SIGTERM)

    def ended(self, within_s: float = ENDS_S) -> dict[str, int]:
        """Wait until it ends by itself; returns what it says."""
        return self._end(None, within_s)

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def await_log(self, said: str) -> None:
        """Wait until it has said this."""
        self._await(lambda: said in self.log(), said)

    def await_answer(self, url: str) -> None:
        """Wait until it listens there."""
        self._await(lambda: _answers(url), url)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def resident_mb(self) -> float:
        """Memory that it has now."""
        assert self._process is not None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + ENDS_S
        while not condition():
            assert time.monotonic() < until, f"{what}: {self.log()}"
            time.sleep(0.02)

    def _end(self, sign: signal.Signals | None, within_s: float = ENDS_S) -> dict[str, int]:
        assert self._process is not None
        process, self._process = self._process, None
        if sign is not None:
            process.send_signal(sign)
        printed, _ = process.communicate(timeout=within_s)
        assert sign is signal.SIGKILL or process.returncode == 0, self.log()
        said: dict[str, int] = json.loads(printed) if printed else {}
        return said

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False, verify=TLS)
    except httpx.TransportError:
        return False
    return True
