"""What the registry says, as the keeper last read it: one view for all that it does until it looks again."""

from __future__ import annotations

from collections.abc import Callable, Collection

from broker.consent import NONE
from broker.keeper.plan import Feed, Plan, compile_plan
from broker.registry.reader import RegistryReader
from broker.registry.snapshot import Snapshot


class Known:
    """Read by all, changed by `follow` alone."""

    def __init__(self, registry: RegistryReader, hash_of: Callable[[str], str], partition: int) -> None:
        self._registry = registry
        self._partition = partition
        self._hash_of = hash_of
        self.snapshot = Snapshot(-1)
        self.consents = NONE
        self.plan = Plan({}, {})

    def follow(self) -> Collection[Feed]:
        """Read anew what changed; the feeds that it may be of. Raises Unavailable."""
        if self._registry.revision() == self.snapshot.revision:
            return ()
        before, self.snapshot = self.snapshot, self._registry.snapshot().part(self._partition)
        if (added := self.snapshot.added_to(before)) is not None:
            self.consents = self.snapshot.consented(self._hash_of) if added.offers else self.consents
            return self.plan.grow(added)
        self.consents = self.snapshot.consented(self._hash_of)
        self.plan = compile_plan(self.snapshot)
        return self.plan.by_stream.values()
