"""Observations' numbers, kept in a real file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from api.sensorthings.numbered import Numbers

if TYPE_CHECKING:
    from pathlib import Path

ODD = [(1, "a tag"), (2, "a tag"), (3, "another")]
"""Places that no number can be made of."""


def kept(path: Path) -> int:
    """As another process sees it."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("select count(*) from numbers").fetchone()[0])


def test_what_is_numbered_together_is_kept_in_one_step_and_is_the_same_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "observations.sqlite"
    with closing(Numbers(path)) as numbers:
        with numbers.together():
            first = numbers.of(7, ODD[:1]) + numbers.of(7, ODD[1:])
            assert kept(path) == 0
        assert kept(path) == len(ODD) == len(set(first))
        assert numbers.of(7, ODD) == first
