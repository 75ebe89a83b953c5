"""A file whose backups can be destroyed: what is written is sealed under a key that is kept apart and replaced whenever something is to be lost.

    file = nonce || AES-256-GCM(wrapping key, content)

To lose something, the file is written without it under a new wrapping key, and the old key is overwritten: every copy of the file that was made
before can't be opened any more, wherever it is, provided that the wrapping key was not copied with it. AES-GCM: NIST SP 800-38D.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.private import write_private

_NONCE_BYTES = 12


class Sealed:
    """The text in the file at `path`, under the key in the file at `wrapping`. Whoever calls is alone with both."""

    def __init__(self, path: Path, wrapping: Path) -> None:
        self._path = path
        self._wrapping = wrapping

    def read(self) -> str | None:
        """The text; empty if there is none yet; None if no key opens it, so that nobody knows what it was."""
        try:
            sealed = self._path.read_bytes()
        except FileNotFoundError:
            return ""
        keys = self._keys()
        for key in reversed(keys):
            try:
                text = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
            except InvalidTag:
                continue
            if key == keys[-1] != keys[0]:
                self._keep([key])  # a crash kept what was to be lost
            return text
        return None

    def write(self, text: str, *, lose_what_was: bool = False) -> None:
        """Replace the text, whole or not at all; with `lose_what_was`, all that was written before can't be opened any more."""
        keys = self._keys()
        key = secrets.token_bytes(32) if lose_what_was or not keys else keys[-1]
        if key not in keys:
            self._keep([*keys, key])  # until the file is there, both: a crash in between loses nothing
        nonce = os.urandom(_NONCE_BYTES)
        write_private(self._path, nonce + AESGCM(key).encrypt(nonce, text.encode(), None))
        if keys != [key]:
            self._keep([key])

    def _keys(self) -> list[bytes]:
        try:
            return [bytes.fromhex(line) for line in self._wrapping.read_text().split()]
        except FileNotFoundError:
            return []

    def _keep(self, keys: list[bytes]) -> None:
        write_private(self._wrapping, "\n".join(key.hex() for key in keys).encode())
