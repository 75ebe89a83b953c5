"""Who serves a partition where several machines could: one at a time, the next at once, and whoever lost it can do nothing more."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from broker.errors import LeaseLost
from broker.keeper.progress import Drawn, Progress
from broker.tables import postgresql
from broker.tables.lease import Candidate
from broker.tables.postgresql import SILENT_S, VALID_S, PostgresTables, Server
from tests.servers import await_that

if TYPE_CHECKING:
    from tests.servers import Postgres

DRAWN = Drawn("r", 1, ("s",), 1, 10, (0, 9))


@pytest.fixture
def server(postgres: Postgres) -> Server:
    return Server(postgres.new_database(), postgres.PASSWORD)


def end_session(server: Server, of: str) -> None:
    with psycopg.connect(server.url, password=server.password, autocommit=True) as other:
        asked = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s and datname = current_database()"
        assert other.execute(asked, (of,)).fetchall() == [(True,)]


def taken(candidate: Candidate) -> PostgresTables:
    found: list[PostgresTables] = []

    def attempt() -> bool:
        tables = candidate.attempt()
        found.extend([tables] if tables else [])
        return bool(found)

    await_that(attempt, "it can't be had")
    return found[0]


def test_one_has_it_at_a_time_and_another_partition_or_role_is_another(server: Server) -> None:
    with closing(taken(Candidate(server, 2, "keeper"))), closing(Candidate(server, 2, "keeper")) as waiting:
        assert waiting.attempt() is None
        for other in (Candidate(server, 3, "keeper"), Candidate(server, 2, "worker")):
            taken(other).close()
        assert waiting.attempt() is None


def test_the_next_has_it_as_soon_as_the_session_ends_and_the_last_can_do_nothing_more(server: Server) -> None:
    with closing(taken(Candidate(server, 2, "keeper"))) as first, closing(Candidate(server, 2, "keeper")) as waiting:
        progress = Progress(first)
        assert progress.draw(DRAWN, [])
        end_session(server, "mitoyen keeper 2")
        with closing(taken(waiting)) as second:
            await_that(lambda: _has_lost(first), "it never noticed")
            with pytest.raises(LeaseLost):
                progress.draw(DRAWN._replace(start=2), [])
            again = Progress(second)
            assert (again.drawn("r", 1), again.drawn("r", 2)) == ([], None)


def test_whoever_is_silent_has_stopped_before_it_is_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SILENT_S > VALID_S
    monkeypatch.setattr(postgresql.PostgresTables, "beat", lambda _: None)  # as if it had been stopped
    with closing(taken(Candidate(server, 2, "worker"))) as first, closing(Candidate(server, 2, "worker")) as waiting:
        first.check()
        began = time.monotonic()
        await_that(lambda: _has_lost(first), "it trusts itself for ever")
        assert time.monotonic() - began < SILENT_S
        assert waiting.attempt() is None, "nor has another it by now"
        with closing(taken(waiting)):
            assert time.monotonic() - began > SILENT_S - 0.5
            with pytest.raises(LeaseLost):
                first.execute("select 1")


def test_where_postgresql_does_not_answer_nobody_has_it() -> None:
    with closing(Candidate(Server("postgresql://mitoyen@127.0.0.1:1/none"), 0, "keeper")) as candidate:
        assert candidate.attempt() is None


def _has_lost(tables: PostgresTables) -> bool:
    try:
        tables.check()
    except LeaseLost:
        return True
    return False
