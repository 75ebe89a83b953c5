"""Checkpoints: signed statements that the ledger had this hash at this entry. Pure.

    signature = Ed25519 (RFC 8032) over the checkpoint without it, written as the ledger writes an entry

A chain of hashes shows a change to whoever kept a hash. A checkpoint shows it to everyone else too: whoever rewrites or
cuts the chain needs the key, and whoever has the key and two chains has signed that they differ.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.registry.ledger import EntryFields, canonical


class Checkpoint(NamedTuple):
    """The ledger at one moment."""

    seq: int
    """Of the last entry."""
    time: str
    hash: str
    """Of that entry, and so of all before it."""
    key: str
    """Who signs: the public key, base64 of its 32 bytes."""
    signature: str = ""
    """Base64 of 64 bytes."""

    def fields(self) -> dict[str, object]:
        """As it is written."""
        return {"checkpoint": self.seq, **{name: value for name, value in self._asdict().items() if name != "seq"}}

    def signed(self, key: Ed25519PrivateKey) -> Checkpoint:
        return self._replace(signature=base64.b64encode(key.sign(self._statement())).decode())

    def holds(self) -> bool:
        """Whether it was signed with its key."""
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key, validate=True))
            public.verify(base64.b64decode(self.signature, validate=True), self._statement())
        except (ValueError, binascii.Error, InvalidSignature):
            return False
        return True

    def _statement(self) -> bytes:
        return canonical({name: value for name, value in self.fields().items() if name != "signature"})


def read(fields: EntryFields) -> Checkpoint | None:
    """A checkpoint as it was written; None if it is none."""
    seq, *texts = (fields.get(name) for name in ("checkpoint", "time", "hash", "key", "signature"))
    if len(fields) != 1 + len(texts) or not isinstance(seq, int):
        return None
    written = [text for text in texts if isinstance(text, str)]
    return Checkpoint(seq, *written) if len(written) == len(texts) else None


def public(key: Ed25519PrivateKey) -> str:
    """The key that proves what this one signed, as it is published."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
