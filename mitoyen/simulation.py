"""`mitoyen simulate`: registers what is to be registered, and plays or writes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from mitoyen.progress import Progress
from mitoyen.registration import register
from simulators.export import export, told
from simulators.play import play
from simulators.simulation import Simulation

EXPORTED_S = 60.0
"""As much as is written where nobody says how much."""


def run(
    simulation: Simulation,
    file: Path,
    seconds: float | None,
    output: Path | None,
    truth: Path | None,
    progress: Progress | None,
    say: Callable[[str], None],
) -> dict[str, object]:
    """The summary. Raises MitoyenError, and OSError if a file can't be written."""
    with ExitStack() as stack:
        rows: TextIO | None = stack.enter_context(truth.open("w", buffering=1, encoding="utf-8")) if truth else None
        if progress:
            stack.callback(progress.end)
        if output is not None:
            out = stack.enter_context(output.open("w", encoding="utf-8"))
            hears = progress.exported if progress else None
            return export(simulation, EXPORTED_S if seconds is None else seconds, out, rows, hears)
        registered = register(simulation, file.with_suffix(".logins.json"), say)
        until = None if seconds is None else time.time() + seconds
        hears_play = progress.played if progress else None
        return asyncio.run(
            play(registered, until=until, on_progress=hears_play, tell=told(rows) if rows else None)
        ).summary
