"""What requests ask the registry for again and again, remembered until it changes: to read an offer of 100 datastreams takes
ten times as long as the rest of a request for a page of one.

The registry's revision is read first, each time, so that no answer is older than its question: what was revoked, by whatever process,
is revoked at the next request. Whatever changes a value that is remembered here lets the revision grow (`broker/registry/database.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from broker.model import Agreement, Caller, Offer, Release
from broker.registry.registry import Registry
from broker.registry.snapshot import Snapshot

K = TypeVar("K")
V = TypeVar("V")

MOST = 10_000
"""Callers, and pairs of application and offer, that are remembered: 10 MB each. Then all are asked for anew."""


@dataclass(slots=True)
class _Memory:
    """Read at this revision or, while it grew, after it; never written to under another."""

    revision: int
    snapshot: Snapshot | None = None
    offers: dict[str, Offer] = field(default_factory=dict)
    releases: dict[str, tuple[Release, Offer]] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    agreements: dict[tuple[str, str], list[Agreement]] = field(default_factory=dict)


class Remembered:
    """Safe to use from several threads. All raise Unavailable."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._memory = _Memory(-1)

    def snapshot(self) -> Snapshot:
        memory = self._now()
        if memory.snapshot is None:
            memory.snapshot = self._registry.snapshot()
        return memory.snapshot

    def offer(self, offer: str) -> Offer:
        """Raises NotFound."""
        memory = self._now()
        if offer not in memory.offers:
            _keep(memory, self._registry.offer(offer))
        return memory.offers[offer]

    def release(self, release: str) -> tuple[Release, Offer]:
        """Raises NotFound."""
        memory = self._now()
        if release not in memory.releases:
            _keep(memory, self._registry.release(release)[1])
        return memory.releases[release]

    def agreements_between(self, application: str, offer: str) -> list[Agreement]:
        """In whatever state, the oldest first."""
        between, memory = (application, offer), self._now()
        found = memory.agreements.get(between)
        if found is None:
            found = self._registry.agreements_between(*between)
            _bounded(memory.agreements)[between] = found
        return found

    def caller_of(self, key_hash: str) -> Caller | None:
        """Whose key this is, or None if it is nobody's."""
        memory = self._now()
        found = memory.callers.get(key_hash)
        if found is None:
            found = self._registry.caller_of(key_hash)
            if found is not None:  # what is nobody's has no end
                _bounded(memory.callers)[key_hash] = found
        return found

    def _now(self) -> _Memory:
        revision, memory = self._registry.revision(), self._memory
        if memory.revision != revision:
            memory = self._memory = _Memory(revision)
        return memory


def _keep(memory: _Memory, offer: Offer) -> None:
    memory.releases.update((one.id, (one, offer)) for one in offer.releases)
    memory.offers[offer.id] = offer


def _bounded(of: dict[K, V]) -> dict[K, V]:
    if len(of) >= MOST:
        of.clear()
    return of
