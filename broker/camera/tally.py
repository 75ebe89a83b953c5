"""What the owner of a camera is told: how many frames were taken, and which were not and why. Pure.

Of a frame that is refused only its size and hash are told, since what is wrong with it does not make it less personal. A camera sends many frames a second
and a broken one breaks all of them, so a reason is told at once the first time, and then once a minute with how often it held.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from broker import times
from broker.camera.waiting import Frame
from broker.entry import Entry, Refusal
from broker.points import Point

PAUSE = times.MINUTE


@dataclass(slots=True)
class _Repeated:
    """A reason at one camera."""

    frame: Frame
    detail: str
    told: int
    count: int = 0


@dataclass(slots=True)
class Tally:
    """What happened since it was told."""

    _taken: dict[str, list[Point]] = field(default_factory=dict)
    _refused: dict[tuple[str, str], _Repeated] = field(default_factory=dict)

    def took(self, frame: Frame) -> None:
        """A frame came that is worth looking at: noted with its time and size."""
        self._taken.setdefault(frame.topic, []).append(Point(frame.arrived, len(frame.data)))

    def refused(self, frame: Frame, reason: str, detail: str) -> None:
        known = self._refused.setdefault((frame.topic, reason), _Repeated(frame, detail, frame.arrived - PAUSE))
        known.frame, known.detail = frame, detail
        known.count += 1

    def entries(self, now: int) -> list[Entry]:
        """What is to be told now, as the journal keeps it."""
        told = [Entry(topic, points[-1].time, points) for topic, points in self._taken.items()]
        self._taken.clear()
        for (topic, reason), known in list(self._refused.items()):
            if now - known.told < PAUSE:
                continue
            if not known.count:
                del self._refused[topic, reason]
                continue
            told.append(_entry(topic, reason, known))
            known.told, known.count = now, 0
        return told


def _entry(topic: str, reason: str, known: _Repeated) -> Entry:
    times_ = f" ({known.count} times since it was last told)" if known.count > 1 else ""
    refusal = Refusal(0, f"{reason}: {known.detail}{times_}")
    return Entry(topic, known.frame.arrived, [], [refusal], fingerprint(known.frame.data))


def fingerprint(data: bytes) -> bytes:
    """All that is kept of a refused frame, as JSON."""
    return msgspec.json.encode({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
