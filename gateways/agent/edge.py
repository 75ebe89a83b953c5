"""Privacy at the edge: under what names a source's tags leave the owner's building. The operator is that of an offer's profile, with its guarantee.

pseudonymise: no EPC leaves. The broker gets `urn:epc:raw:128.x…`, a name that changes with every epoch and is another at every source
(`broker/privacy/pseudonymise.py`); the keys never leave this machine. Consent and declared assets are by EPC, so tags that were named here can only be
counted in what is offered. A window across the change of names counts a tag twice: choose a rotation that is a multiple of the offers' windows.

What else is done before anything leaves: `windows.py` sums records up, `covering.py` covers pictures.
"""

from __future__ import annotations

from collections import Counter
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
        self._withheld = 0

    def passed(self, items: Sequence[Item], now: int) -> list[Item]:
        """What goes on, in order. A read whose name can't be told any more does not."""
        closed = pseudonymise.epoch_of(now - LATE, self._operator.rotate_ns)
        if closed > self._closed:
            self._keys.destroy(self._source, closed)
            self._closed = closed
        named = [self._named(item) if isinstance(item, TagRead) else item for item in items]
        passed = [item for item in named if item is not None]
        self._withheld += len(items) - len(passed)
        return passed

    def due(self, now: int, *, ended: bool) -> list[Item]:  # noqa: ARG002 - nothing waits here
        return []

    def places(self) -> dict[str, str]:
        return {}

    def counts(self) -> Counter[str]:
        withheld, self._withheld = self._withheld, 0
        return Counter(withheld=withheld)

    def _named(self, read: TagRead) -> TagRead | None:
        assert read.time is not None
        key = self._keys.key(self._source, pseudonymise.epoch_of(read.time, self._operator.rotate_ns))
        if key is None:
            return None
        return msgspec.structs.replace(read, epc=f"urn:epc:raw:128.x{pseudonymise.name(key, read.epc).upper()}")
