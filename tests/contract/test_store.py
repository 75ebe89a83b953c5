"""What every store of points does, on each implementation, InfluxDB on a real server."""

from __future__ import annotations

import math
import os
import secrets
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import StoreRejected
from broker.points import Columns, Point, Row
from broker.store.influx import InfluxStore, prepare, prepare_buckets
from broker.store.influxserver import Token
from broker.store.open import open_released, open_stores
from broker.store.sqlite import SqliteStore
from broker.times import DAY, EARLIEST, LATEST, SECOND, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.points import Value
    from broker.store.protocol import Store

NOON = parse("2026-11-22T12:00:00Z")
LEAST, MOST = -(2**63), 2**63 - 1
# Hypothesis reaches 1678 and 2261 in one test; with weekly shards InfluxDB would open 30,000 of them
SHARD = "5000w"

URL, TOKEN, ORGANISATION = (f"MITOYEN_TEST_INFLUX_{name}" for name in ("URL", "TOKEN", "ORGANISATION"))

texts = st.text(max_size=20) | st.text(alphabet="\\\"', =\n\r\t%;#\x00é\ue000😀ab", max_size=12)
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(LEAST, MOST) | st.booleans() | texts
times = st.integers(EARLIEST, LATEST - 1)
rows = st.builds(Row, texts, st.builds(Point, times, values, texts, texts))

_numbers = count()


@pytest.fixture(scope="module", params=["sqlite", "influx", "influx2"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "sqlite":
        opened: Store = SqliteStore(tmp_path_factory.mktemp("store") / "points.sqlite")
    elif request.param == "influx2":
        opened = real_influx2()
    else:
        server = request.getfixturevalue("influxd")
        prepare(server.url, "contract", shard=SHARD)
        opened = InfluxStore(server.url, "contract_raw")
    yield opened
    opened.close()


def real_influx2() -> Store:
    """On the server that the environment names, in buckets `contract_…` of its own."""
    if URL not in os.environ:
        pytest.skip(f"no InfluxDB 2.x can be had from Debian or PyPI: {URL}, {TOKEN} and {ORGANISATION} name one")
    token = Token(os.environ[ORGANISATION], os.environ[TOKEN])
    prefix = f"contract_{secrets.token_hex(6)}"
    prepare_buckets(os.environ[URL], prefix, token)
    return InfluxStore(os.environ[URL], f"{prefix}_raw", account=token)


@pytest.fixture
def stream() -> str:
    """The name of a stream that no other test uses."""
    return unused()


def unused() -> str:
    return f"air-agency/no2-{next(_numbers)}"


def everything(store: Store, stream: str) -> list[Point]:
    return store.read(stream, EARLIEST, LATEST, limit=1_000_000)


def bits(value: Value) -> tuple[type, Value | bytes]:
    """Tells apart what == does not: -0.0 and 0.0, 1 and 1.0 and True."""
    return type(value), struct.pack("d", value) if isinstance(value, float) else value


def same(left: Point, right: Point) -> bool:
    return left == right and bits(left.value) == bits(right.value)


@given(st.lists(rows, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read_exactly(store: Store, batch: list[Row]) -> None:
    store.write(batch)
    kept = {(row.stream, row.point.cursor): row.point for row in batch}
    for (stream, (moment, key)), point in kept.items():
        columns = store.columns(stream, moment, moment + 1, limit=1_000)
        at = list(columns.keys).index(key)
        assert same(Point(columns.times[at], columns.values[at], key, point.extra), point)
        found = {one.key: one for one in store.read(stream, moment, moment + 1, limit=1_000)}
        assert same(found[key], point)


@pytest.mark.parametrize(
    "value",
    [
        0.0,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        0.1,
        1.0,
        1e22,
        2.0**53,
        0,
        1,
        -1,
        2**53 + 1,
        LEAST,
        MOST,
        True,
        False,
        "",
        "true",
        "1",
        "1.0",
        "null",
        "NaN",
        "a\nb",
        'a"b',
        "a\\",
        '\\"',
        "\x00",
        "é😀",
        "x" * 4096,
    ],
)
def test_a_value_keeps_its_bits_and_its_type(store: Store, stream: str, value: Value) -> None:
    store.write([Row(stream, Point(NOON, value))])
    (found,) = everything(store, stream)
    assert same(found, Point(NOON, value))


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a,b",
        "a=b",
        "a\\",
        "\\",
        "\\,",
        "a\nb",
        "%",
        "%41",
        "'",
        '"',
        "#",
        ",stream=b",
        "é/😀",
        " ",
        "\x00",
        "' OR '1'='1",
        "'; DROP SERIES FROM points; --",
        "$stream",
        "a value=1 1\npoints,stream=b value=2",
        "😀" * 200,
    ],
)
def test_a_text_is_only_a_text_wherever_it_stands(store: Store, stream: str, text: str) -> None:
    bystander = Row(stream, Point(NOON, 1))
    guest = Row(f"{stream}{text}", Point(NOON, text, text, text))
    store.write([bystander, guest])
    assert everything(store, guest.stream) == [guest.point]
    assert store.latest([guest.stream]) == {guest.stream: guest.point}
    store.erase(guest.stream)
    assert everything(store, guest.stream) == []
    assert everything(store, stream) == [bystander.point]


def test_times_at_both_ends_are_kept_to_the_nanosecond(store: Store, stream: str) -> None:
    moments = [EARLIEST, -1, 0, 1, NOON, NOON + 1, LATEST - 1]
    store.write([Row(stream, Point(moment, 1)) for moment in reversed(moments)])
    assert [point.time for point in everything(store, stream)] == moments


def test_a_point_written_twice_is_one(store: Store, stream: str) -> None:
    batch = [Row(stream, Point(NOON, 1.5, "key", "{}"))]
    store.write(batch)
    store.write(batch)
    assert everything(store, stream) == [batch[0].point]


@given(st.lists(st.tuples(values, texts), min_size=2, max_size=6), st.sampled_from([1, 6]))
@settings(max_examples=40, deadline=None)
def test_the_last_value_and_extra_win_whatever_their_types(
    store: Store, versions: list[tuple[Value, str]], together: int
) -> None:
    stream = unused()
    points = [Point(NOON, value, "", extra) for value, extra in versions]
    batch = [Row(stream, point) for point in points]
    for first in range(0, len(batch), together):
        store.write(batch[first : first + together])
    (found,) = everything(store, stream)
    assert same(found, points[-1])
    assert same(store.latest([stream])[stream], points[-1])


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["", "a", "b", "é", "😀", "\ue000", "a b"]), st.integers(0, 9))
    ),
    st.integers(1, 7),
    st.integers(-1, 5),
    st.integers(-1, 5),
)
@settings(max_examples=60, deadline=None)
def test_pages_hold_each_point_once_and_in_order(
    store: Store, given: list[tuple[int, str, int]], limit: int, start: int, end: int
) -> None:
    stream = unused()
    points = [Point(NOON + moment, value, key) for moment, key, value in given]
    store.write([Row(stream, point) for point in points])
    last = {point.cursor: point for point in points}
    expected = [last[place] for place in sorted(last) if start <= place[0] - NOON < end]

    found: list[Point] = []
    while page := store.read(stream, NOON + start, NOON + end, after=found[-1].cursor if found else None, limit=limit):
        assert len(page) <= limit
        found += page
    assert found == expected
    after = None
    while columns := store.columns(stream, NOON + start, NOON + end, after=after, limit=limit):
        assert columns == Columns.of(found[: len(columns)])
        after, found = columns.cursor, found[len(columns) :]
    assert not found


def test_start_is_included_and_end_is_not(store: Store, stream: str) -> None:
    store.write([Row(stream, Point(NOON + second * SECOND, second)) for second in range(4)])
    found = store.read(stream, NOON + SECOND, NOON + 3 * SECOND, limit=10)
    assert [point.value for point in found] == [1, 2]


def test_a_cursor_outside_the_range_reads_all_of_it_or_nothing(store: Store, stream: str) -> None:
    point = Point(NOON, 1)
    store.write([Row(stream, point)])
    for before in (NOON - DAY, LEAST - 1):
        assert store.read(stream, NOON, NOON + 1, after=(before, "z"), limit=9) == [point]
    for behind in (NOON + 1, NOON + DAY, MOST + 1):
        assert store.read(stream, NOON, NOON + 1, after=(behind, ""), limit=9) == []
        assert not store.columns(stream, NOON, NOON + 1, after=(behind, ""), limit=9)


def test_a_cursor_need_not_name_a_point_that_exists(store: Store, stream: str) -> None:
    store.write([Row(stream, Point(NOON + moment, 1, key)) for moment in (0, 2) for key in "ac"])
    found = store.read(stream, NOON, NOON + 3, after=(NOON, "b"), limit=9)
    assert [point.cursor for point in found] == [(NOON, "c"), (NOON + 2, "a"), (NOON + 2, "c")]
    assert store.read(stream, NOON, NOON + 3, after=(NOON + 1, "z"), limit=9) == found[1:]


def test_a_range_without_time_and_a_limit_of_none_hold_nothing(store: Store, stream: str) -> None:
    store.write([Row(stream, Point(NOON, 1))])
    assert store.read(stream, NOON, NOON, limit=9) == []
    assert store.read(stream, NOON + 1, NOON, limit=9) == []
    assert store.read(stream, LEAST - 1, MOST + 1, limit=0) == []
    assert not store.columns(stream, NOON + 1, NOON, limit=9)
    assert not store.columns(stream, LEAST - 1, MOST + 1, limit=0)
    assert store.read(stream, LEAST - 1, MOST + 1, limit=9) == [Point(NOON, 1)]


def test_an_unknown_stream_has_no_points(store: Store, stream: str) -> None:
    assert everything(store, stream) == []
    assert store.latest([stream]) == {}
    assert store.latest([]) == {}
    store.erase(stream)
    store.write([])


def test_more_points_than_one_answer_holds_are_read_at_once(store: Store, stream: str) -> None:
    points = [Point(NOON + number // 3, number, "abc"[number % 3]) for number in range(21_000)]
    store.write([Row(stream, point) for point in points])
    assert everything(store, stream) == points
    assert store.read(stream, NOON, LATEST, after=points[4].cursor, limit=20_000) == points[5:20_005]


def test_latest_is_the_greatest_time_and_of_these_the_greatest_key(store: Store) -> None:
    now = time.time_ns()
    expected: dict[str, Point] = {}
    batch: list[Row] = []
    for number in range(230):  # more than one query asks for
        stream = unused()
        moment = [now, now - 400 * DAY, now + 400 * DAY, NOON][number % 4]
        expected[stream] = Point(moment, number, ["", "é", "😀"][number % 3], "{}")
        batch += [Row(stream, Point(moment - 1, 0, "😀😀")), Row(stream, expected[stream])]
        batch += [Row(stream, Point(moment, 0, key)) for key in ("", "a", "z")[: number % 3 and 3]]
    store.write(batch)
    assert store.latest([*expected, *expected, unused()]) == expected


def test_an_erased_stream_is_gone_and_can_be_written_again(store: Store, stream: str) -> None:
    other = unused()
    store.write([Row(name, Point(NOON + n * 200 * DAY, n, f"k{n}")) for name in (stream, other) for n in range(9)])
    store.erase(stream)
    assert everything(store, stream) == []
    assert store.latest([stream, other]).keys() == {other}
    assert len(everything(store, other)) == 9
    store.write([Row(stream, Point(NOON, "new"))])
    assert everything(store, stream) == [Point(NOON, "new")]


def test_rows_that_can_never_be_kept_are_named_and_the_rest_is_kept(store: Store, stream: str) -> None:
    good = [Row(stream, Point(NOON + number, number, "", "{}")) for number in range(300)]
    bad = [
        Row(stream, Point(NOON + 1, MOST + 1)),
        Row(stream, Point(NOON + 1, math.nan)),
        Row(stream, Point(NOON + 1, math.inf)),
        Row(stream, Point(NOON + 1, -math.inf)),
        Row(stream, Point(MOST + 1, 1)),
        Row(stream, Point(NOON + 1, "\ud800")),
        Row(stream, Point(NOON + 1, 1, "\ud800")),
        Row(stream, Point(NOON + 1, 1, "", "\ud800")),
        Row("\ud800", Point(NOON + 1, 1)),
    ]
    batch = [*good[:100], *bad[:5], *good[100:], *bad[5:]]
    with pytest.raises(StoreRejected) as refused:
        store.write(batch)
    assert list(map(id, refused.value.rows)) == list(map(id, bad))
    assert everything(store, stream) == [row.point for row in good]


def test_a_refusal_does_not_show_what_was_in_the_row(store: Store, stream: str) -> None:
    secret = "urn:epc:id:giai:0614141.12345400"
    with pytest.raises(StoreRejected) as refused:
        store.write([Row(stream, Point(MOST + 1, "it's", secret, f'{{"tag": "{secret}"}}'))])
    assert secret not in str(refused.value)


def test_several_threads_may_read_at_once(store: Store, stream: str) -> None:
    points = [Point(NOON + number, number) for number in range(500)]
    store.write([Row(stream, point) for point in points])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: everything(store, stream), range(40)))
    assert all(answer == points for answer in answers)
    with ThreadPoolExecutor(8) as pool:
        assert all(answer == points for answer in pool.map(lambda _: everything(store, stream), range(8)))


@pytest.mark.parametrize("kind", ["sqlite", "influx"])
def test_the_raw_and_the_released_store_are_two(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    home, spec, prefix = tmp_path_factory.mktemp("home"), "sqlite", "two"
    if kind == "influx":
        spec = f"influx:{request.getfixturevalue('influxd').url}"
        prepare(spec.removeprefix("influx:"), prefix)
    raw, released = open_stores(spec, home, prefix=prefix)
    public = open_released(spec, home, prefix=prefix)
    raw.write([Row("s", Point(NOON, 1))])
    released.write([Row("s", Point(NOON, 2))])
    assert [everything(one, "s")[0].value for one in (raw, released, public)] == [1, 2, 2]
    for one in (raw, released, public):
        one.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["", "a", "é"])), max_size=12),
    st.integers(-1, 8),
    st.integers(-1, 8),
    st.none() | st.tuples(st.integers(-1, 8), st.sampled_from(["", "b"])),
    st.integers(1, 5),
)
def test_the_newest_first_is_the_same_the_other_way_round_and_a_count_counts(
    store: Store,
    places: list[tuple[int, str]],
    start: int,
    end: int,
    after: tuple[int, str] | None,
    limit: int,
) -> None:
    stream = unused()
    store.write([Row(stream, Point(time, 1.0, key)) for time, key in places])
    inside = sorted({place for place in places if start <= place[0] < end}, reverse=True)
    expected = [place for place in inside if after is None or place < after][:limit]
    found = store.read(stream, start, end, after=after, limit=limit, newest_first=True)
    assert [point.cursor for point in found] == expected
    assert store.count(stream, start, end) == len(inside)


def test_points_under_erased_keys_are_gone_and_all_others_stay(store: Store, stream: str) -> None:
    rows = [
        Row(stream, Point(time, key.split("|")[0], key)) for time in (1, 2) for key in ("a|x|1", "a|y's|2", "b|x|1")
    ]
    store.write([*rows, Row(stream + "2", Point(1, "a", "a|x|1"))])
    store.erase_keys(stream, ["a|x|1", "a|y's|2", "never|seen|1"])
    assert [point.key for point in store.read(stream, 0, 10, limit=10)] == ["b|x|1", "b|x|1"]
    assert len(store.read(stream + "2", 0, 10, limit=10)) == 1
