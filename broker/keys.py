"""Keys and passwords: random ones, and what is kept of them. Nothing here keeps a secret itself."""

from __future__ import annotations

import base64
import hashlib
import secrets

from broker.model import MqttAccount

ITERATIONS = 101  # as Mosquitto's own tool has it; a password of 192 random bits needs no stretching


def new_key(role: str) -> str:
    """A bearer key: 256 random bits behind a name that tells what was found, should one ever be."""
    return f"mitoyen_{role}_{secrets.token_urlsafe(32)}"


def new_password() -> str:
    return secrets.token_urlsafe(24)


def new_id(prefix: str) -> str:
    """An id of the interface's alphabet, unguessable and not to collide: 80 random bits."""
    return f"{prefix}-{secrets.token_hex(10)}"


def new_salt() -> str:
    """For a text of the public record: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def key_hash(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def account(username: str, password: str, name: str = "", created: int = 0) -> MqttAccount:
    """What is stored of an MQTT client, in the form of Mosquitto's dynamic security plugin."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, 64)
    hashed, salted = base64.b64encode(digest).decode(), base64.b64encode(salt).decode()
    return MqttAccount(username, hashed, salted, ITERATIONS, name, created)
