"""Who serves a partition where several machines could: whoever's session with PostgreSQL holds the lock of that partition and role.

It ends with the session: at once when its process dies, and when it says nothing for SILENT_S, because it or its machine was
stopped, by whoever waits. It says something every BEAT_S, and trusts itself for VALID_S after it last was answered, so that it has stopped
releasing before another begins.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import structlog

from broker.errors import LeaseLost, Unavailable
from broker.tables.postgresql import SILENT_S, PostgresTables, Server

log = structlog.get_logger()

LOOK_S = 0.2  # how often whoever waits asks
Role: TypeAlias = Literal["worker", "keeper"]
_NUMBERS: dict[Role, int] = {"worker": 0x6D697401, "keeper": 0x6D697402}
"""The first half of a lock's number, which is the same for all versions; the second is the partition's."""
_END_SILENT = """
select pg_terminate_backend(a.pid) from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.classid = ?::bigint::oid and l.objid = ?::bigint::oid and l.objsubid = 2
    and a.datname = current_database() and clock_timestamp() - a.state_change > make_interval(secs => ?)
"""


class Candidate:
    """Somebody who would serve a partition. Its session is there before its turn comes."""

    def __init__(self, server: Server, partition: int, role: Role) -> None:
        self._server = server
        self._partition = partition
        self._role: Role = role
        self._session: PostgresTables | None = None
        self._noted = ""

    def attempt(self) -> PostgresTables | None:
        """The tables, to be closed by whoever serves the partition from now on; None while another does."""
        try:
            if self._session is None:
                self._session = PostgresTables(self._server, self._partition, self._role)
            return self._taken(self._session)
        except (Unavailable, LeaseLost) as error:
            self._note("lease_not_asked_for", reason=str(error))
            self.close()
            return None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _taken(self, session: PostgresTables) -> PostgresTables | None:
        number = (_NUMBERS[self._role], self._partition)
        if session.execute("select pg_try_advisory_lock(?, ?)", number) == [(True,)]:
            log.info("lease_taken", partition=self._partition, role=self._role)
            self._session = None
            session.beat()
            return session
        if session.execute(_END_SILENT, (*number, SILENT_S)):
            log.warning("lease_ended", partition=self._partition, role=self._role, silent_s=SILENT_S)
        self._note("lease_awaited")
        return None

    def _note(self, event: str, **more: str) -> None:
        """Once, however often it is so."""
        if self._noted != event:
            log.info(event, partition=self._partition, role=self._role, **more)
        self._noted = event
