"""A home that becomes one of several machines' keeps all that it remembered."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker.errors import Malformed
from broker.home import Home
from broker.journal.beside import BesideTables, upgrade
from broker.keeper.progress import Drawn, Kept, Progress, Window, kept
from broker.keeper.tally import RELEASED, Tally
from broker.meter import Delivered, Meter, Row, totals
from broker.parts import remembered
from broker.points import Point
from broker.settings.settings import Settings
from broker.tables.postgresql import PostgresTables
from broker.tables.sqlite import SqliteSource, SqliteTables
from mitoyen.copies import Copies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Postgres

WINDOW = Window("s", 1, 2)


@pytest.fixture
def settings(tmp_path: Path, postgres: Postgres) -> Settings:
    return Settings(
        home=tmp_path, partitions=2, registry=postgres.new_database(), registry_password=postgres.PASSWORD,
        journal="nats://127.0.0.1:4222", edges="127.0.0.1:1884",
    )  # fmt: skip


def test_what_lay_in_files_is_found_in_postgresql_and_the_files_are_put_aside(settings: Settings) -> None:
    home = Home(settings.home)
    home.make(2)
    _remember(home)
    remembered.prepare(settings, home)
    remembered.prepare(settings, home)
    with closing(remembered.sources(settings, home, 1)) as found:
        assert kept(found.keeper) == Kept(7, [("s", RELEASED, 3)], [("s", 3)])
        assert totals(found.meter) == [Row("offer", "agreement", 0, 0, 0, 5, 50)]
        with found.beside.reading() as read:
            assert read("select seq from places where name = ?", ("live",)) == [(6,)]
    with closing(remembered.sources(settings, home, 0)) as none:
        assert kept(none.keeper) == Kept(0, [], [])
    own = home.partition(1, 2)
    assert not [file for file in (own.keeper, own.meter, own.beside) if file.exists()]
    _remember(home)
    with pytest.raises(Malformed, match="already"):
        remembered.prepare(settings, home)


def test_without_edges_it_is_not_forgotten_that_it_lies_there(settings: Settings) -> None:
    home = Home(settings.home)
    alone = settings.model_copy(update={"edges": ""})
    remembered.prepare(alone, home)
    remembered.prepare(settings, home)
    with pytest.raises(Malformed, match="MITOYEN_EDGES"):
        remembered.prepare(alone, home)


def test_a_backup_has_files_of_it_again_of_one_moment_and_what_is_drawn_until_its_end(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, own, folder = Home(settings.home), "partitions/1/", tmp_path_factory.mktemp("copies")
    home.make(2)
    _remember(home)
    remembered.prepare(settings, home)
    copies = Copies(home, settings, folder)
    copies.remember(own)
    with closing(PostgresTables(remembered.server(settings), 1, "keeper")) as tables:
        progress = Progress(tables)
        progress.advance(8, {WINDOW: 1}, Tally({("s", RELEASED): 1}))
        progress.draw(Drawn("r", 2, ("s",), 1, 9, (0, 9)), [Point(2, 5)])
    copied = copies.end(own)
    assert copied == folder / own / "keeper.sqlite"
    assert kept(SqliteSource(copied)) == Kept(7, [("s", RELEASED, 3)], [("s", 3)])
    with closing(SqliteTables(copied)) as tables:
        progress = Progress(tables)
        assert [progress.drawn("r", start) for start in (1, 2)] == [[Point(1, 2)], [Point(2, 5)]]
        assert progress.spent("s", 0, 9) == 2
    assert totals(SqliteSource(folder / own / "meter.sqlite")) == [Row("offer", "agreement", 0, 0, 0, 5, 50)]
    with SqliteSource(folder / own / "journal.sqlite").reading() as read:
        assert read("select * from places", ()) == [("live", 6)]


def _remember(home: Home) -> None:
    own = home.partition(1, 2)
    with closing(SqliteTables(own.keeper)) as tables:
        progress = Progress(tables)
        progress.advance(7, {WINDOW: 3}, Tally({("s", RELEASED): 3}))
        progress.draw(Drawn("r", 1, ("s",), 1, 9, (0, 9)), [Point(1, 2)])
        progress.reject([("s", 1, "k", "too large")])
    with closing(SqliteTables(own.meter)) as tables:
        meter = Meter(tables)
        meter.delivered([Delivered("offer", "agreement", 5, 50)])
        meter.close(1)
    with closing(SqliteTables(own.beside)) as tables:
        upgrade(tables.db)
        beside = BesideTables(tables)
        with beside.writing():
            beside.keep_places({"live": 6})
