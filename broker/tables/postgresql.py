"""Tables in PostgreSQL: a schema a partition, and the one session that its writer has, which is fenced by being the only way that it writes.

Whoever lost the session can write no more, however long it slept; what it must not say either is what `check` is for.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import NamedTuple

import psycopg
from psycopg import sql

from broker.errors import LeaseLost, Unavailable
from broker.tables.protocol import Read, Rows

VALID_S = 5.0
"""How long what PostgreSQL answered last counts for: then another may have the lease. A machine with ten times more work than cores answers within it."""
BEAT_S = 0.5  # how often it is asked, where nothing else is
SILENT_S = 8.0
"""After how long without a statement a session is ended by whoever waits: longer than VALID_S, so that it has stopped by then."""
STATEMENT_S = 5  # the longest that a statement may take: below SILENT_S, and a thousand times what one takes
MAKING = 0x6D697400  # the number of the lock under which schemas are made: PostgreSQL's `if not exists` is not alone


class Server(NamedTuple):
    """Where PostgreSQL is."""

    url: str
    password: str | None = None


class PostgresTables:
    """The writer's side: a session of its own."""

    def __init__(self, server: Server, partition: int, role: str) -> None:
        """Raises Unavailable."""
        self._db = _connect(server, partition, role)
        self._partition = partition
        self._alone = threading.RLock()
        self._confirmed = _now()
        self._lost = False
        self._closed = threading.Event()

    def make(self, schema: str) -> None:
        with self.changing():
            self.execute("select pg_advisory_xact_lock(?)", (MAKING,))
            self._run(sql.SQL("create schema if not exists {}").format(_schema(self._partition)))
            for statement in filter(str.strip, schema.split(";")):
                self._run(_made(statement).encode())

    def execute(self, statement: str, values: Sequence[object] = ()) -> Rows:
        with self._asking() as asked:
            asked.execute(_spelt(statement), [_plain(one) for one in values])
            return asked.fetchall() if asked.description else []

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            with self._asking() as asked:
                asked.executemany(_spelt(statement), [[_plain(one) for one in row] for row in rows])

    @contextmanager
    def changing(self, *, on_disk: bool = True) -> Iterator[None]:
        with self._alone:
            self.execute("begin")
            try:
                if not on_disk:
                    self.execute("set local synchronous_commit = off")
                yield
                self.execute("commit")
            except BaseException:
                with suppress(psycopg.Error):
                    self._db.rollback()
                raise

    def check(self) -> None:
        if self._lost or _now() - self._confirmed > VALID_S:
            raise LeaseLost(f"partition {self._partition}: PostgreSQL has not confirmed its session for {VALID_S} s")

    def beat(self) -> None:
        """Have it confirmed again and again, in a thread, until it is lost or closed."""
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with self._alone:  # no thread is amid a statement
            self._db.close()

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            try:
                self.execute("select 1")
            except LeaseLost:
                return
            except Unavailable:  # it is asked again, and counts for less and less meanwhile
                continue

    def _run(self, statement: sql.Composed | bytes) -> None:
        with self._asking() as asked:
            asked.execute(statement)

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Cursor]:
        with self._alone:
            asked_at = _now()
            try:
                with self._db.cursor() as cursor:
                    yield cursor
            except psycopg.Error as error:
                self._lost = self._lost or self._db.closed
                if self._lost:
                    raise LeaseLost(
                        f"partition {self._partition}: its session with PostgreSQL ended: {error}"
                    ) from error
                raise Unavailable(f"what is remembered can't be read or written: {error}") from error
            self._confirmed = asked_at


class PostgresSource:
    """One connection for all that read in this process, made anew when it was lost."""

    def __init__(self, server: Server, partition: int, statement_s: int = STATEMENT_S) -> None:
        """`statement_s`: the longest that a statement may take; 0: as long as it does."""
        self._server = server
        self._partition = partition
        self._statement_s = statement_s
        self._alone = threading.Lock()
        self._db: psycopg.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[Read]:
        with self._alone:
            try:
                if self._db is None or self._db.closed:
                    self._db = _connect(self._server, self._partition, "reader", self._statement_s)
                with self._db.transaction(), self._db.cursor() as cursor:
                    cursor.execute("set transaction isolation level repeatable read, read only")

                    def read(statement: str, values: Sequence[object]) -> Rows:
                        return cursor.execute(_spelt(statement), [_plain(one) for one in values]).fetchall()

                    yield read
            except psycopg.Error as error:
                raise Unavailable(f"what is remembered can't be read: {error}") from error

    def close(self) -> None:
        with self._alone:
            if self._db is not None:
                self._db.close()


def _connect(server: Server, partition: int, role: str, statement_s: int = STATEMENT_S) -> psycopg.Connection:
    try:
        return psycopg.connect(
            server.url,
            password=server.password,
            autocommit=True,
            connect_timeout=STATEMENT_S,
            tcp_user_timeout=STATEMENT_S * 1000,
            application_name=f"mitoyen {role} {partition}",
            options=f"-c search_path={_named(partition)} -c statement_timeout={statement_s}s",
        )
    except psycopg.Error as error:
        raise Unavailable(f"PostgreSQL does not answer: {error}") from error


def _named(partition: int) -> str:
    return f"partition_{partition}"


def _schema(partition: int) -> sql.Identifier:
    return sql.Identifier(_named(partition))


@lru_cache
def _spelt(statement: str) -> bytes:
    """A statement as PostgreSQL and its client spell it."""
    return statement.replace("json_each(?)", "json_array_elements_text(?::json)").replace("?", "%s").encode()


def _made(statement: str) -> str:
    """The same of one that makes a table."""
    whole = statement.replace("integer primary key", "bigint generated always as identity primary key")
    whole = whole.replace("without rowid", "").replace("blob", "bytea")
    return re.sub(r"\binteger\b", "bigint", whole)


def _plain(value: object) -> object:
    """PostgreSQL's texts have no NUL, and its bigint takes no boolean."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    return int(value) if isinstance(value, bool) else value


def _now() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
