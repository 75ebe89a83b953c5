"""What a journal is, to whoever writes it and to whoever follows it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from broker.entry import Entry
from broker.presence import Presence
from broker.smoothing import Seen, Sight

Sights: TypeAlias = Mapping[tuple[str, Seen], Sight | None]
"""By input topic; None: it is gone."""


class Batch(NamedTuple):
    """What was written in one go."""

    seq: int
    """Counts from 1 without gaps."""
    entries: list[Entry]


class RefusedMessage(NamedTuple):
    """A refusal as it is kept for the owner."""

    time: int
    topic: str
    place: int
    """The record's place in the pack."""
    reason: str
    payload: str
    encoding: str | None


class Untimed(NamedTuple):
    """How a message without times is recognised when it is delivered once more."""

    digest: int
    """CRC-32 of topic and payload."""
    arrived: int
    """When (ns) it came first, which is the time of its records."""
    number: int
    """How many messages had come before it."""


class Beside(NamedTuple):
    """What is kept with a batch, and belongs to whoever takes messages in."""

    places: Mapping[str, int]
    """How far readers are."""
    untimed: Mapping[int, Untimed]
    """Messages without times, by packet id."""
    sights: Sights
    """What changed of the tags that are there."""


NOTHING = Beside({}, {}, {})
OnSafe: TypeAlias = Callable[[list[Batch]], None]


class Journal(Protocol):
    """The writer's side. Its methods belong to the event loop's thread, and none but `read` waits for anything but a local disk."""

    @property
    def last(self) -> int:
        """The number of the newest batch that is safe."""

    def append(self, entries: list[Entry], beside: Beside, on_safe: OnSafe) -> None:
        """Write a batch; `on_safe` is called with it once it outlives a crash, before this returns or later, in the order of the calls.

        A batch may have to be written as several. Raises JournalFull, and ValueError for no entries, and then nothing was written.
        """

    async def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first, some megabytes at most. Raises Unavailable."""

    def place(self, name: str) -> int:
        """The last batch that reader `name` is done with; 0 if none."""

    def keep_places(self, places: Mapping[str, int]) -> None:
        """Write the readers' places now. Raises JournalFull."""

    def trim(self, upto: int) -> None:
        """Forget batches up to this number, soon. Raises JournalFull."""

    def used_bytes(self) -> int:
        """Bytes that it holds."""

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard."""

    def refusals(self, organisation: str, gateway: str, limit: int) -> list[RefusedMessage]:
        """The newest first."""

    def untimed(self) -> dict[int, Untimed]:
        """By packet id, the messages without times that may be delivered once more."""

    def sights(self, came: int) -> dict[str, dict[Seen, Sight]]:
        """The tags that are there, by input topic; their last reads are taken to have come at `came` (ns)."""

    def forget_sights(self, topic: str) -> None:
        """Erase what is remembered of a topic's tags. Raises Unavailable."""


class JournalReader(Protocol):
    """Another process's side: reads only, and waits for it."""

    def read(self, after: int, *, most_bytes: int = 4 << 20) -> list[Batch]:
        """The batches after this number, oldest first; none while there is no journal yet. Raises Unavailable."""

    def presences(self) -> list[Presence]:
        """Of every gateway that was heard. Raises Unavailable."""

    def close(self) -> None: ...
