"""Checking the public record without the broker: the chain, the texts beside it, the signatures, and an older copy. Pure.

A checkpoint counts if its key is trusted: the one that the auditor was given, else the first that the ledger announces; and
then each that is announced in what a trusted key has signed, which is how a key hands over to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from broker.registry import checkpoint
from broker.registry.checkpoint import Checkpoint
from broker.registry.ledger import BEGINNING, FRAME, KEY_ANNOUNCED, TEXT_ERASED, EntryFields, Text, digest


class Broken(NamedTuple):
    """The first entry that does not hold."""

    seq: int
    why: str


class Holds(NamedTuple):
    """What was found good."""

    entries: int
    signed: int = 0
    """The last entry that a trusted checkpoint covers; 0: none."""
    erased: int = 0
    """Texts that are on the record as erased."""
    key: str | None = None
    """Who signed last."""


def verify(
    lines: Iterable[EntryFields],
    *,
    key: str | None = None,
    older: Iterable[EntryFields] = (),
    whole: bool = False,
) -> Holds | Broken:
    """Check entries, each with its checkpoints right behind it, from the first on.

    `older` is another copy, whose entries must all be here as they were; `whole` says that nothing may come after the last
    checkpoint, as in an export.
    """
    audit = _Audit(key, older)
    for line in lines:
        broken = audit.checkpoint(line) if "checkpoint" in line else audit.entry(line)
        if broken:
            return broken
    return audit.end(whole=whole)


class _Audit:
    """How far it is."""

    def __init__(self, key: str | None, older: Iterable[EntryFields]) -> None:
        self._given = key
        self._trusted = {key} if key else set()
        self._announced: str | None = None
        self._older: Iterator[EntryFields] = (line for line in older if "checkpoint" not in line)
        self._previous = BEGINNING
        self._missing: dict[tuple[object, object], None] = {}
        self._count = self._signed = self._erased = 0
        self._signer: str | None = None

    def entry(self, entry: EntryFields) -> Broken | None:
        self._count += 1
        why = self._chained(entry) or self._texts(entry)
        if why is None and (kept := next(self._older, None)) is not None and kept.get("hash") != entry["hash"]:
            why = "the older copy has another in its place"
        if why is not None:
            return Broken(self._count, why)
        self._previous = str(entry["hash"])
        if entry.get("event") == TEXT_ERASED:
            self._missing.pop((entry.get("entry"), entry.get("field")), None)
            self._erased += 1
        if entry.get("event") == KEY_ANNOUNCED:
            self._announced = str(entry.get("key"))
            self._trusted = self._trusted or {self._announced}
        return None

    def checkpoint(self, line: EntryFields) -> Broken | None:
        found = checkpoint.read(line)
        if found is None:
            return Broken(self._count, "what follows it is neither an entry nor a checkpoint")
        if found.seq > self._count:
            return Broken(self._count + 1, f"it is missing: a checkpoint was signed at entry {found.seq}")
        why = self._signed_by_a_trusted_key(found)
        return Broken(found.seq, why) if why else None

    def end(self, *, whole: bool) -> Broken | Holds:
        if next(self._older, None) is not None:
            return Broken(self._count + 1, "it is missing: the older copy has it")
        if self._missing:
            seq, field = next(iter(self._missing))
            return Broken(int(str(seq)), f"its {field} is gone, and no erasure of it is on the record")
        if self._given and not self._signed:
            return Broken(max(self._count, 1), "no checkpoint up to it is signed with the given key")
        if whole and self._signed < self._count:
            return Broken(self._signed + 1, "no checkpoint covers it: the export was cut off or added to")
        return Holds(self._count, self._signed, self._erased, self._signer)

    def _chained(self, entry: EntryFields) -> str | None:
        if entry.get("seq") != self._count:
            return f"it is missing: here stands {entry.get('seq')}"
        if entry.get("previous") != self._previous:
            return "it does not carry the hash of the entry before"
        if digest(entry) != entry.get("hash"):
            return "its content does not have its hash"
        return None

    def _texts(self, entry: EntryFields) -> str | None:
        """Whether each text that is there has its digest; notes those that are not."""
        digests, salts = entry.get("digests", {}), entry.get("salts", {})
        if not isinstance(digests, dict) or not isinstance(salts, dict) or FRAME & digests.keys():
            return "its digests are of something else than texts"
        for name, expected in digests.items():
            if name not in entry:
                self._missing[self._count, name] = None
            elif _text_digest(salts.get(name), entry[name]) != expected:
                return f"its {name} does not have its digest"
        return None

    def _signed_by_a_trusted_key(self, found: Checkpoint) -> str | None:
        if found.seq != self._count or found.hash != self._previous:
            return "its checkpoint is of another entry"
        if not found.holds():
            return "the signature of its checkpoint is not right"
        if found.key in self._trusted:
            self._signed, self._signer = found.seq, found.key
            self._trusted = {found.key, self._announced or found.key}
        elif self._signed or not self._given:
            return f"its checkpoint is signed with {found.key}, which no trusted key announced"
        return None


def _text_digest(salt: object, text: object) -> str | None:
    try:
        return Text(str(salt), str(text)).digest if isinstance(text, str) else None
    except ValueError:  # no hexadecimal digits
        return None
