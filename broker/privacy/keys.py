"""The secrets of pseudonyms: one of 32 random bytes an offer and epoch, in one file of mode 0600, destroyed on schedule.

Random for every epoch rather than derived from a master key, because only then destroying one destroys something. The
file is replaced as a whole under a lock, since the live path and the history path of the broker are two processes and
must call a tag by one name. It is sealed under a key kept apart, which changes with every destruction, so that what backups hold is destroyed as
well (`seal.py`). If no key opens the file, nothing is named. What the disk itself keeps of replaced files is the disk's: use an encrypted one.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypedDict

from broker.privacy import pseudonymise
from broker.privacy.seal import Sealed
from broker.private import write_private


def load_key(path: Path) -> bytes:
    """The key of 32 bytes in a file of its own, made the first time; several processes may ask at once."""
    with locked(path):
        if not path.exists():
            write_private(path, secrets.token_bytes(32).hex().encode())
        return bytes.fromhex(path.read_text())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with a file, among all processes."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


Agreed: TypeAlias = Callable[[str, int, bytes], bool]
"""Whether this is the key of an offer and epoch by which all name."""


class _OfOffer(TypedDict):
    closed: int
    secrets: dict[str, str]


class PseudonymKeys:
    """Keys by offer and epoch, made when first asked for and never again after they were destroyed."""

    def __init__(self, path: Path, wrapping: Path, agreed: Agreed = lambda *_: True) -> None:
        """`agreed` is asked of each key before it names anything, where others may have files of their own."""
        self._path = path
        self._sealed = Sealed(path, wrapping)
        self._agreed = agreed
        self._derived: dict[tuple[str, int], bytes] = {}

    def key(self, offer: str, epoch: int) -> bytes | None:
        """The key of this epoch (32 bytes), or None if it was destroyed, nothing opens the file, or others name by another."""
        derived = self._derived.get((offer, epoch))
        if derived is None:
            secret = self._secret(offer, epoch)
            if secret is None:
                return None
            derived = pseudonymise.derive(secret, offer, epoch)
            if not self._agreed(offer, epoch, derived):
                return None
            self._derived[offer, epoch] = derived
        return derived

    def destroy(self, offer: str, before: int) -> int:
        """Destroy every secret of epochs below `before`; returns how many there were."""
        self.forget(offer, before)
        with locked(self._path):
            kept = self._load()
            if kept is None:
                return 0
            of_offer = kept.setdefault(offer, {"closed": before, "secrets": {}})
            doomed = [epoch for epoch in of_offer["secrets"] if int(epoch) < before]
            if not doomed and of_offer["closed"] >= before:
                return 0
            for epoch in doomed:
                del of_offer["secrets"][epoch]
            of_offer["closed"] = max(of_offer["closed"], before)
            self._save(kept, destroying=bool(doomed))
            return len(doomed)

    def forget(self, offer: str, before: int) -> None:
        """Drop from memory the keys of epochs below `before`."""
        for known in [k for k in self._derived if k[0] == offer and k[1] < before]:
            del self._derived[known]

    def _secret(self, offer: str, epoch: int) -> bytes | None:
        with locked(self._path):
            kept = self._load()
            if kept is None:
                return None
            of_offer = kept.setdefault(offer, {"closed": 0, "secrets": {}})
            if str(epoch) not in of_offer["secrets"]:
                if epoch < of_offer["closed"]:
                    return None
                of_offer["secrets"][str(epoch)] = secrets.token_hex(32)
                self._save(kept)
            return bytes.fromhex(of_offer["secrets"][str(epoch)])

    def _load(self) -> dict[str, _OfOffer] | None:
        """All that is kept; None if nothing opens it."""
        text = self._sealed.read()
        return None if text is None else json.loads(text or "{}")

    def _save(self, kept: dict[str, _OfOffer], *, destroying: bool = False) -> None:
        self._sealed.write(json.dumps(kept), lose_what_was=destroying)
