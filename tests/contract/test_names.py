"""Two machines name tags by one key, or the second names nothing."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from broker.privacy.keys import PseudonymKeys
from broker.tables.names import Names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tables import Kept


def test_whoever_has_the_same_file_names_alike_and_whoever_has_another_names_nothing(
    remembered: Kept, tmp_path: Path
) -> None:
    with closing(remembered.tables()) as here, closing(remembered.tables()) as there:
        first = _keys(tmp_path, "here", Names(here)).key("offer", 7)
        assert first is not None
        assert _keys(tmp_path, "here", Names(there)).key("offer", 7) == first
        stranger = _keys(tmp_path, "there", Names(there))
        assert stranger.key("offer", 7) is None
        assert stranger.key("offer", 7) is None, "nor when it is asked again"
        assert stranger.key("another", 7) is not None
        assert _keys(tmp_path, "here", Names(here)).key("another", 7) is None


def test_a_copy_names_by_what_it_was_copied_with_and_by_nothing_of_later(remembered: Kept, tmp_path: Path) -> None:
    with closing(remembered.tables()) as tables:
        keys = _keys(tmp_path, "here", Names(tables))
        before = keys.key("offer", 1)
        for suffix in ("keys", "wrapping"):
            shutil.copy(tmp_path / f"here.{suffix}", tmp_path / f"there.{suffix}")
        assert keys.key("offer", 2) is not None
        copy = _keys(tmp_path, "there", Names(tables))
        assert (copy.key("offer", 1), copy.key("offer", 2)) == (before, None)


def _keys(folder: Path, name: str, names: Names) -> PseudonymKeys:
    return PseudonymKeys(folder / f"{name}.keys", folder / f"{name}.wrapping", names.agree)
