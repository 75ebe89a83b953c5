"""What only a store in a file meets: other processes, a full disk, a file that is missing or not its own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker.errors import StoreUnavailable
from broker.points import Point, Row
from broker.store import sqlite
from broker.store.sqlite import SqliteStore
from broker.times import EARLIEST, LATEST

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 50
# counts what is there, again and again, until all of it is; every count must be of whole batches
READER = f"""
import sys
from pathlib import Path
from broker.store.sqlite import SqliteStore
store, wanted, seen = SqliteStore(Path(sys.argv[1]), readonly=True), int(sys.argv[2]), set()
while (found := len(store.read("s", 0, 10**9, limit=10**6))) < wanted:
    assert found % {BATCH} == 0, found
    if found not in seen:
        print(found, flush=True)
    seen.add(found)
"""


def batch(number: int) -> list[Row]:
    return [Row("s", Point(number * BATCH + n, n)) for n in range(BATCH)]


def everything(store: SqliteStore, stream: str = "s") -> list[Point]:
    return store.read(stream, EARLIEST, LATEST, limit=1_000_000)


def test_another_process_reads_whole_batches_while_this_one_writes(tmp_path: Path) -> None:
    path, wanted = tmp_path / "points.sqlite", 40
    command = [sys.executable, "-c", READER, str(path), str(wanted * BATCH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "0\n"  # it reads before there is a file
        with closing(SqliteStore(path)) as store:
            store.write(batch(0))
            assert reader.stdout.readline() == f"{BATCH}\n"  # and sees it appear
            for number in range(1, wanted):
                store.write(batch(number))
            assert reader.wait(30) == 0


def test_a_missing_file_is_an_empty_store_until_somebody_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a b%41?#" / "points.sqlite"
    reader = SqliteStore(path, readonly=True)
    assert everything(reader) == []
    assert reader.latest(["s"]) == {}
    path.parent.mkdir()
    sqlite3.connect(path).close()  # a file without tables: another process is about to make them
    path.touch()
    assert everything(reader) == []
    with closing(SqliteStore(path)) as writer:
        writer.write(batch(0))
        assert len(everything(reader)) == BATCH
    assert len(everything(reader)) == BATCH
    reader.close()
    assert [file.name for file in path.parent.parent.iterdir()] == [path.parent.name]


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    path = tmp_path / "points.sqlite"
    with closing(SqliteStore(path)), closing(SqliteStore(path, readonly=True)) as reader:
        with pytest.raises(StoreUnavailable, match="reading only"):
            reader.write(batch(0))
        with pytest.raises(StoreUnavailable, match="reading only"):
            reader.erase("s")
        with reader._reading() as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM points")


def test_points_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "points.sqlite"
    for number in range(3):
        with closing(SqliteStore(path)) as store:
            store.write(batch(number))
            assert len(everything(store)) == (number + 1) * BATCH
        assert [file.name for file in tmp_path.iterdir()] == ["points.sqlite"]  # the log is folded in


def test_every_batch_is_on_the_disk_before_write_returns(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "points.sqlite")) as store:
        full = 2
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (full,)
        assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_disk_keeps_nothing_of_a_batch_and_takes_it_when_there_is_room(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "points.sqlite")) as store:
        store.write(batch(0))
        store._writer.execute("PRAGMA max_page_count = 20")
        large = [Row(f"new-{n}", Point(n, "x" * 1_000)) for n in range(500)]
        with pytest.raises(StoreUnavailable, match="full"):
            store.write(large)
        assert store.latest([row.stream for row in large]) == {}
        store._writer.execute("PRAGMA max_page_count = 1000000")
        store.write(large)
        assert len(store.latest([row.stream for row in large])) == 500
        assert len(everything(store)) == BATCH


def test_a_file_that_another_process_holds_is_unavailable_and_later_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_WAIT_S", 0.0)
    path = tmp_path / "points.sqlite"
    with closing(SqliteStore(path)) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.write(batch(0))
        assert everything(store) == []
        other.rollback()
        store.write(batch(0))
        assert len(everything(store)) == BATCH


def test_a_file_of_something_else_or_of_a_later_version_is_unavailable(tmp_path: Path) -> None:
    noise, later = tmp_path / "noise.sqlite", tmp_path / "later.sqlite"
    noise.write_bytes(b"not a database" * 1_000)
    with closing(sqlite3.connect(later)) as db:
        db.execute("PRAGMA user_version = 99")
    for path, said in ((noise, "not a database"), (later, "format 99")):
        with pytest.raises(StoreUnavailable, match=said):
            SqliteStore(path)
        with pytest.raises(StoreUnavailable, match=said):
            everything(SqliteStore(path, readonly=True))


def test_what_is_erased_is_nowhere_in_the_files(tmp_path: Path) -> None:
    secret = "urn:epc:id:giai:0614141.12345400"
    with closing(SqliteStore(tmp_path / "points.sqlite")) as store:
        store.write([Row("s", Point(n, 1, f"{secret}.{n}", "{}")) for n in range(5_000)])
        store.write([Row("other", Point(n, 1)) for n in range(100)])
        assert len(everything(store)) == 5_000
        assert any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
        store.erase("s")
        assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
        assert len(everything(store, "other")) == 100


def test_a_store_may_be_closed_while_it_is_read_and_says_that_it_is_closed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "points.sqlite")
    store.write(batch(0))
    inside, leave = threading.Event(), threading.Event()

    def read_slowly() -> None:
        with store._reading():
            inside.set()
            assert leave.wait(10)

    thread = threading.Thread(target=read_slowly)
    thread.start()
    assert inside.wait(10)
    store.close()
    leave.set()
    thread.join()
    assert not store._readers
    for call in (lambda: everything(store), lambda: store.write(batch(1)), lambda: store.erase("s")):
        with pytest.raises(StoreUnavailable, match="closed"):
            call()
