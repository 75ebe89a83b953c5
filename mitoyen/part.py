"""One part of a running Mitoyen, as `mitoyen up` starts it: `python -m mitoyen.part PART SETTINGS-FILE [SUPERVISOR-PID]`.

PART is a kind and, of those of which there are several, a number: `worker-2`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from broker.settings.settings import Settings
from mitoyen.logging import configure

PR_SET_PDEATHSIG = 1


def main() -> None:
    part, settings_file, *supervisor = sys.argv[1:]
    if supervisor:
        _end_with(int(supervisor[0]))
    configure()
    settings = Settings.model_validate_json(Path(settings_file).read_text())
    # only what a part needs is imported by it: the HTTP side never loads the raw store
    kind, _, number = part.partition("-")
    if kind == "broker":
        from broker.parts.broker import run_broker  # noqa: PLC0415
        from gateways.formats import formats  # noqa: PLC0415

        run_broker(settings, formats())
    elif kind == "access":
        from broker.parts.accessing import run_access  # noqa: PLC0415
        from gateways.formats import formats  # noqa: PLC0415

        run_access(settings, formats())
    elif kind == "worker":
        from broker.parts.serving import run_worker  # noqa: PLC0415
        from gateways.formats import formats  # noqa: PLC0415

        run_worker(settings, formats(), int(number))
    elif kind == "edge":
        from broker.parts.edge import run_edge  # noqa: PLC0415
        from gateways.formats import formats  # noqa: PLC0415

        run_edge(settings, formats(), int(number))
    elif kind == "keeper":
        from broker.parts.keeper import run_keeper  # noqa: PLC0415

        os.nice(5)  # what people wait for is live; what is kept can catch up
        run_keeper(settings, int(number or 0))
    elif kind == "cameras":
        from broker.filming import run_cameras  # noqa: PLC0415

        os.nice(5)  # as above; those that look at pictures step aside further
        run_cameras(settings)
    elif kind == "api":
        from api.serve import run_api  # noqa: PLC0415

        run_api(settings)
    else:
        raise SystemExit(
            f"unknown part {part}: expected broker, access, worker-N, edge-N, keeper, keeper-N, cameras or api"
        )


def _end_with(supervisor: int) -> None:
    """Get SIGTERM when the supervisor dies, however it dies (prctl(2)). Mosquitto does not: it goes on queueing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        raise SystemExit("the supervisor is gone")


if __name__ == "__main__":
    main()
