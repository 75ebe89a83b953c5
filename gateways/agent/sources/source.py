"""What a source is to the agent, and the agent to a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from broker.reading import About, Answer, TagRead


class Heard(NamedTuple):
    """A message of a device, as it came."""

    topic: str
    """As the format expects it."""
    payload: bytes
    arrived: int
    """ns since 1970."""
    retained: bool = False
    """Whether it was said before we listened, so that its arrival is not its time."""


class Taker(Protocol):
    """Takes what a source hears. Every call returns when it is on disk, and a source that waits for it reads no further."""

    async def messages(
        self, heard: Sequence[Heard], places: Mapping[str, str] | None = None, *, missed: int = 0
    ) -> Sequence[Answer]:
        """Messages in a format; returns what the device is to be told.

        `places`: how far a source was read, by names of its own; kept in the same moment, and given back at the next start.
        `missed`: messages that could not be held.
        """
        ...

    async def reads(self, tags: Sequence[TagRead], about: Sequence[About] = ()) -> None:
        """Reads of a reader that the source itself drives."""
        ...

    async def frame(self, jpeg: bytes) -> None:
        """A camera's picture. It is sent at once or not at all: an old picture is of no use, and is kept nowhere."""
        ...


class Source(Protocol):
    """One way in."""

    async def run(self, taker: Taker, places: Mapping[str, str]) -> None:
        """Hand over what comes, until cancelled or until nothing more can come. `places`: as they were kept last."""
        ...
