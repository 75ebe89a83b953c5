"""What only a store on a server can do: be away, ask for a password, refuse what is too large."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, TypeAlias

import pytest

from broker.errors import Malformed, StoreRejected, StoreUnavailable
from broker.points import Point, Row
from broker.store.influx import InfluxStore, prepare
from broker.store.influxserver import Account
from broker.store.open import open_stores
from broker.times import EARLIEST, LATEST
from mitoyen.ports import free_ports
from tests.servers import Influxd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Connect: TypeAlias = Callable[[str, Account | None], InfluxStore]

ADMIN = Account("admin", "o'brien\\\n\"$")
WRITER = Account("mitoyen writer", 'a"b\\')
READER = Account("reader", "''")
POINT = Point(0, 1.5)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A server with users, databases `city_raw` and `city_released`, and a limit of 200 kB a request."""
    with Influxd(tmp_path_factory.mktemp("guarded"), auth=True, max_body_size=200_000) as server:
        server.create_admin(ADMIN.name, ADMIN.password)
        prepare(server.url, "city", admin=ADMIN, writer=WRITER, reader=READER)
        yield server


@pytest.fixture
def connect(guarded: Influxd) -> Iterator[Connect]:
    """Opens stores on that server, and closes them after the test."""
    with ExitStack() as stack:
        yield lambda database, account: stack.enter_context(
            closing(InfluxStore(guarded.url, database, account=account))
        )


def points(store: InfluxStore, stream: str) -> list[Point]:
    return store.read(stream, EARLIEST, LATEST, limit=1_000)


def test_the_writer_may_use_both_and_the_reader_only_read_what_was_released(connect: Connect) -> None:
    for which in ("city_raw", "city_released"):
        writer = connect(which, WRITER)
        writer.write([Row("users", POINT)])
        assert points(writer, "users") == [POINT]
    released = connect("city_released", READER)
    assert points(released, "users") == [POINT]
    assert released.latest(["users"]) == {"users": POINT}
    for forbidden in (lambda: released.write([Row("users", POINT)]), lambda: released.erase("users")):
        with pytest.raises(StoreUnavailable, match="refuses the user"):
            forbidden()
    with pytest.raises(StoreUnavailable):
        points(connect("city_raw", READER), "users")


def test_preparing_again_changes_nothing(guarded: Influxd, connect: Connect) -> None:
    store = connect("city_raw", WRITER)
    store.write([Row("again", POINT)])
    prepare(guarded.url, "city", admin=ADMIN, writer=WRITER, reader=READER)
    assert points(store, "again") == [POINT]


def test_preparing_does_not_change_the_password_of_a_user_who_exists(guarded: Influxd) -> None:
    with pytest.raises(StoreUnavailable, match="user already exists"):
        prepare(guarded.url, "city", admin=ADMIN, writer=Account(WRITER.name, "another"))


@pytest.mark.parametrize("account", [None, Account("nobody", "x"), Account(WRITER.name, "wrong")])
def test_a_wrong_password_is_said_and_can_be_mended(
    guarded: Influxd, connect: Connect, account: Account | None
) -> None:
    store = connect("city_raw", account)
    for call in (
        lambda: store.write([Row("s", POINT)]),
        lambda: points(store, "s"),
        lambda: store.erase("s"),
    ):
        with pytest.raises(StoreUnavailable, match="refuses the user and password"):
            call()
    with pytest.raises(StoreUnavailable, match="refuses the user and password"):
        prepare(guarded.url, "city", admin=account)


def test_a_batch_that_is_too_large_is_divided_and_a_row_that_is_too_large_refused(connect: Connect) -> None:
    store = connect("city_raw", WRITER)
    rows = [Row("large", Point(number, number, "", f'"{"x" * 900}"')) for number in range(1_000)]
    huge = Row("large", Point(1_000, "x" * 200_000))
    with pytest.raises(StoreRejected, match="larger than the server takes") as refused:
        store.write([*rows, huge])
    assert refused.value.rows == [huge]
    assert points(store, "large") == [row.point for row in rows]


def test_a_database_that_does_not_exist_is_a_fault_of_the_operator_and_not_of_the_rows(
    connect: Connect,
) -> None:
    store = connect("nowhere", ADMIN)
    for call in (lambda: store.write([Row("s", POINT)]), lambda: points(store, "s")):
        with pytest.raises(StoreUnavailable, match="database not found"):
            call()


def test_a_server_that_is_away_is_told_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    server = Influxd(tmp_path)
    with server:
        prepare(server.url, "away")
        store = InfluxStore(server.url, "away_raw")
        store.write([Row("s", POINT)])
        server.stop()
        calls = (
            lambda: store.write([Row("s", POINT)]),
            lambda: points(store, "s"),
            lambda: store.latest(["s"]),
            lambda: store.erase("s"),
        )
        for call in calls:
            with pytest.raises(StoreUnavailable, match="does not answer"):
                call()
        server.start()
        assert points(store, "s") == [POINT]
        store.write([Row("s", Point(1, "back"))])
        assert store.latest(["s"]) == {"s": Point(1, "back")}
        store.close()


def test_a_server_that_never_answered_is_told_too() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        prepare(f"http://127.0.0.1:{free_ports(1)[0]}", "away")


@pytest.mark.parametrize(
    "url",
    [
        "http://admin:secret@localhost:8086",
        "http://admin@localhost",
        "localhost:8086",
        "ftp://localhost",
        "",
        "http://",
        "http://h?p=secret",
        "http://admin:secret",
    ],
)
def test_an_address_with_a_password_or_without_a_host_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed) as refused:
        open_stores(f"influx:{url}", tmp_path, prefix="city")
    assert "secret" not in str(refused.value)
    assert not list(tmp_path.iterdir())
