"""Frames that wait to be looked at: one for each order, the newest, and the orders in the sequence in which they began to wait. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from broker.camera.plan import Order


@dataclass(frozen=True, slots=True)
class Frame:
    """As it came."""

    topic: str
    arrived: int
    """ns since 1970."""
    data: bytes


@dataclass(slots=True)
class Waiting:
    """Bounded by the number of cameras: a newer frame takes an older one's place."""

    _frames: OrderedDict[object, tuple[Order, Frame]] = field(default_factory=OrderedDict)

    def put(self, order: Order, frame: Frame) -> Frame | None:
        """Let a frame wait; returns the one whose place it takes."""
        before = self._frames.get(order.name)
        self._frames[order.name] = (order, frame)
        return before[1] if before else None

    def take(self) -> tuple[Order, Frame] | None:
        """Whose turn it is."""
        return self._frames.popitem(last=False)[1] if self._frames else None

    def empty(self) -> list[tuple[Order, Frame]]:
        """All, and none is left."""
        all_ = list(self._frames.values())
        self._frames.clear()
        return all_
