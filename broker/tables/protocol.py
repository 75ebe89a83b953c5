"""What is asked of tables, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

Rows: TypeAlias = list[tuple[Any, ...]]
Read: TypeAlias = Callable[[str, Sequence[object]], Rows]
"""The rows of a statement with these values."""


class Tables(Protocol):
    """The writer's side: one process, which may ask from several threads."""

    def make(self, schema: str) -> None:
        """Make what is not there, by statements with semicolons between them. Raises Unavailable."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> Rows:
        """What it answers, on disk if it changed something. Raises Unavailable, and then nothing was changed; LeaseLost."""

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """The same once for each row. Raises the same."""

    def changing(self, *, on_disk: bool = True) -> AbstractContextManager[None]:
        """A transaction: what is executed in it holds together or not at all. Without `on_disk` a power cut, and that alone, may undo the
        last of them. Raises the same.
        """

    def check(self) -> None:
        """Raises LeaseLost where another may write by now: to be called right before anything leaves that these tables decide on."""

    def close(self) -> None: ...


class Source(Protocol):
    """Another process's side: reads only."""

    def reading(self) -> AbstractContextManager[Read]:
        """One consistent view; of a file that is not there yet it has no rows. Raises Unavailable."""

    def close(self) -> None: ...
