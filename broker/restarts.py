"""How often each part was started again and why, which `mitoyen up` tells in one small file: it serves nothing that could be asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

Why: TypeAlias = Literal["died", "hung"]


def write(path: Path, counts: Counter[tuple[str, Why]]) -> None:
    """Raises OSError."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode([(part, why, count) for (part, why), count in counts.items()]))
    new.replace(path)


def read(path: Path) -> list[tuple[str, Why, int]]:
    """Part, why and how often, since `mitoyen up` began; nothing if it has told nothing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[tuple[str, Why, int]])
    except (OSError, msgspec.DecodeError):
        return []
