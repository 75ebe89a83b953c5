"""Which partition an organisation belongs to, and which worker serves it. Pure.

An offer belongs to one organisation and an organisation to one partition, so that every window, pseudonym, budget and quota lies in one
partition and nothing has to be put together. The number of partitions is fixed when a home is made; who serves them is not.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field


def spread(organisation: str, among: int) -> int:
    """One of so many, the same in every release and on every machine; where there is one more, an organisation stays or goes to that one.

    The jump consistent hash of Lamping and Veach (https://arxiv.org/abs/1406.2294), of the CRC-32 (IEEE 802.3) of its id.
    """
    key, at, jump = zlib.crc32(organisation.encode()), 0, 0
    while jump < among:
        at = jump
        key = (key * 2862933555777941757 + 1) % 2**64
        jump = int((at + 1) * 2**31 / ((key >> 33) + 1))
    return at


@dataclass(frozen=True, slots=True)
class Partitions:
    """All there are, numbered from 0."""

    count: int = 1
    placed: Mapping[str, int] = field(default_factory=dict)
    """Organisations that were placed by hand."""
    moved: Mapping[int, int] = field(default_factory=dict)
    """Partitions that were given to a worker by hand."""

    def of(self, organisation: str) -> int:
        """Its partition."""
        placed = self.placed.get(organisation)
        return spread(organisation, self.count) if placed is None else placed

    def served_by(self, worker: int, workers: int) -> frozenset[int]:
        """The partitions of one of so many workers."""
        return frozenset(one for one in range(self.count) if self.moved.get(one, one) % workers == worker)
