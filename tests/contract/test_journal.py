"""Every journal: what was safe is there after whatever happens, once and in order."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

import pytest

from broker.entry import Entry, Refusal
from broker.errors import JournalFull, LeaseLost, Unavailable
from broker.journal.beside import KEPT_REFUSALS, BesideTables
from broker.journal.jetstream import COUNTED, JetStreamJournal, JetStreamReader, opened, packs
from broker.journal.protocol import NOTHING, Batch, Beside, Journal, JournalReader, Untimed
from broker.journal.sqlite import SqliteJournal, SqliteReader
from broker.journal.stream import Stream
from broker.natsservers import Servers, reach, urls
from broker.points import Point
from broker.presence import Presence
from broker.smoothing import Seen, Sight
from broker.tables.sqlite import SqliteSource, SqliteTables
from mitoyen import certificates
from mitoyen.ports import free_ports
from tests.natsservers import NatsServer
from tests.servers import Postgres
from tests.tables import InPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.natsservers import Nats
    from tests.tables import Kept

_T = TypeVar("_T")

ROOM = 64 << 20
SMALL = 1 << 20


class Sqlite:
    """A journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"

    @asynccontextmanager
    async def open(self, limit_bytes: int = ROOM) -> AsyncIterator[Journal]:
        with closing(SqliteJournal(self.path, limit_bytes=limit_bytes)) as journal:
            yield journal

    def reader(self) -> JournalReader:
        return SqliteReader(self.path)


class JetStream:
    """A stream, and a folder for what is beside it."""

    def __init__(self, folder: Path, nats: Nats) -> None:
        self.path = folder / "beside"
        self.stream = f"test_{token_hex(6)}"
        self.servers = Servers(urls(nats.url))

    @asynccontextmanager
    async def open(self, limit_bytes: int = ROOM) -> AsyncIterator[Journal]:
        with closing(SqliteTables(self.path)) as beside:
            async with opened(self.servers, self.stream, beside, replicas=3, limit_bytes=limit_bytes) as journal:
                yield journal

    def reader(self) -> JournalReader:
        return JetStreamReader(self.servers, self.stream, SqliteSource(self.path))


@pytest.fixture(params=["sqlite", "jetstream"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Sqlite | JetStream:
    return Sqlite(tmp_path) if request.param == "sqlite" else JetStream(tmp_path, request.getfixturevalue("nats"))


@pytest.fixture
def jetstream(tmp_path: Path, nats: Nats) -> JetStream:
    return JetStream(tmp_path, nats)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """One to kill."""
    with tempfile.TemporaryDirectory(prefix="mitoyen-postgresql-") as folder, Postgres(Path(folder)) as server:
        yield server


def entry(number: int, *refused: str, payload: bytes = b"") -> Entry:
    refusals = [Refusal(i, reason) for i, reason in enumerate(refused)]
    return Entry("in/o/g/d", number, [Point(number, number / 3)] if not refused else [], refusals, payload)


async def append(journal: Journal, entries: list[Entry], beside: Beside = NOTHING) -> list[Batch]:
    """As whoever takes messages in: again and again while there is no room."""
    safe: asyncio.Future[list[Batch]] = asyncio.get_running_loop().create_future()
    while True:
        try:
            journal.append(entries, beside, safe.set_result)
            return await safe
        except JournalFull:
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - servers are asked
        await asyncio.sleep(0.02)


async def as_another_process(home: Sqlite | JetStream, asks: Callable[[JournalReader], _T]) -> _T:
    def ask() -> _T:
        with closing(home.reader()) as reader:
            return asks(reader)

    return await asyncio.to_thread(ask)


async def read_all(journal: Journal) -> list[Batch]:
    found: list[Batch] = []
    while more := await journal.read(found[-1].seq if found else 0):
        found += more
    return found


async def test_batches_come_back_in_order_after_reopening(home: Sqlite | JetStream) -> None:
    async with home.open() as journal:
        for number in range(10):
            (batch,) = await append(journal, [entry(number), entry(number + 100)])
            assert batch.seq == journal.last == number + 1
    async with home.open() as again:
        assert again.last == 10
        found = await again.read(3)
    assert found == [Batch(n + 1, [entry(n), entry(n + 100)]) for n in range(3, 10)]
    assert await as_another_process(home, lambda reader: reader.read(3)) == found
    assert await as_another_process(home, lambda reader: reader.read(10)) == []


async def test_what_is_appended_while_another_is_on_its_way_is_safe_in_that_order(home: Sqlite | JetStream) -> None:
    safe: list[Batch] = []
    async with home.open() as journal:
        for number in range(300):
            journal.append([entry(number)], NOTHING, safe.extend)
        await _all_are(safe, 300)
        assert await read_all(journal) == safe == [Batch(n + 1, [entry(n)]) for n in range(300)]


async def test_numbers_and_places_go_on_after_everything_was_trimmed(home: Sqlite | JetStream) -> None:
    async with home.open() as journal:
        await append(journal, [entry(1)])
        await append(journal, [entry(2)])
        journal.keep_places({"live": 2, "messages": 1_000})
        journal.trim(2)
        await until(lambda: _is_empty(journal))
    async with home.open() as again:
        assert (again.place("live"), again.place("messages"), again.place("never heard of")) == (2, 1_000, 0)
        ((seq, _),) = await append(again, [entry(3)])
        assert seq == again.last == 3


async def _is_empty(journal: Journal) -> bool:
    return not await journal.read(0)


async def _all_are(safe: list[Batch], number: int) -> None:
    async def are() -> bool:
        return len(safe) == number

    await until(are)


async def test_a_full_journal_takes_nothing_and_loses_nothing_and_takes_again_when_trimmed(
    home: Sqlite | JetStream,
) -> None:
    big = Entry("in/o/g/d", 1, [Point(1, "x" * 4_000)] * 50)
    safe: list[Batch] = []
    async with home.open(SMALL) as journal:
        while True:
            waiting = asyncio.create_task(append(journal, [big]))
            done, _ = await asyncio.wait([waiting], timeout=1)
            if not done:
                break
            safe += waiting.result()
        last = journal.last
        assert await read_all(journal) == safe
        assert [batch.seq for batch in safe] == list(range(1, last + 1))
        assert SMALL / 2 < last * 200_000 < 2 * SMALL
        journal.trim(last)
        assert [batch.seq for batch in await waiting] == [last + 1]
        assert [batch.entries for batch in await journal.read(last)] == [[big]]


async def test_what_a_gateway_sent_is_counted_and_its_newest_refusals_kept(home: Sqlite | JetStream) -> None:
    async with home.open() as journal:
        await append(journal, [entry(7), entry(8, "first", "second", payload=b'{"tiem": 1}')])
        assert journal.presences() == [Presence("o", "g", accepted=1, refused=2, last_seen=8)]
        assert [(r.reason, r.place, r.payload) for r in journal.refusals("o", "g", 10)] == [
            ("second", 1, '{"tiem": 1}'),
            ("first", 0, '{"tiem": 1}'),
        ]
        for number in range(0, KEPT_REFUSALS + 5, 5):
            await append(journal, [entry(number + n, str(number + n)) for n in range(5)])
        kept = journal.refusals("o", "g", 10_000)
        assert len(kept) == KEPT_REFUSALS
        assert [kept[0].reason, kept[-1].reason] == [str(KEPT_REFUSALS + 4), "5"]
        (known,) = journal.presences()
        assert known.refused == KEPT_REFUSALS + 7
        assert await as_another_process(home, lambda reader: reader.presences()) == [known]


async def test_a_gateway_that_left_is_known_to_have_until_it_is_heard_again(home: Sqlite | JetStream) -> None:
    said = Entry("in/o/g/~", 5, [], says="offline")
    async with home.open() as journal:
        await append(journal, [said])
        assert journal.presences() == [Presence("o", "g", left=5)]
        await append(journal, [entry(7)])
        assert journal.presences() == [Presence("o", "g", accepted=1, last_seen=7, left=5)]
        assert (await journal.read(0))[0].entries == [said]


@pytest.mark.parametrize(
    ("payload", "shown", "encoding"),
    [
        (b"\xff\x00", "/wA=", "base64"),
        ("é".encode() * 600, "é" * 512, None),
        (b"a" + "é".encode() * 600, "a" + "é" * 511, None),
    ],
)
async def test_a_refused_payload_is_kept_up_to_a_kilobyte(
    home: Sqlite | JetStream, payload: bytes, shown: str, encoding: str | None
) -> None:
    async with home.open() as journal:
        await append(journal, [entry(1, "bad", payload=payload)])
        (kept,) = journal.refusals("o", "g", 1)
    assert (kept.payload, kept.encoding) == (shown, encoding)


async def test_messages_without_times_and_tags_that_are_there_are_remembered(home: Sqlite | JetStream) -> None:
    seen, sight = Seen("g", None, 1, "urn:x"), Sight(5, 5, 5)
    async with home.open() as journal:
        first = {5: Untimed(1, 2, 3), 6: Untimed(4, 5, 6)}
        await append(journal, [entry(1)], Beside({"messages": 7}, first, {("in/o/g/d", seen): sight}))
        await append(journal, [entry(2)], Beside({"messages": 8}, {5: Untimed(7, 8, 9)}, {}))
    async with home.open() as again:
        assert again.untimed() == {5: Untimed(7, 8, 9), 6: Untimed(4, 5, 6)}
        assert again.sights(5) == {"in/o/g/d": {seen: sight}}
        assert again.place("messages") == 8
        await append(again, [entry(3)], Beside({}, {}, {("in/o/g/d", seen): None}))
        assert again.sights(5) == {}


async def test_a_batch_of_nothing_is_refused_and_not_written(home: Sqlite | JetStream) -> None:
    async with home.open() as journal:
        with pytest.raises(ValueError, match="at least one entry"):
            await append(journal, [])
        assert (journal.last, await journal.read(0)) == (0, [])


# --- of SQLite alone


async def test_places_go_with_the_batch_and_numbers_go_on_from_them_alone(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    ((seq, _),) = await append(journal, [entry(1)], Beside({"live": 1, "messages": 1_000}, {}, {}))
    journal.trim(seq)
    journal.close()
    assert SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).last == seq


def test_a_journal_from_before_last_wills_is_read_on(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).close()
    with closing(sqlite3.connect(tmp_path / "journal")) as db:
        db.executescript(
            "drop table gateways; create table gateways (organisation text, gateway text, accepted integer not null,"
            " refused integer not null, last_seen integer not null, primary key (organisation, gateway)) without rowid;"
            " insert into gateways values ('o', 'g', 1, 2, 3)"
        )
    assert SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).presences() == [Presence("o", "g", 1, 2, 3)]


def test_a_reader_finds_nothing_where_there_is_no_journal_yet(tmp_path: Path) -> None:
    assert SqliteReader(tmp_path / "journal").read(0) == []


# --- of JetStream alone


async def test_killing_the_leader_amid_appends_loses_nothing_doubles_nothing_and_keeps_the_order(
    jetstream: JetStream, nats: Nats
) -> None:
    safe: list[Batch] = []
    appended = 0

    def append_on(journal: Journal, batches: int) -> None:
        nonlocal appended
        for _ in range(batches):
            journal.append([entry(appended)], NOTHING, safe.extend)
            appended += 1

    async with jetstream.open() as journal:
        for _ in range(2):
            append_on(journal, 300)
            await _more_than(safe, appended - 200)
            leader = await asyncio.to_thread(nats.leader, jetstream.stream)
            leader.kill()
            append_on(journal, 100)
            await _all_are(safe, appended)
            await asyncio.to_thread(leader.start)
        found = await read_all(journal)
    assert [one.arrived for batch in found for one in batch.entries] == list(range(appended))
    assert found == safe


async def _more_than(safe: list[Batch], number: int) -> None:
    async def are() -> bool:
        return len(safe) > number

    await until(are)


async def test_what_was_safe_and_not_counted_before_a_crash_is_counted_after_it(
    jetstream: JetStream, tmp_path: Path
) -> None:
    async with jetstream.open() as journal:
        await append(journal, [entry(1)])
        await append(journal, [entry(2)])
    jetstream.path = tmp_path / "as it was before"
    async with jetstream.open() as again:
        assert again.presences() == [Presence("o", "g", accepted=2, last_seen=2)]


async def test_a_batch_that_is_too_large_for_one_pack_is_safe_in_several(jetstream: JetStream) -> None:
    entries = [Entry("in/o/g/d", n, [Point(n, "x" * 3_000_000)]) for n in range(5)]
    async with jetstream.open() as journal:
        batches = await append(journal, entries)
        assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
        assert [one for batch in batches for one in batch.entries] == entries
        assert await read_all(journal) == batches


def test_a_message_that_fits_in_no_pack_is_refused_with_its_reason() -> None:
    large = Entry("in/o/g/d", 1, [Point(1, "x" * 5_000)], response_topic="ack/o/g", correlation=b"7")
    (small_pack, refused_pack) = (entries for entries, _ in packs([entry(1), large], 1_000))
    assert small_pack == [entry(1)]
    (refused,) = refused_pack
    assert (refused.points, refused.response_topic, refused.correlation) == ([], "ack/o/g", b"7")
    assert "too large" in refused.refusals[0].reason


async def test_a_reader_whose_batches_were_trimmed_is_told_and_skips_nothing(jetstream: JetStream) -> None:
    async with jetstream.open() as journal:
        for number in range(4):
            await append(journal, [entry(number)])
        journal.trim(2)

        async def is_told() -> bool:
            try:
                await journal.read(0)
            except Unavailable as error:
                return "lacks what comes after 0" in str(error)
            return False

        await until(is_told)
        assert [batch.seq for batch in await journal.read(2)] == [3, 4]


async def test_what_several_write_is_followed_by_another_in_order_and_counted_once(
    jetstream: JetStream, tmp_path: Path, remembered: Kept
) -> None:
    followed: list[Batch] = []

    @asynccontextmanager
    async def at(name: str) -> AsyncIterator[JetStreamJournal]:
        tables = remembered.tables() if name == "worker" else SqliteTables(tmp_path / name)
        with closing(tables):
            async with opened(
                jetstream.servers, jetstream.stream, tables, replicas=3, limit_bytes=ROOM, alone=False
            ) as journal:
                yield journal

    async with at("edge 0") as first, at("edge 1") as second, at("worker") as worker:
        following = asyncio.create_task(worker.follow(followed.extend))
        for number in range(20):
            await asyncio.gather(append(first, [entry(number)]), append(second, [entry(number + 100)]))
        await _all_are(followed, 40)
        following.cancel()
        assert followed == await read_all(worker)
        assert [batch.seq for batch in followed] == list(range(1, 41))
        for beginning in (0, 100):
            written = [
                one.arrived for batch in followed for one in batch.entries if one.arrived // 100 == beginning // 100
            ]
            assert written == list(range(beginning, beginning + 20))
        assert [one.accepted for one in worker.presences()] == [40]
        assert (first.presences(), second.presences()) == ([], [])
    async with at("worker") as again:
        following = asyncio.create_task(again.follow(followed.extend))
        await append(again, [entry(200)])
        await _all_are(followed, 41)
        following.cancel()
        assert [one.accepted for one in again.presences()] == [41]


async def test_what_is_not_counted_yet_is_not_trimmed_though_its_readers_are_done_with_it(
    jetstream: JetStream, remembered: Kept
) -> None:
    followed: list[Batch] = []

    async def was_tidied() -> bool:
        return worker.used_bytes() > 0

    with closing(remembered.tables()) as tables:
        async with opened(
            jetstream.servers, jetstream.stream, tables, replicas=3, limit_bytes=ROOM, alone=False
        ) as worker:
            for number in range(3):
                await append(worker, [entry(number)])
            worker.trim(3)
            await until(was_tidied)
            following = asyncio.create_task(worker.follow(followed.extend))
            await _all_are(followed, 3)
            await until(lambda: _is_empty(worker))
            following.cancel()


async def test_what_was_trimmed_is_known_to_be_counted_after_postgresql_died(
    jetstream: JetStream, own_postgres: Postgres
) -> None:
    home = InPostgres(own_postgres)
    first = 1

    async def was_trimmed() -> bool:
        nonlocal first
        with suppress(Unavailable):  # it is not there yet
            first = (await stream.state()).first_seq
        return first > 1

    async with reach(jetstream.servers) as client:
        stream = Stream(client, jetstream.stream)
        serving = asyncio.create_task(_served(jetstream, home))
        await until(was_trimmed)
        own_postgres.kill()
        with suppress(asyncio.CancelledError, LeaseLost):  # whoever has the journal open ends with its tables
            await serving
    await asyncio.to_thread(own_postgres.start)
    with closing(home.tables()) as tables:
        assert BesideTables(tables).place(COUNTED) >= first - 1


async def _served(jetstream: JetStream, home: InPostgres) -> None:
    """Append, count and trim until PostgreSQL dies."""
    with closing(home.tables()) as tables:
        async with opened(
            jetstream.servers, jetstream.stream, tables, replicas=3, limit_bytes=ROOM, alone=False
        ) as worker:

            async def appending() -> None:
                for number in count():
                    await append(worker, [entry(number)])

            work = [
                asyncio.create_task(worker.follow(lambda batches: worker.trim(batches[-1].seq))),
                asyncio.create_task(appending()),
            ]
            try:
                await asyncio.gather(*work)
            finally:
                for one in work:
                    one.cancel()


async def test_servers_that_ask_for_a_certificate_and_a_password_are_given_both(tmp_path: Path) -> None:
    certificates.make(tmp_path / "tls", ["127.0.0.1"], ["broker"], 1)
    tls = {name: tmp_path / "tls" / name for name in ("ca.pem", "server.pem", "server.key", "broker.pem", "broker.key")}
    asks = (
        f'tls {{ cert_file: "{tls["server.pem"]}", key_file: "{tls["server.key"]}", ca_file: "{tls["ca.pem"]}", verify: true }}\n'
        "authorization { user: mitoyen, password: secret }"
    )
    (tmp_path / "n").mkdir()
    port, monitor = free_ports(2)
    with NatsServer(tmp_path / "n", "n", (port, 0, monitor), [], asks):
        known = Servers(
            (f"tls://127.0.0.1:{port}",),
            "mitoyen",
            "secret",
            tls["ca.pem"],
            tls["broker.pem"],
            tls["broker.key"],
        )
        async with opened(known, "s", SqliteTables(tmp_path / "beside"), replicas=1, limit_bytes=ROOM) as journal:
            await append(journal, [entry(1)])
            assert await read_all(journal) == [Batch(1, [entry(1)])]
        for unknown in (replace(known, password="other"), replace(known, certificate=None, key=None)):
            with pytest.raises(Unavailable):
                async with reach(unknown):
                    pass


async def test_where_no_server_answers_it_says_so(tmp_path: Path) -> None:
    servers = Servers(("nats://127.0.0.1:1",))
    with pytest.raises(Unavailable, match="no NATS server answers"):
        async with opened(servers, "s", SqliteTables(tmp_path / "beside"), replicas=3, limit_bytes=ROOM):
            pass
