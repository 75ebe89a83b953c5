"""What the keeper tells the rest of Mitoyen several times a second, and the small file that it is in on one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from broker import times
from broker.keeper.delays import longest

FRESH_S = 5.0  # a keeper that has said nothing for this long is stuck or dead: it speaks at least once a second


class KeeperState(msgspec.Struct, frozen=True):
    """`time`: when it was written, ns since 1970."""

    time: int
    through: int
    """Everything that arrived before this (ns) is stored and released, but for windows that are open."""
    backfilling: tuple[str, ...] = ()
    """Released streams that do not yet hold what was stored before them."""
    followed: int = times.LATEST
    """Offers that were made before this (ns) are known to it."""
    trouble: str = ""
    """Why it does not get on; empty if it does."""
    slowest: tuple[tuple[str, int], ...] = ()
    """Released streams whose last release was longest in coming, and how long (ns); `delays.py`."""


def worst(states: Sequence[KeeperState]) -> KeeperState:
    """What holds of several keepers together; there is at least one."""
    return KeeperState(
        min(one.time for one in states),
        min(one.through for one in states),
        tuple(stream for one in states for stream in one.backfilling),
        min(one.followed for one in states),
        "; ".join(one.trouble for one in states if one.trouble),
        longest(delay for one in states for delay in one.slowest),
    )


def write(path: Path, state: KeeperState) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(state))
    new.replace(path)


def read(path: Path) -> KeeperState | None:
    """The last state, or None if there is none (yet)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeeperState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
