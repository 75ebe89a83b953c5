"""Names in place of tags. Pure; the secrets come from `keys.py`.

    name = HMAC-SHA-256(HKDF-SHA-256(secret(offer, epoch), info = offer, epoch), EPC), the first 128 bits

by trip with HMAC-SHA-256(that key, beginning of the trip) in the key's place.

Guarantee: without the epoch's secret a name cannot be told from random, nor joined with another offer's or another
epoch's; once the secret is destroyed nobody can, the operator included. Assumes that the secret stays secret while its
epoch lasts. It does not stop linking by trajectory: who is seen every day at two places is found again by the places.
HKDF: RFC 5869; HMAC: RFC 2104.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.points import Point

NAME_BYTES = 16
"""128 bits: among 10^9 tags two share a name with a chance below 10^-20."""


def epoch_of(time: int, rotate: int) -> int:
    """The number of the epoch that `time` falls in (ns)."""
    return time // rotate


def epoch_closes(epoch: int, rotate: int, lateness: int) -> int:
    """When (ns) reads of this epoch are no longer named, so that its secret can be destroyed."""
    return (epoch + 1) * rotate + lateness


def derive(secret: bytes, offer: str, epoch: int) -> bytes:
    """The epoch's key, 32 bytes, from its secret of 32 random bytes."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"mitoyen pseudonym {offer} {epoch}".encode()).derive(secret)


def of_trip(key: bytes, begin: int) -> bytes:
    """The key of the trips that began at this moment (ns), from their epoch's."""
    return hmac.digest(key, f"mitoyen trip {begin}".encode(), "sha256")


def name(key: bytes, epc: str) -> str:
    """The tag's name under this key: 32 hexadecimal digits."""
    return hmac.digest(key, epc.encode(), "sha256")[:NAME_BYTES].hex()


def pseudonymise(read: Point, key: bytes) -> Point:
    """The same read with a name for its EPC, in value and key alike."""
    named = name(key, str(read.value))
    return Point(read.time, named, read.key.replace(str(read.value), named, 1), read.extra)
