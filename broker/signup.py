"""Joining in, as plain values: what somebody says of an organisation that is to share or to use here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from broker.model import Organisation

Mode: TypeAlias = Literal["automatic", "criteria", "closed"]
State: TypeAlias = Literal["requested", "granted", "refused", "expired"]


@dataclass(frozen=True, slots=True)
class SignUp:
    id: str
    organisation: Organisation
    """As it is to be; forgotten once it is refused or expired, but for its id."""
    key_hash: str
    """Of the key that it was given: it opens nothing before it is granted."""
    created: int
    """ns since 1970."""
    statement: str | None = None
    """How it meets the criteria."""
    state: State = "requested"
    criterion: str | None = None
    """The published one that failed."""
    reason: str | None = None
