"""What `mitoyen backup` refuses, since its copies would not fit, or nobody could say whether they do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker.entry import Entry
from broker.errors import Malformed, Unavailable
from broker.home import Home
from broker.journal.protocol import NOTHING
from broker.journal.sqlite import SqliteJournal
from broker.keeper.progress import Progress
from broker.keeper.tally import Tally
from broker.settings.settings import Settings
from broker.tables.sqlite import SqliteTables
from mitoyen.backup import backup

if TYPE_CHECKING:
    from pathlib import Path

BATCHES = 3


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Whose keeper has kept nothing yet of what is journalled."""
    home = Home(tmp_path / "home")
    home.make()
    home.logins.write_text("{}")
    with closing(SqliteTables(home.root / "keeper.sqlite")) as tables:
        Progress(tables)
    with closing(SqliteJournal(home.root / "journal.sqlite", limit_bytes=1 << 30)) as journal:
        for _ in range(BATCHES):
            journal.append([Entry("in/o/g/d", 0, [])], NOTHING, lambda _: None)
        journal.keep_places({"live": BATCHES})
    return home


@pytest.mark.parametrize("upto", [1, BATCHES])
def test_a_journal_that_was_trimmed_of_what_is_not_kept_makes_no_backup(home: Home, upto: int) -> None:
    file = home.root.parent / "backup"
    assert backup(home, file) == ["journal.sqlite", "keeper.sqlite", "logins.json"]
    file.unlink()
    with closing(SqliteJournal(home.root / "journal.sqlite", limit_bytes=1 << 30)) as journal:
        journal.trim(upto)
    with pytest.raises(Unavailable, match=f"trimmed up to {upto}"):
        backup(home, file)
    assert not list(file.parent.glob("*backup*"))
    with closing(SqliteTables(home.root / "keeper.sqlite")) as tables:
        Progress(tables).advance(upto, {}, Tally())
    backup(home, file)


def test_settings_of_another_version_are_named(home: Home) -> None:
    home.settings.write_text('{"home": "/", "partitions": "many"}')
    with pytest.raises(Malformed, match=r"settings.json is not as this version .*partitions"):
        backup(home, home.root.parent / "backup")


def test_who_copies_the_stores_is_said_where_and_only_where_others_have_them(home: Home) -> None:
    file = home.root.parent / "backup"
    with pytest.raises(Malformed, match="expected no --stores"):
        backup(home, file, "true")
    settings = Settings(home=home.root, store="influx:http://127.0.0.1:8086")
    home.settings.write_text(settings.model_dump_json())
    with pytest.raises(Malformed, match="expected --stores"):
        backup(home, file)
    for command, why in (("false", "ended with status 1"), ("", "expected a command"), ("'", "quotation")):
        with pytest.raises((Malformed, Unavailable), match=why):
            backup(home, file, command)
    assert not file.exists()
    backup(home, file, "true")
