"""Copies of what a home keeps, each a SQLite file and one moment of it, wherever it lies: a file of the home, tables in PostgreSQL, a stream of NATS."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from broker.errors import Unavailable
from broker.home import Home
from broker.journal import beside
from broker.keeper import progress
from broker.meter import SCHEMA as METER
from broker.parts.remembered import server
from broker.settings.settings import Settings
from broker.tables import moving
from broker.tables.postgresql import PostgresSource
from broker.tables.protocol import Source
from broker.tables.sqlite import SqliteSource
from mitoyen.readout import read_out

PATIENCE_S = 60.0
NO_LIMIT_S = 0  # a table is read whole, however large
_SCHEMAS = {"keeper": progress.SCHEMA, "meter": METER, "journal": beside.SCHEMA}
"""Of what lies in PostgreSQL where another machine is to find it. Digests of pseudonyms' keys stay there: the keys are in no backup."""


class Copies:
    """In a folder, each by the name that it has in a home on one machine, such as `partitions/1/keeper.sqlite`."""

    def __init__(self, home: Home, settings: Settings | None, folder: Path) -> None:
        """`settings`: with which the home ran last, if it ever did."""
        self._home = home
        self._settings = settings
        self._folder = folder
        self._elsewhere = settings is not None and settings.elsewhere

    def remember(self, own: str) -> None:
        """How far a partition's keeper came, and all that lies beside that in PostgreSQL, of one moment. `own`: where it lies. Raises Unavailable."""
        if not self._elsewhere:
            self.make(f"{own}keeper.sqlite")
            return
        with closing(self._source(own)) as source, source.reading() as read:
            for name, schema in _SCHEMAS.items():
                moving.copy(read, schema, self._at(f"{own}{name}.sqlite"))

    def make(self, name: str) -> Path | None:
        """A copy, or what is remembered of it; None where there is nothing. Raises Unavailable."""
        to = self._at(name)
        if not to.exists() and (source := self._home.root / name).exists():
            _copy(source, to)
        return to if to.exists() else None

    def make_journal(self, own: str) -> Path | None:
        """Likewise, with all that a stream on NATS holds. Raises Unavailable where it lacks what came after that keeper's progress."""
        to, beside_it = self._at(f"{own}journal.sqlite"), self._home.root / own / "beside.sqlite"
        in_file = (self._home.root / own / "journal.sqlite").exists()
        if not in_file and not self._elsewhere and beside_it.exists():
            _copy(beside_it, to)
        if to.exists():
            read_out(self._on_nats(), self._home, _partition(own), to)
        whole = self.make(f"{own}journal.sqlite")
        if whole is not None:
            _check_fit(self._at(f"{own}keeper.sqlite"), whole)
        return whole

    def end(self, own: str) -> Path | None:
        """A keeper's progress as it was remembered, with what was drawn and paid since; None where there is none. Raises Unavailable."""
        to = self._at(f"{own}keeper.sqlite")
        if not to.exists():
            return None
        with closing(self._source(own)) as source, source.reading() as read:
            moving.add(read, ("spent", "drawn"), to)
        return to

    def _source(self, own: str) -> Source:
        if self._elsewhere:
            assert self._settings is not None
            return PostgresSource(server(self._settings), _partition(own), statement_s=NO_LIMIT_S)
        return SqliteSource(self._home.root / own / "keeper.sqlite")

    def _at(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _on_nats(self) -> Settings:
        if self._settings is None or self._settings.journal == "sqlite":
            raise Unavailable(
                f"the journal of {self._home.root} is on NATS, and nothing there says where: start the broker first"
            )
        return self._settings


def _check_fit(keeper: Path, journal: Path) -> None:
    """Whether a copy of a journal holds all that came after a copy of a keeper's progress. Raises Unavailable."""
    with closing(SqliteSource(keeper)) as source, closing(sqlite3.connect(journal)) as db:
        place = progress.place_of(source)
        ((first,),) = db.execute(
            "select coalesce((select min(seq) from batches), (select max(seq) + 1 from places where name <> 'messages'), 1)"
        )
    if first > place + 1:
        raise Unavailable(
            f"the journal was trimmed up to {first - 1} while its copy was to begin after {place}: try again, with the broker running here"
        )


def _copy(source: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=PATIENCE_S)) as reading,
        closing(sqlite3.connect(to)) as writing,
    ):
        reading.backup(writing)  # all in one step: one moment of it


def _partition(name: str) -> int:
    """Whose `partitions/N/…` is."""
    return int(name.split("/")[1]) if "/" in name else 0
