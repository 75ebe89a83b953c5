"""Tags as the registry of consents knows them: by a keyed hash, and by codes that their issuer gives out. Pure.

    hash = HMAC-SHA-256(key, EPC), the first 128 bits

Without the key nobody can try all EPCs of a company, which a plain hash would let them do in minutes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import lru_cache

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of codes: no 0, O, 1 and I, which people confuse on paper."""
CODE_LENGTH = 12
"""60 bits; with the few attempts that there are, a guess has a chance below 10^-17."""


def hasher(key: bytes) -> Callable[[str], str]:
    """What makes a tag's hash, 32 hexadecimal digits."""

    @lru_cache(65_536)  # a reader sees the same tags again and again
    def hash_of(epc: str) -> str:
        return hmac.digest(key, epc.encode(), "sha256")[:16].hex()

    return hash_of


def code_hash(key: bytes, tag: str, code: str) -> str:
    """What is kept of a code, for the tag with this hash; spelt as people write it."""
    plain = code.upper().replace("-", "").replace(" ", "")
    return hmac.digest(key, f"{tag} {plain}".encode(), "sha256").hex()


def spelt(code: str) -> str:
    """A code in groups of four."""
    return "-".join(code[n : n + 4] for n in range(0, len(code), 4))
