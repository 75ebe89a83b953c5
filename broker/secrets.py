"""The passwords and client ids of Mitoyen's own MQTT clients: random, in one file of mode 0600, kept from start to start.

Kept, because a session belongs to its client id, and what came in while the broker was down waits in that session.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from broker import keys
from broker.authorisation import OWN_ROLES
from broker.model import MqttAccount
from broker.private import write_private


class Login(msgspec.Struct, frozen=True):
    """One of Mitoyen's own MQTT clients."""

    username: str
    password: str
    client_id: str

    def account(self) -> MqttAccount:
        return keys.account(self.username, self.password)


def load(path: Path) -> dict[str, Login]:
    """The logins by user name; made and written the first time, and so is one that a newer version needs besides."""
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, Login]) if path.exists() else {}
    missing = OWN_ROLES.keys() - kept.keys()
    if missing:
        kept |= {name: Login(name, keys.new_password(), secrets.token_hex(16)) for name in missing}
        write_private(path, msgspec.json.encode(kept))
    return kept


def webhook_key(path: Path) -> bytes:
    """What applications' webhook secrets are derived from; made and written the first time."""
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()
