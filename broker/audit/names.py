"""Names, taken apart: trying all tags of a maker, and joining what two applications were given. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable

import numpy as np

from broker.audit.columns import Visits, keys
from broker.audit.linking import Linked
from broker.privacy import pseudonymise

_PLAIN: tuple[Callable[[str], str], ...] = (
    lambda epc: hashlib.sha256(epc.encode()).hexdigest(),
    lambda epc: hashlib.sha256(epc.encode()).hexdigest()[:32],
    lambda epc: hashlib.blake2b(epc.encode(), digest_size=16).hexdigest(),
    lambda epc: hashlib.sha1(epc.encode(), usedforsecurity=False).hexdigest(),
    lambda epc: hashlib.md5(epc.encode(), usedforsecurity=False).hexdigest(),
)


def unkeyed(epc: str) -> str:
    """A name as careless products make it, which the dictionary is to reverse."""
    return _PLAIN[1](epc)


def dictionary(names: Iterable[str], candidates: Iterable[str], offer: str, epochs: Iterable[int]) -> dict[str, str]:
    """The names that are some candidate's: unkeyed hashes, and ours under keys that anyone can think of. Name -> EPC."""
    wanted = set(names)
    obvious = [b"", bytes(32), offer.encode()]
    epochs = list(epochs)
    thought_of = [*obvious, *(pseudonymise.derive(bytes(32), offer, epoch) for epoch in epochs)]
    found: dict[str, str] = {}
    for epc in candidates:
        tried = [hashed(epc) for hashed in _PLAIN]
        tried += [hmac.digest(key, epc.encode(), "sha256")[: pseudonymise.NAME_BYTES].hex() for key in thought_of]
        found.update({name: epc for name in tried if name in wanted})
    return found


def joined(one: Visits, other: Visits, grain: int) -> Linked:
    """Pairs names of two releases of the same people by being at the same places at the same times."""
    here, there = (np.column_stack((keys(v.time, v.place, grain), v.trace)) for v in (one, other))
    order = np.argsort(there[:, 0], kind="stable")
    there = there[order]
    owner = dict(zip(other.trace.tolist(), other.whose.tolist(), strict=True))
    votes: dict[int, dict[int, int]] = {}
    begin = np.searchsorted(there[:, 0], here[:, 0])
    end = np.searchsorted(there[:, 0], here[:, 0], side="right")
    for trace, first, last in zip(here[:, 1].tolist(), begin.tolist(), end.tolist(), strict=True):
        mine = votes.setdefault(trace, {})
        for theirs in there[first:last, 1].tolist():
            mine[theirs] = mine.get(theirs, 0) + 1
    whose = dict(zip(one.trace.tolist(), one.whose.tolist(), strict=True))
    hits = sum(owner[max(mine, key=mine.__getitem__)] == whose[trace] for trace, mine in votes.items() if mine)
    return Linked(hits / max(len(votes), 1), 1 / max(len(owner), 1), len(votes))
