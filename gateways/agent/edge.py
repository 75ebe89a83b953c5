"""Privacy at the edge: under what names a source's tags leave the owner's building. The operator is that of an offer's profile, with its guarantee.

pseudonymise: no EPC leaves. The broker gets `urn:epc:raw:128.x…`, a name that changes with every epoch and is another at every source
(`broker/privacy/pseudonymise.py`); the keys never leave this machine. Consent and declared assets are by EPC, so tags that were named here can only be
counted in what is offered. A window across the change of names counts a tag twice: choose a rotation that is a multiple of the offers' windows.

What else is to be done before anything leaves has its place here: a picture passes `Taking.frame`, an item `Edge.passed`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from broker import times
from broker.privacy import pseudonymise
from broker.privacy.keys import PseudonymKeys
from broker.privacy.profile import Pseudonymise
from broker.reading import TagRead
from gateways.agent.understanding import Item

LATE = times.HOUR
"""ns that a read may be late: then its epoch's key is destroyed, and it is withheld."""


class Edge:
    """One source's. `keys` may be shared with others."""

    def __init__(self, source: str, operator: Pseudonymise, keys: PseudonymKeys) -> None:
        self._source, self._operator, self._keys = source, operator, keys
        self._closed = 0
        """Epochs below have no keys any more."""

    def passed(self, items: Sequence[Item], now: int) -> list[Item]:
        """What goes on, in order; `now` in ns. A read whose name can't be told any more does not."""
        closed = pseudonymise.epoch_of(now - LATE, self._operator.rotate_ns)
        if closed > self._closed:
            self._keys.destroy(self._source, closed)
            self._closed = closed
        passed = [self._named(item) if isinstance(item, TagRead) else item for item in items]
        return [item for item in passed if item is not None]

    def _named(self, read: TagRead) -> TagRead | None:
        assert read.time is not None
        key = self._keys.key(self._source, pseudonymise.epoch_of(read.time, self._operator.rotate_ns))
        if key is None:
            return None
        return msgspec.structs.replace(read, epc=f"urn:epc:raw:128.x{pseudonymise.name(key, read.epc).upper()}")
