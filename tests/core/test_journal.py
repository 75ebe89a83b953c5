"""The journal: what was written is there after whatever happens, once and in order."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker.entry import Entry, Refusal
from broker.errors import JournalFull
from broker.journal.beside import KEPT_REFUSALS
from broker.journal.protocol import Batch, Beside, Untimed
from broker.journal.sqlite import SqliteJournal, SqliteReader
from broker.points import Point
from broker.presence import Presence

if TYPE_CHECKING:
    from pathlib import Path

ROOM = 64 << 20


def entry(number: int, *refused: str, payload: bytes = b"") -> Entry:
    refusals = [Refusal(i, reason) for i, reason in enumerate(refused)]
    return Entry("in/o/g/d", number, [Point(number, number / 3)] if not refused else [], refusals, payload)


def append(
    journal: SqliteJournal,
    entries: list[Entry],
    places: dict[str, int] | None = None,
    untimed: dict[int, Untimed] | None = None,
) -> Batch:
    safe: list[Batch] = []
    journal.append(entries, Beside(places or {}, untimed or {}, {}), safe.extend)
    (batch,) = safe
    return batch


async def test_batches_come_back_in_order_after_reopening(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    for number in range(10):
        batch = append(journal, [entry(number), entry(number + 100)])
        assert batch.seq == number + 1
    journal.close()
    again = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    assert again.last == 10
    assert [(b.seq, b.entries) for b in await again.read(3)] == [
        (n + 1, [entry(n), entry(n + 100)]) for n in range(3, 10)
    ]
    assert SqliteReader(tmp_path / "journal").read(9) == await again.read(9)


async def test_places_go_with_the_batch_and_numbers_go_on_after_everything_was_trimmed(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    append(journal, [entry(1)], {"live": 0})
    append(journal, [entry(2)], {"live": 1})
    journal.keep_places({"live": 2})
    journal.trim(2)
    assert await journal.read(0) == []
    journal.close()
    again = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    assert again.place("live") == 2
    assert again.place("never heard of") == 0
    assert append(again, [entry(3)]).seq == 3


async def test_a_full_journal_refuses_whole_and_takes_again_when_trimmed(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=1 << 20)
    big = Entry("in/o/g/d", 1, [Point(1, "x" * 4_000)] * 50)
    taken = 0
    while journal.used_bytes() < 1 << 20:
        taken = append(journal, [big], {"live": journal.last}).seq
    with pytest.raises(JournalFull, match="limit"):
        append(journal, [big])
    assert journal.last == taken
    last = journal.last
    assert (await journal.read(last - 1))[0].entries == [big]
    journal.trim(last)
    assert append(journal, [big]).seq == last + 1


def test_what_a_gateway_sent_is_counted_and_its_newest_refusals_kept(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    append(journal, [entry(7), entry(8, "first", "second", payload=b'{"tiem": 1}')])
    assert journal.presences() == [Presence("o", "g", accepted=1, refused=2, last_seen=8)]
    assert [(r.reason, r.place, r.payload) for r in journal.refusals("o", "g", 10)] == [
        ("second", 1, '{"tiem": 1}'),
        ("first", 0, '{"tiem": 1}'),
    ]
    for number in range(KEPT_REFUSALS + 5):
        append(journal, [entry(number, str(number))])
    kept = journal.refusals("o", "g", 10_000)
    assert len(kept) == KEPT_REFUSALS
    assert [kept[0].reason, kept[-1].reason] == [str(KEPT_REFUSALS + 4), "5"]
    (known,) = journal.presences()
    assert known.refused == KEPT_REFUSALS + 7


async def test_a_gateway_that_left_is_known_to_have_until_it_is_heard_again(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    said = Entry("in/o/g/~", 5, [], says="offline")
    append(journal, [said])
    assert journal.presences() == [Presence("o", "g", left=5)]
    append(journal, [entry(7)])
    assert journal.presences() == [Presence("o", "g", accepted=1, last_seen=7, left=5)]
    assert (await journal.read(0))[0].entries == [said]


def test_a_journal_from_before_last_wills_is_read_on(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).close()
    with closing(sqlite3.connect(tmp_path / "journal")) as db:
        db.executescript(
            "drop table gateways; create table gateways (organisation text, gateway text, accepted integer not null,"
            " refused integer not null, last_seen integer not null, primary key (organisation, gateway)) without rowid;"
            " insert into gateways values ('o', 'g', 1, 2, 3)"
        )
    assert SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).presences() == [Presence("o", "g", 1, 2, 3)]


@pytest.mark.parametrize(
    ("payload", "shown", "encoding"),
    [
        (b"\xff\x00", "/wA=", "base64"),
        ("é".encode() * 600, "é" * 512, None),
        (b"a" + "é".encode() * 600, "a" + "é" * 511, None),
    ],
)
def test_a_refused_payload_is_kept_up_to_a_kilobyte(
    tmp_path: Path, payload: bytes, shown: str, encoding: str | None
) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    append(journal, [entry(1, "bad", payload=payload)])
    (kept,) = journal.refusals("o", "g", 1)
    assert (kept.payload, kept.encoding) == (shown, encoding)


def test_messages_without_times_are_remembered_by_their_packet_id(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    append(journal, [entry(1)], untimed={5: Untimed(1, 2, 3), 6: Untimed(4, 5, 6)})
    append(journal, [entry(2)], untimed={5: Untimed(7, 8, 9)})
    journal.close()
    assert SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).untimed() == {5: Untimed(7, 8, 9), 6: Untimed(4, 5, 6)}


def test_a_reader_finds_nothing_where_there_is_no_journal_yet(tmp_path: Path) -> None:
    assert SqliteReader(tmp_path / "journal").read(0) == []


async def test_a_batch_of_nothing_is_refused_and_not_written(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)) as journal:
        with pytest.raises(ValueError, match="at least one entry"):
            append(journal, [], {"live": 1})
        assert (journal.last, journal.place("live"), await journal.read(0)) == (0, 0, [])


def test_numbers_go_on_from_the_readers_places_alone_after_everything_was_trimmed(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=ROOM)
    batch = append(journal, [entry(1)], {"live": 1, "messages": 1_000})
    journal.trim(batch.seq)
    journal.close()
    assert SqliteJournal(tmp_path / "journal", limit_bytes=ROOM).last == batch.seq
