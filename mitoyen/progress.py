"""How far something is, for people: on a terminal one line that is written over, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from broker.times import text as time_text
from simulators.play import Played

LINE_S = 5.0  # between two lines where there is no terminal
_BAR = 24


class Progress:
    """Called as often as there is news; `say` writes a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._on_terminal = sys.stderr.isatty()
        self._began = self._last = time.monotonic()

    def played(self, played: Played) -> None:
        per_s = played.acknowledged_records / max(time.monotonic() - self._began, 1e-9)
        at = time_text(played.simulated_ns // 1_000_000_000 * 1_000_000_000)
        self._tell(
            f"{at}  {played.sent_records} records sent, {played.acknowledged_records} acknowledged ({per_s:.0f}/s),"
            f" {played.lag_s:.1f} s behind"
        )

    def exported(self, share: float, records: int) -> None:
        done = round(_BAR * share)
        self._tell(f"[{'#' * done}{'.' * (_BAR - done)}] {100 * share:3.0f} %, {records} records written")

    def end(self) -> None:
        """Leaves the line as it is."""
        if self._on_terminal:
            sys.stderr.write("\n")

    def _tell(self, line: str) -> None:
        if self._on_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif time.monotonic() - self._last >= LINE_S:
            self._last = time.monotonic()
            self._say(line)
