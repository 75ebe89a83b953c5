"""A simulation written to a file in place of a broker: no clock, so that one seed is the same bytes whenever and wherever.

A message is a line, `{"topic": …, "payload": …}`, with `"encoding": "base64"` where the payload is no UTF-8: as
`mitoyen decode` takes it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TextIO

from broker.times import SECOND, parse
from broker.times import text as time_text
from simulators.feed import Clock
from simulators.feeds import Tell, feeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.feed import Message
    from simulators.simulation import Simulation

START_NS = parse("2026-11-23T07:00:00+01:00")
"""A Monday morning, where the file names no start."""
_TICK_NS = SECOND // 4
"""Of real time, as long as a gateway collects what leaves in one message."""

_line = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def export(
    simulation: Simulation,
    seconds: float,
    out: TextIO,
    truth: TextIO | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> dict[str, Any]:
    """Writes what would be sent in so many seconds of real time; the summary. `on_progress`: hears the share done and the records.

    Raises Malformed as a recording turns out to be.
    """
    start_ns = START_NS if simulation.start is None else simulation.start
    clock = Clock(start_ns, start_ns, simulation.speed)
    playing = feeds(simulation, clock, None if truth is None else told(truth))
    ticks = max(round(seconds * SECOND / _TICK_NS), 1)
    written = 0
    for tick in range(ticks + 1):
        now_ns = start_ns + int(tick * _TICK_NS * simulation.speed)
        for _, feed in playing.values():
            while feed.behind(now_ns, now_ns):
                for message in feed.due(now_ns, now_ns):
                    out.write(line(message))
                    written += message.records
        if on_progress:
            on_progress(tick / ticks, written)
    return {"written": written, "from": time_text(start_ns - simulation.backfill), "to": time_text(now_ns)}


def told(truth: TextIO) -> Tell:
    """Writes rows of what was really the case, a line each."""

    def tell(row: dict[str, Any]) -> None:
        truth.write(_line(row) + "\n")

    return tell


def line(message: Message) -> str:
    try:
        return _line({"topic": message.topic, "payload": message.payload.decode()}) + "\n"
    except UnicodeDecodeError:
        payload = base64.b64encode(message.payload).decode()
        return _line({"topic": message.topic, "payload": payload, "encoding": "base64"}) + "\n"
