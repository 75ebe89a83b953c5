"""The key that signs the ledger's checkpoints: made at the first start, in a file of mode 0600 in the home, as PEM (PKCS #8).

The broker alone signs. What serves the public knows the public key, from the ledger.
"""

from __future__ import annotations

import time
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import Malformed
from broker.private import write_private
from broker.registry.checkpoint import public
from broker.registry.registry import Registry


def load(path: Path) -> Ed25519PrivateKey:
    """The key in this file. Raises Malformed if it is none."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed(f"{path}: expected an Ed25519 key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed(f"{path}: expected an Ed25519 key, found another kind")
    return key


def begin(registry: Registry, path: Path) -> None:
    """Make a key the first time; have the ledger announce the one that signs. Raises Malformed."""
    if not path.exists():
        _write(path, Ed25519PrivateKey.generate())
    registry.public_record.announce_key(public(load(path)), time.time_ns())


def rotate(registry: Registry, path: Path) -> str:
    """Another key from now on; the old one signs its announcement, and so vouches for it. Returns the new public key.

    The new key is written last: should this end before, the old one is announced again at the next start.
    """
    old, new = load(path), Ed25519PrivateKey.generate()
    registry.public_record.announce_key(public(new), time.time_ns())
    registry.public_record.sign(old, time.time_ns())
    _write(path, new)
    return public(new)


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write_private(path, key.private_bytes(pem, pkcs8, plain))
