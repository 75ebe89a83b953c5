"""`python -m bench.cluster up --home DIR …`: what `mitoyen up` is, with a cluster's servers around it; without arguments in a folder of its own.

SIGTERM and Ctrl-C end `mitoyen up`, and then the servers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.cluster.world import servers

MITOYEN = Path(sys.executable).with_name("mitoyen")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mitoyen-cluster-") as folder:
        given = sys.argv[1:] or ["up", "--home", f"{folder}/home"]
        with servers(Path(folder)) as environment:
            if not sys.argv[1:]:
                print("\n".join(f"{name}={value}" for name, value in environment.items()), file=sys.stderr)
            return _run([str(MITOYEN), *given], environment)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """The command's status; it is told to stop when this process is."""
    running = subprocess.Popen(command, env={**os.environ, **environment})
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: running.terminate())
    return running.wait()


if __name__ == "__main__":
    sys.exit(main())
