"""A simulation written to a file in place of a broker: no clock, so that one seed is the same bytes whenever and wherever.

A message is a line, `{"topic": …, "payload": …}`, with `"encoding": "base64"` where the payload is no UTF-8: as
`mitoyen decode` takes it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TextIO

from broker.times import MINUTE, SECOND, parse
from broker.times import text as time_text
from simulators.bike_share import BikeShare
from simulators.city import City
from simulators.encoders.encoder import compact
from simulators.feed import Clock, Message
from simulators.feeds import Tell, feeds
from simulators.gates import Gates
from simulators.llrp_reader import report
from simulators.servers import Passing, population

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    tell = None if truth is None else told(truth)
    playing = feeds(simulation, clock, tell)
    asked = _Asked(simulation, tell)
    ticks = max(round(seconds * SECOND / _TICK_NS), 1)
    written = 0
    for tick in range(ticks + 1):
        now_ns = start_ns + int(tick * _TICK_NS * simulation.speed)
        for _, feed in playing.values():
            while feed.behind(now_ns, now_ns):
                for message in feed.due(now_ns, now_ns):
                    out.write(line(message))
                    written += message.records
        for message in asked.due(now_ns):
            out.write(line(message))
            written += message.records
        if on_progress:
            on_progress(tick / ticks, written)
    return {"written": written, "from": time_text(start_ns - simulation.backfill), "to": time_text(now_ns)}


class _Asked:
    """What readers and the bike share would have answered whoever had asked them all the time."""

    def __init__(self, simulation: Simulation, tell: Tell | None) -> None:
        self._gates = Gates(population(simulation.seed, simulation.people)) if simulation.readers else None
        self._readers = [
            (reader, Passing(self._gates, reader.read_point, tell)) for reader in simulation.readers if self._gates
        ]
        self._share = BikeShare(City(simulation.seed, simulation.sensors)) if simulation.bikes else None
        self._position_ns: int | None = None
        self._reports = 0

    def due(self, now_ns: int) -> Iterator[Message]:
        """LLRP's reports on `llrp/{port}`, the status of the stations on `gbfs/3.0/station_status.json` once a minute."""
        begin_ns = now_ns if self._position_ns is None else self._position_ns
        for reader, passing in self._readers:
            for seen in passing(begin_ns, now_ns):
                self._reports += 1
                yield Message(f"llrp/{reader.port}", report(seen).to_bytes(message_id=self._reports), 1)
        if self._share and (self._position_ns is None or begin_ns // MINUTE < now_ns // MINUTE):
            document = self._share.document("3.0", "station_status", now_ns)
            yield Message("gbfs/3.0/station_status.json", compact(document).encode(), len(self._share.stations))
        self._position_ns = now_ns


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
