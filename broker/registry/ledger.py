"""The arithmetic of the public record: a chain of hashes with what people wrote beside it. Pure.

    hash(entry)  = SHA-256 of the entry without `hash`, `salts` and its texts, as JSON with sorted names, no spaces, UTF-8
    digest(text) = HMAC-SHA-256 of the text under a salt of its own, 16 random bytes

Ids, purposes, codes and times are in the chain itself. Names, reasons and whatever else is free text stand beside it: the chain
has their digests (`digests`, by the field's name), the entry shows them with their `salts` for as long as they are kept.
So a text is erased with its salt and the chain still holds, and nobody can find out by guessing what the digest was of.

Whoever keeps one hash can prove later that nothing up to that entry was changed, left out or put in between.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

EntryFields: TypeAlias = Mapping[str, object]
BEGINNING = "0" * 64
"""What the first entry has for the hash of the one before."""
KEY_ANNOUNCED = "ledger_key_announced"
"""From here on `key` signs checkpoints."""
TEXT_ERASED = "text_erased"
"""The text `field` of the entry number `entry` was erased."""
FRAME = frozenset({"seq", "time", "event", "previous", "hash", "digests", "salts"})
"""What every entry is made of, whatever it tells."""
IN_CHAIN = frozenset(
    {"access", "agreement", "amount", "application", "approval", "by", "charge", "currency", "datastream", "dispute", "field", "finding"}
    | {"gateway", "key", "licence", "notice", "offer", "organisation", "outcome", "purpose", "request", "role", "state", "whose"}
    | {"against", "of", "over", "signup"}
)  # fmt: skip
"""The strings that are ids, purposes and codes. Any other is taken for free text, so that in doubt it can be erased."""


class Text(NamedTuple):
    """What somebody wrote, and what hides it in the chain."""

    salt: str
    """32 hexadecimal digits."""
    text: str

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        return hmac.new(bytes.fromhex(self.salt), _encoded(self.text), "sha256").hexdigest()


def is_text(name: str, value: object) -> bool:
    """Whether a fact stands beside the chain."""
    return isinstance(value, str) and name not in IN_CHAIN


def canonical(fields: EntryFields) -> bytes:
    """What is hashed and signed."""
    return _encoded(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def digest(entry: EntryFields) -> str:
    """The hash of an entry, 64 hexadecimal digits."""
    digests = entry.get("digests")
    beside = {"hash", "salts", *(digests if isinstance(digests, dict) else ())}
    hashed = {name: value for name, value in entry.items() if name not in beside}
    return hashlib.sha256(canonical(hashed)).hexdigest()


def sealed(
    seq: int, time: str, event: str, facts: EntryFields, previous: str, texts: Mapping[str, Text] | None = None
) -> dict[str, object]:
    """A whole entry: seq counts from 1, `facts` are the event's own fields, `texts` those beside the chain."""
    entry: dict[str, object] = {"seq": seq, "time": time, "event": event, **facts}
    if texts:
        entry["digests"] = {name: text.digest for name, text in texts.items()}
    entry["previous"] = previous
    return {**shown(entry, texts or {}), "hash": digest(entry)}


def shown(entry: EntryFields, texts: Mapping[str, Text]) -> dict[str, object]:
    """An entry with those of its texts that are still kept."""
    if not texts:
        return dict(entry)
    salts = {name: text.salt for name, text in texts.items()}
    return {**entry, **{name: text.text for name, text in texts.items()}, "salts": salts}


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # half a surrogate pair in a forged file is an entry that does not hold
