"""What a source is to the agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Heard(NamedTuple):
    """A message of a device, as it came."""

    topic: str
    payload: bytes
    arrived: int
    """ns since 1970."""


class Keep(Protocol):
    """Understands what was heard and keeps it. Returns when it is on disk."""

    async def __call__(self, heard: Sequence[Heard], places: Mapping[str, str] | None = None) -> None:
        """`places`: how far a source was read, by a name of its own; kept in the same moment, and given back at the next start."""
        ...


class Source(Protocol):
    """One way in."""

    async def run(self, keep: Keep, places: Mapping[str, str]) -> None:
        """Hand over what comes, until cancelled or until nothing more can come. `places`: as they were kept last."""
        ...
