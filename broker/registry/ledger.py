"""The arithmetic of the public record: each entry carries the hash of the one before. Pure.

    hash(entry) = SHA-256 of the entry without its own hash, as JSON with sorted names, no spaces, UTF-8

Whoever keeps one hash can prove later that nothing up to that entry was changed, left out or put in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

EntryFields: TypeAlias = Mapping[str, object]
BEGINNING = "0" * 64
"""What the first entry has for the hash of the one before."""


class Broken(NamedTuple):
    """The first entry that does not hold."""

    seq: int
    why: str


def digest(entry: EntryFields) -> str:
    """The hash of an entry, 64 hexadecimal digits."""
    hashed = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(seq: int, time: str, event: str, facts: EntryFields, previous: str) -> dict[str, object]:
    """A whole entry: seq counts from 1, `facts` are the event's own fields."""
    entry: dict[str, object] = {"seq": seq, "time": time, "event": event, **facts, "previous": previous}
    return {**entry, "hash": digest(entry)}


def verify(entries: Iterable[EntryFields]) -> Broken | int:
    """How many entries hold, from the first on; or the first that does not."""
    previous, count = BEGINNING, 0
    for entry in entries:
        count += 1
        if entry.get("seq") != count:
            return Broken(count, f"entry {count} is missing: here stands {entry.get('seq')}")
        if entry.get("previous") != previous:
            return Broken(count, "it does not carry the hash of the entry before")
        if digest(entry) != entry.get("hash"):
            return Broken(count, "its content does not have its hash")
        previous = str(entry["hash"])
    return count
