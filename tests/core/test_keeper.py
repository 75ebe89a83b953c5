"""The keeper on real files, with a clock of the test's own: what is released when, once, and what is not."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import h3
import pytest

from broker import keys, times
from broker.entry import Entry
from broker.errors import StoreRejected, StoreUnavailable
from broker.identity import identity
from broker.journal.protocol import NOTHING, Batch
from broker.journal.sqlite import SqliteJournal, SqliteReader
from broker.keeper import watch
from broker.keeper.keeper import Keeper, KeeperSettings
from broker.keeper.progress import Progress, kept
from broker.licence import Terms
from broker.metrics import WITHHELD
from broker.model import Caller, Datastream, Gateway, Offer, OfferId, Organisation, OrganisationId, Release, ReleaseId
from broker.place import Place
from broker.points import Point, Row, tag_key
from broker.privacy.keys import PseudonymKeys
from broker.privacy.profile import (
    Aggregate,
    Clip,
    Delay,
    GeneraliseLocation,
    Noise,
    Operator,
    Profile,
    Pseudonymise,
    Quantise,
    RoundTime,
    Sample,
)
from broker.privacy.suitability import may_share
from broker.registry.registry import Registry
from broker.store.sqlite import SqliteStore
from broker.tables.sqlite import SqliteSource, SqliteTables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.keeper.plan import Feed
    from broker.registry.snapshot import Snapshot

OWNER = OrganisationId("o")
BEGIN = times.parse("2026-01-01T00:00:00Z")
S, M = times.SECOND, times.MINUTE
LATENESS = 20 * S
MEAN = Aggregate("aggregate", "PT5M", ("mean", "count"))
COUNT = Aggregate("aggregate", "PT5M", ("count",), k=5)
CELLS = GeneraliseLocation("generalise_location", 8)
BY_CELL = Aggregate("aggregate", "PT5M", ("mean", "count"), "cell", 5)
LYON = Place(4.8357, 45.764)
DAILY = Pseudonymise("pseudonymise", "P1D")
TAG = "urn:epc:id:sgtin:0614141.812345.{}"


@dataclass
class Heard:
    """Stands where MQTT would: what was published, in order."""

    points: list[Point] = field(default_factory=list)
    by_stream: list[tuple[str, Point]] = field(default_factory=list)
    retained: dict[str, Point] = field(default_factory=dict)
    retained_wanted: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    away: bool = False

    def tell(self, topic: str, payload: bytes) -> bool:
        if self.away:
            return False
        if payload:
            self.told[topic] = json.loads(payload)
        elif topic.startswith("live/"):
            self.retained.pop(topic, None)
        else:
            del self.told[topic]
        return True

    def follow(self, _snapshot: Snapshot) -> frozenset[OfferId]:
        return frozenset()

    def publish(self, feed: Feed, points: list[Point]) -> None:
        self.points.extend(points)
        self.by_stream.extend((feed.stream, point) for point in points)
        self.retained |= {shown.topic(point): point for shown in feed.shown_by for point in points}

    def wants_retained(self) -> bool:
        wanted, self.retained_wanted = self.retained_wanted, False
        return wanted

    def forward(self) -> None:
        pass


class Bench:
    """A home on disk, and a keeper that can be killed and begun again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.now = BEGIN
        self.registry = Registry.in_home(home)
        self.registry.migrate()
        self.registry.add_organisation(Organisation(OWNER, "O"), "key", 0)
        self.registry.add_gateway(Gateway(OWNER, "g", "g", "json", (keys.account("g", "p"),)), 0)
        self.journal = SqliteJournal(home / "journal", limit_bytes=64 << 20)
        self.raw, self.released = SqliteStore(home / "raw"), SqliteStore(home / "released")
        self.heard = Heard()
        self._numbers = itertools.count()
        self.reported: list[tuple[str, int, int]] = []
        self.keeper = self.begin()

    def begin(self) -> Keeper:
        self.heard = Heard()
        self.keeper = Keeper(
            registry=self.registry,
            journal=SqliteReader(self.home / "journal"),
            progress=Progress(SqliteTables(self.home / "keeper")),
            raw=self.raw,
            released=self.released,
            keys=PseudonymKeys(self.home / "pseudonyms", self.home / "wrapping"),
            hash_of=lambda epc: epc[-32:],
            live=self.heard,
            say=lambda _: None,
            settings=KeeperSettings(LATENESS),
            report=self.reported.extend,
            clock=lambda: self.now,
        )
        return self.keeper

    def datastream(self, name: str, **more: Any) -> Datastream:
        made = Datastream(OWNER, name, "g", more.pop("kind", "measurement"), **more)
        self.registry.add_datastream(made, self.now)
        return made

    def offer(self, datastream: Datastream, *operators: Operator) -> str:
        """Returns the stream that it shows."""
        return self.offer_of([datastream], *operators)

    def offer_of(self, datastreams: list[Datastream], *operators: Operator) -> str:
        """Returns the stream that it shows of the first."""
        name, profile = OfferId(f"offer-{next(self._numbers)}"), Profile("p", operators)
        streams = [identity(name, one, profile, shared=may_share(profile, one)) for one in datastreams]
        releases = tuple(
            Release(ReleaseId(f"{name}-{one.id}"), name, one, stream)
            for one, stream in zip(datastreams, streams, strict=True)
        )
        self.registry.add_offer(Offer(name, OWNER, profile, Terms("CC0-1.0", "", ("any",)), releases, self.now))
        return streams[0]

    def receive(self, datastream: Datastream, *points: Point) -> None:
        """As the ingester would: journalled at the present."""
        self.journal.append([Entry(f"in/o/g/{datastream.id}", self.now, list(points))], NOTHING, _safe)

    def settle(self, at: int | None = None) -> None:
        """Let the keeper do all there is to do, at this time."""
        self.now = self.now if at is None else at
        while self.keeper.step():
            pass
        self.keeper.speak()

    def shown(self, stream: str) -> list[Point]:
        return self.released.read(stream, times.EARLIEST, times.LATEST, limit=100_000)

    def values(self, stream: str) -> list[tuple[int, object]]:
        """(seconds since BEGIN, value)."""
        return [((p.time - BEGIN) // S, p.value) for p in self.shown(stream)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def at(seconds: float, value: Any = 1.0) -> Point:
    return Point(BEGIN + int(seconds * S), value)


def read_of(seconds: float, tag: int) -> Point:
    return Point(BEGIN + int(seconds * S), TAG.format(tag), tag_key(TAG.format(tag), "gate", 1))


def test_records_are_shown_as_they_come_and_what_was_there_before_the_offer_too(bench: Bench) -> None:
    stream = bench.datastream("d")
    bench.receive(stream, at(1), at(2))
    bench.settle()
    shown = bench.offer(stream, Clip("clip", 0, 5), Quantise("quantise", 0.5))
    bench.settle()
    bench.receive(stream, at(3, 9.0))
    bench.settle()
    assert bench.values(shown) == [(1, 1.0), (2, 1.0), (3, 5)]


def test_a_window_is_released_when_it_is_due_and_once(bench: Bench) -> None:
    stream = bench.datastream("d")
    shown = bench.offer(stream, MEAN)
    bench.receive(stream, at(10, 1.0), at(20, 3.0), at(310, 7.0))
    bench.settle(BEGIN + 5 * M + LATENESS - 1)
    assert not bench.shown(shown)
    bench.settle(BEGIN + 5 * M + LATENESS)
    assert bench.values(shown) == [(0, 2.0)]
    bench.settle(BEGIN + 20 * M)
    assert bench.values(shown) == [(0, 2.0), (300, 7.0)]
    assert bench.heard.points == bench.shown(shown)


def test_windows_that_are_due_together_are_written_together_and_one_that_is_refused_counts_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [bench.datastream(f"d{number}") for number in range(20)]
    shown = [bench.offer(stream, MEAN) for stream in streams]
    bench.settle()
    for number, stream in enumerate(streams):
        bench.receive(stream, at(10, float(number)))
    bench.settle()
    written: list[int] = []

    def write(rows: list[Row]) -> None:
        written.append(len(rows))
        SqliteStore.write(bench.released, [row for row in rows if row.stream != shown[7]])
        if refused := [row for row in rows if row.stream == shown[7]]:
            raise StoreRejected("no", refused)

    monkeypatch.setattr(bench.released, "write", write)
    bench.settle(BEGIN + 10 * M)
    assert written == [20]
    assert [bench.values(one) for one in shown] == [[] if n == 7 else [(0, float(n))] for n in range(20)]
    said = {(stream, fate): count for stream, fate, count in kept(SqliteSource(bench.home / "keeper")).tallies}
    assert [said.get((one, "store_rejected"), 0) for one in shown] == [int(n == 7) for n in range(20)]


def test_what_comes_late_revises_history_and_never_live(bench: Bench) -> None:
    stream = bench.datastream("d")
    shown = bench.offer(stream, MEAN)
    bench.receive(stream, at(10, 1.0))
    bench.settle(BEGIN + 10 * M)
    (before,) = bench.shown(shown)
    bench.receive(stream, at(10, 1.0))
    bench.settle(BEGIN + 11 * M)
    assert bench.shown(shown) == [before]
    for _ in range(2):
        bench.receive(stream, at(20, 3.0))
        bench.settle(bench.now + M)
    (after,) = bench.shown(shown)
    assert json.loads(after.extra) == {
        "until": times.text(BEGIN + 5 * M),
        "statistics": {"mean": 2.0, "count": 2},
        "revised": times.text(BEGIN + 12 * M),
    }
    assert [p.value for p in bench.heard.points] == [1.0]


def test_a_window_of_personal_data_is_never_opened_again(bench: Bench) -> None:
    stream = bench.datastream("gate", kind="rfid", personal_data=True)
    shown = bench.offer(stream, COUNT)
    bench.now = BEGIN + 1
    bench.receive(stream, *(read_of(300 + n, n) for n in range(5)))
    bench.settle(BEGIN + 11 * M)
    assert bench.values(shown) == [(300, 5)]
    bench.receive(stream, *(read_of(300 + n, n) for n in range(5, 9)))
    late = withheld("late")
    bench.settle(BEGIN + 12 * M)
    assert bench.values(shown) == [(300, 5)]
    assert withheld("late") == late + 4


def test_a_window_holds_all_that_came_before_it_was_due_also_where_the_keeper_was_behind(bench: Bench) -> None:
    stream = bench.datastream("gate", kind="rfid", personal_data=True)
    shown = bench.offer(stream, COUNT)
    bench.settle()
    for late, tags in ((S, range(3)), (5 * M, range(3, 6)), (6 * M, range(6, 9))):
        bench.now = BEGIN + 5 * M + late
        bench.receive(stream, *(read_of(300 + n, n) for n in tags))
    bench.settle(BEGIN + 30 * M)
    assert bench.values(shown) == [(300, 6)]


def household(bench: Bench, number: int, place: Place = LYON) -> Datastream:
    return bench.datastream(
        f"meter-{number}", place=place, personal_data=True, privacy_unit="household", privacy_unit_id=f"h{number}"
    )


def test_a_cell_counts_the_households_of_all_its_datastreams_and_has_a_topic_of_its_own(bench: Bench) -> None:
    places = [LYON] * 6 + [Place(4.86, 45.75)] * 5 + [Place(4.9, 45.7)] * 4
    meters = [household(bench, n, place) for n, place in enumerate(places)]
    shown = bench.offer_of(meters, CELLS, BY_CELL)
    bench.settle()
    bench.now += S
    for meter in meters:
        bench.receive(meter, at(300, 1.0), at(310, 2.0))
    bench.settle(BEGIN + 11 * M)
    (point,) = bench.shown(shown)
    cell = h3.latlng_to_cell(LYON.latitude, LYON.longitude, 8)
    assert (point.key, json.loads(point.extra)["statistics"]) == (cell, {"mean": 1.5, "count": 12})
    assert bench.heard.retained == {f"live/o/offer-0/{cell}": point}
    bench.registry.withdraw_offer("offer-0", Caller("organisation", "o"), "enough", bench.now)
    bench.settle()
    assert not bench.heard.retained
    assert not bench.shown(shown)


def test_a_cell_that_comes_later_to_a_window_is_told_and_one_that_was_told_is_not_told_again(bench: Bench) -> None:
    here, there = bench.datastream("here", place=LYON), bench.datastream("there", place=Place(4.9, 45.7))
    bench.offer_of([here, there], CELLS, Aggregate("aggregate", "PT5M", ("count",), "cell"))
    bench.settle(BEGIN + 30 * M)
    for stream, second in ((here, 300), (there, 310), (here, 320)):
        bench.receive(stream, at(second))
        bench.settle(bench.now + S)
    assert [point.value for point in bench.heard.points] == [1, 1]
    assert len(bench.heard.retained) == 2


@pytest.mark.parametrize("each", [3, 400])
def test_the_past_of_many_datastreams_is_one_past_by_cell(bench: Bench, each: int) -> None:
    sensors = [bench.datastream(f"noise-{n}", place=LYON) for n in range(3)]
    for number, sensor in enumerate(sensors):
        for batch in range(0, each, 100):
            last = min(batch + 100, each)
            bench.receive(sensor, *(at(n * 20 * (number + 1), float(n)) for n in range(batch, last)))
    bench.settle(BEGIN + 90_000 * S)
    shown = bench.offer_of(sensors, CELLS, Aggregate("aggregate", "PT5M", ("count",), "cell"))
    bench.settle()
    cell = h3.latlng_to_cell(LYON.latitude, LYON.longitude, 8)
    assert bench.heard.retained == {f"live/o/offer-0/{cell}": bench.shown(shown)[-1]}
    counts: Counter[int] = Counter(n * 20 * k // 300 * 300 for k in (1, 2, 3) for n in range(each))
    assert dict(bench.values(shown)) == dict(counts)


def test_fewer_than_k_different_tags_and_windows_from_before_the_offer_are_withheld(bench: Bench) -> None:
    stream = bench.datastream("gate", kind="rfid", personal_data=True)
    bench.receive(stream, *(read_of(n, n) for n in range(9)))
    bench.settle(BEGIN + 30 * S)
    shown = bench.offer(stream, COUNT)
    bench.receive(stream, *(read_of(40 + n, n) for n in range(9)))
    bench.receive(stream, *(read_of(310 + n, n % 4) for n in range(9)))
    bench.settle(BEGIN + 30 * M)
    assert not bench.shown(shown)


def test_pseudonyms_change_with_the_epoch_and_old_ones_can_not_be_made_again(bench: Bench) -> None:
    stream = bench.datastream("gate", kind="rfid", personal_data=True, asset_prefixes=("urn:epc:id:sgtin:0614141.",))
    shown = bench.offer(stream, DAILY)
    bench.now += S
    bench.receive(stream, read_of(1, 1), read_of(2, 1), read_of(3, 2))
    bench.settle()
    bench.now = BEGIN + times.DAY + 5 * S
    bench.receive(stream, read_of(86_401, 1))
    bench.settle()
    names = [str(p.value) for p in bench.shown(shown)]
    assert names[0] == names[1] != names[2]
    assert names[3] not in names[:3]
    bench.settle(BEGIN + times.DAY + 5 * M)
    assert (
        PseudonymKeys(bench.home / "pseudonyms", bench.home / "wrapping").key(
            shown.rsplit("/", 1)[1], BEGIN // times.DAY
        )
        is None
    )
    bench.receive(stream, read_of(4, 1))
    bench.settle()
    assert len(bench.shown(shown)) == 4


def test_trips_are_named_over_all_gates_and_shown_without_their_ends_when_the_epoch_is_over(bench: Bench) -> None:
    things = {"kind": "rfid", "personal_data": True, "asset_prefixes": ("urn:epc:id:sgtin:0614141.",)}
    gates = [bench.datastream(f"gate-{n}", place=Place(4.84 + 0.002 * n, 45.76), **things) for n in range(4)]
    bench.now = BEGIN - times.HOUR
    first = bench.offer_of(gates, Pseudonymise("pseudonymise", "PT1H", gap="PT10M", cut_m=100))
    second = first.replace("gate-0", "gate-1")
    bench.now = BEGIN + times.HOUR - S
    for n, gate in enumerate(gates):
        bench.receive(gate, read_of(60 * n, 1), read_of(1800 + 60 * n, 1), read_of(60 * n, 2))
    bench.settle()
    assert not bench.shown(second), "the epoch is not over"
    bench.settle(BEGIN + times.HOUR + LATENESS)
    assert not bench.shown(first), "all trips begin there"
    shown = bench.shown(second)
    assert [(p.time - BEGIN) // S for p in shown] == [60, 60, 1860]
    beyond = bench.shown(first.replace("gate-0", "gate-2"))
    names = [{str(p.value) for p in of if (p.time - BEGIN) // S < 900} for of in (shown, beyond)]
    assert names[0] == names[1], "a name is of one trip at all gates"
    assert {str(p.value) for p in shown if p.time > BEGIN + 900 * S}.isdisjoint(names[0])
    bench.receive(gates[1], read_of(30, 1))
    bench.settle(BEGIN + times.HOUR + LATENESS + S)
    assert bench.shown(second) == shown, "an epoch that was shown is never opened again"


@pytest.mark.parametrize("rounded", [False, True])
def test_what_is_delayed_is_nowhere_before_it_is_old_enough(bench: Bench, rounded: bool) -> None:
    stream = bench.datastream("d")
    bench.receive(stream, at(0.5, 0.0))
    bench.settle()
    shown = bench.offer(stream, *([RoundTime("round_time", "PT1S")] if rounded else []), Delay("delay", "PT1H"))
    bench.receive(stream, at(10.5, 1.0), at(700, 2.0))
    bench.settle(BEGIN + times.HOUR)
    assert not bench.shown(shown)
    assert not bench.heard.points
    bench.settle(BEGIN + times.HOUR + 11 * S)
    assert bench.values(shown) == [(0, 0.0), (10, 1.0)]
    assert (bench.shown(shown)[1].time == BEGIN + 10 * S) == rounded
    assert [p.value for p in bench.heard.points] == [0.0, 1.0]
    bench.receive(stream, at(5, 1.5))
    bench.settle()
    assert bench.values(shown)[1] == (5, 1.5), "older than the delay already"


def test_an_interval_shows_one_record_live_in_history_and_of_the_past(bench: Bench) -> None:
    stream = bench.datastream("d")
    bench.receive(stream, at(1, 1.0), at(2, 2.0), at(61, 3.0))
    bench.settle()
    shown = bench.offer(stream, Sample("sample", "PT1M"))
    bench.settle()
    bench.receive(stream, at(62, 4.0), at(125, 6.0), at(121, 5.0), at(130, 7.0))
    bench.settle()
    bench.begin()
    bench.receive(stream, at(140, 8.0), at(30, 9.0), at(185, 10.0))
    bench.settle()
    assert bench.values(shown) == [(1, 1.0), (61, 3.0), (121, 5.0), (185, 10.0)]


def test_a_keeper_that_died_goes_on_where_it_was_and_doubles_nothing(bench: Bench, tmp_path: Path) -> None:
    stream = bench.datastream("d")
    raw, mean = bench.offer(stream), bench.offer(stream, MEAN)
    place = (tmp_path / "keeper").read_bytes
    for number in range(20):
        bench.receive(stream, at(number * 30, float(number)))
        if number % 3 == 0:
            bench.settle(BEGIN + number * 30 * S)
            assert place()
        if number % 5 == 0:
            bench.begin()
    bench.settle(BEGIN + 60 * M)
    assert [value for _, value in bench.values(raw)] == [float(n) for n in range(20)]
    assert bench.values(mean) == [(0, 4.5), (300, 14.5)]
    said = [json.loads(p.extra)["statistics"]["count"] for p in bench.shown(mean)]
    assert said == [10, 10]


def test_offers_with_one_profile_share_one_stream_and_personal_ones_never(bench: Bench) -> None:
    stream = bench.datastream("d")
    assert bench.offer(stream, MEAN) == bench.offer(stream, MEAN)
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    assert bench.offer(gate, COUNT) != bench.offer(gate, COUNT)


def test_last_windows_are_published_again_after_mosquitto_forgot_them(bench: Bench) -> None:
    stream = bench.datastream("d")
    shown = bench.offer(stream, MEAN)
    bench.receive(stream, at(10, 1.0), at(310, 2.0))
    bench.settle(BEGIN + 30 * M)
    bench.begin()
    bench.heard.retained_wanted = True
    bench.settle()
    assert bench.heard.points == bench.shown(shown)[-1:]


def withheld(reason: str) -> float:
    """How many records were, for this reason, since the process began."""
    return WITHHELD.labels(reason)._value.get()  # type: ignore[no-any-return]  # prometheus_client's own gap


def status_of(bench: Bench, datastream: str) -> dict[str, Any]:
    """What is told of the one release of a datastream."""
    (told,) = [told for told in bench.heard.told.values() if told.get("datastream") == datastream]
    return {name: value for name, value in told.items() if name != "datastream"}


def test_a_release_is_told_live_silent_or_withheld_and_why(bench: Bench) -> None:
    measured = bench.datastream("d")
    tags = bench.datastream("t", kind="rfid", personal_data=True, asset_prefixes=("urn:epc:id:sgtin:0614141.",))
    bench.offer(measured, Clip("clip", 0, 5))
    bench.offer(tags, DAILY)
    bench.settle()
    never = {"state": "silent", "reason": "never_heard"}
    assert [status_of(bench, "d"), status_of(bench, "t")] == [never, never]
    bench.now += 1
    bench.receive(measured, at(1))
    bench.receive(tags, Point(BEGIN + 1, "urn:epc:id:sgtin:999.1.1", "k"))
    bench.settle()
    assert status_of(bench, "d") == {"state": "live"}
    assert status_of(bench, "t") == {"state": "withheld", "reason": "no_consent"}
    bench.receive(tags, Point(BEGIN + 2, TAG.format(1), "k"))
    bench.settle()
    assert status_of(bench, "t") == {"state": "live"}
    heard = bench.now
    bench.settle(heard + 10 * M + 1)
    assert status_of(bench, "d") == {"state": "silent", "since": times.text(heard), "reason": "timeout"}
    assert bench.heard.told["status/o/g"] == {
        "gateway": "g",
        "state": "silent",
        "since": times.text(heard),
        "reason": "timeout",
    }


def test_where_windows_hide_people_the_status_does_not_tell_whether_anybody_came(bench: Bench) -> None:
    empty, visited = (bench.datastream(name, kind="rfid", personal_data=True) for name in ("empty", "visited"))
    for stream in (empty, visited):
        bench.offer(stream, COUNT)
    told = []
    for minute in range(30):
        bench.now = BEGIN + minute * M + 1
        bench.receive(visited, Point(bench.now, TAG.format(minute % 3), str(minute)))
        bench.settle()
        told.append((status_of(bench, "empty"), status_of(bench, "visited")))
    assert all(nobody == few == {"state": "withheld", "reason": "below_k"} for nobody, few in told)
    bench.receive(visited, *(read_of(1795 + n, n) for n in range(5)))
    bench.settle(BEGIN + 36 * M)
    assert [status_of(bench, "empty")["state"], status_of(bench, "visited")["state"]] == ["withheld", "live"]


def test_a_last_will_is_told_at_once_and_until_the_gateway_is_back(bench: Bench) -> None:
    stream = bench.datastream("d")
    bench.offer(stream, Clip("clip", 0, 5))
    bench.receive(stream, at(1))
    bench.settle()
    bench.now += S
    bench.journal.append([Entry("in/o/g/~", bench.now, [], says="offline")], NOTHING, _safe)
    bench.settle()
    gone = {"state": "silent", "since": times.text(bench.now), "reason": "last_will"}
    assert status_of(bench, "d") == gone
    assert bench.heard.told["status/o/g"] == {"gateway": "g", **gone}
    bench.now += S
    bench.journal.append([Entry("in/o/g/~", bench.now, [], says="online")], NOTHING, _safe)
    bench.settle()
    assert bench.heard.told["status/o/g"] == {"gateway": "g", "state": "live"}


def test_of_many_releases_what_came_and_who_left_is_told_at_once_and_silence_in_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOKED_AT", 1)
    names = [f"d{number}" for number in range(4)]
    streams = [bench.datastream(name) for name in names]
    for stream in streams:
        bench.offer(stream, Clip("clip", 0, 5))
    bench.settle()
    for stream in streams:
        bench.receive(stream, at(1))
    bench.settle()
    assert [status_of(bench, name)["state"] for name in names] == ["live"] * 4
    heard = bench.now
    for silent in range(1, 5):
        bench.settle(heard + 10 * M + silent)
        assert [status_of(bench, name)["state"] for name in names].count("silent") == silent
    bench.journal.append([Entry("in/o/g/~", bench.now, [], says="offline")], NOTHING, _safe)
    bench.settle()
    assert {status_of(bench, name)["reason"] for name in names} == {"last_will"}
    bench.now += S
    bench.receive(streams[3], at(2))
    bench.settle()
    assert [status_of(bench, name)["state"] for name in names] == ["silent", "silent", "silent", "live"]


def test_what_could_not_be_told_is_told_later(bench: Bench) -> None:
    stream = bench.datastream("d")
    bench.offer(stream, Clip("clip", 0, 5))
    bench.settle()
    bench.heard.away = True
    bench.receive(stream, at(1))
    bench.settle()
    assert status_of(bench, "d")["state"] == "silent"
    bench.heard.away = False
    bench.settle()
    assert status_of(bench, "d") == {"state": "live"}


def test_after_a_crash_it_is_still_known_when_a_release_was_heard_and_what_was_told(bench: Bench) -> None:
    stream = bench.datastream("d")
    bench.offer(stream, Clip("clip", 0, 5))
    bench.receive(stream, at(1))
    bench.settle()
    heard = bench.now
    bench.settle(heard + 11 * S)
    bench.begin()
    bench.registry.withdraw_offer("offer-0", Caller("organisation", "o"), "enough", bench.now)
    bench.heard.told = {"status/o/offer-0/d": {}}
    bench.offer(stream, Quantise("quantise", 0.5))
    bench.settle()
    assert "status/o/offer-0/d" not in bench.heard.told
    assert status_of(bench, "d") == {"state": "silent", "reason": "never_heard"}


def test_what_nobody_offers_any_more_is_erased_and_what_another_offer_shows_stays(bench: Bench) -> None:
    stream = bench.datastream("d")
    shown = bench.offer(stream, Clip("clip", 0, 5))
    assert bench.offer(stream, Clip("clip", 0, 5)) == shown
    bench.receive(stream, at(1))
    bench.settle()
    owner = Caller("organisation", "o")
    bench.registry.withdraw_offer("offer-0", owner, "enough", bench.now)
    bench.settle()
    assert bench.values(shown) == [(1, 1.0)]
    bench.registry.withdraw_offer("offer-1", owner, "enough", bench.now)
    bench.settle()
    assert not bench.shown(shown)
    assert bench.offer(stream, Clip("clip", 0, 5)) == shown
    bench.settle()
    assert bench.values(shown) == [(1, 1.0)]
    bench.registry.withdraw_offer("offer-2", owner, "enough", bench.now)
    bench.registry.end_datastream("o", "d", bench.now)
    bench.receive(stream, at(2))
    bench.settle()
    assert not bench.shown(shown)
    assert not bench.raw.read("o/d", times.EARLIEST, times.LATEST, limit=10)


def test_a_store_that_is_away_delays_an_erasure_and_does_not_prevent_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = bench.datastream("d")
    bench.receive(stream, at(1))
    bench.settle()
    bench.registry.end_datastream("o", "d", bench.now)
    with monkeypatch.context() as patch:
        patch.setattr(bench.raw, "erase", _away)
        with pytest.raises(StoreUnavailable):
            bench.settle()
    assert bench.raw.read("o/d", times.EARLIEST, times.LATEST, limit=10)
    bench.settle()
    assert not bench.raw.read("o/d", times.EARLIEST, times.LATEST, limit=10)


def test_an_offer_that_came_while_the_disk_was_full_shows_its_past_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    stream = bench.datastream("d")
    bench.receive(stream, at(1))
    bench.settle()
    shown = bench.offer(stream)
    with monkeypatch.context() as patch:
        patch.setattr(bench.keeper._progress, "begin_backfills", full)
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError):
                bench.settle()
    bench.settle()
    assert bench.values(shown) == [(1, 1.0)]


def test_with_a_withdrawn_offer_its_pseudonyms_keys_are_destroyed(bench: Bench) -> None:
    tags = bench.datastream("t", kind="rfid", personal_data=True, asset_prefixes=("urn:epc:id:sgtin:0614141.",))
    bench.offer(tags, DAILY)
    bench.now += 1
    bench.receive(tags, Point(BEGIN + 2, TAG.format(1), "k"))
    bench.settle()
    epoch = BEGIN // times.parse_duration("P1D")
    assert PseudonymKeys(bench.home / "pseudonyms", bench.home / "wrapping").key("offer-0", epoch) is not None
    bench.registry.withdraw_offer("offer-0", Caller("organisation", "o"), "enough", bench.now)
    bench.settle()
    assert PseudonymKeys(bench.home / "pseudonyms", bench.home / "wrapping").key("offer-0", epoch) is None


def test_who_consented_is_shown_from_then_on_and_is_none_of_the_k(bench: Bench) -> None:
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    named, counted = bench.offer(gate, DAILY), bench.offer(gate, COUNT)
    bench.settle()
    bench.now += S
    consent(bench, TAG.format(0))
    bench.now += S
    bench.receive(gate, read_of(0.5, 0), *(read_of(300 + n, n) for n in range(5)))
    bench.settle(BEGIN + 11 * M)
    assert [(p.time - BEGIN) // S for p in bench.shown(named)] == [300]
    assert not bench.shown(counted), "four others are too few"
    withdraw(bench, TAG.format(0))
    bench.receive(gate, read_of(700, 0), *(read_of(700 + n, n) for n in range(5)))
    bench.settle(BEGIN + 30 * M)
    assert len(bench.shown(named)) == 1
    assert bench.values(counted) == [(600, 5)]


@pytest.mark.parametrize("later", [S, 3 * times.DAY], ids=["key kept", "key destroyed"])
def test_an_erasure_finds_the_tag_in_raw_and_in_what_was_shown_and_nobody_else(bench: Bench, later: int) -> None:
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    named, idle = bench.offer(gate, DAILY, RoundTime("round_time", "PT1M")), bench.datastream("idle", kind="rfid")
    for tag in range(3):
        consent(bench, TAG.format(tag))
    bench.settle()
    bench.now += S
    bench.receive(gate, *(read_of(10 + n, tag) for n in (0, 100, 200) for tag in range(3) if (tag, n) != (1, 100)))
    bench.receive(idle, read_of(10, 0), read_of(10, 1))
    bench.settle()
    assert len(bench.shown(named)) == 8
    bench.settle(bench.now + later)
    withdraw(bench, TAG.format(0), erase=True)
    bench.settle()
    left = {
        str(read.value) for stream in (gate, idle) for read in bench.raw.read(stream.stream, 0, times.LATEST, limit=99)
    }
    assert left == {TAG.format(1), TAG.format(2)}
    told = Counter(point.value for point in bench.shown(named))
    assert sorted(told.values()) == ([2, 3] if later == S else [2]), (
        "who was always beside it can't be told apart by then"
    )


def test_an_erasure_takes_all_that_stands_where_the_tag_was_read_if_names_are_of_trips(bench: Bench) -> None:
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    bench.now = BEGIN - times.HOUR
    named = bench.offer(gate, Pseudonymise("pseudonymise", "PT1H", gap="PT10M"))
    for tag in range(3):
        consent(bench, TAG.format(tag))
    bench.now = BEGIN + times.HOUR - S
    bench.receive(gate, *(read_of(n, tag) for n, tag in ((10, 0), (10, 1), (20, 0), (30, 2), (1800, 0), (1900, 1))))
    bench.settle(BEGIN + times.HOUR + LATENESS)
    assert len(bench.shown(named)) == 6
    withdraw(bench, TAG.format(0), erase=True)
    bench.settle()
    assert [(p.time - BEGIN) // S for p in bench.shown(named)] == [30, 1900]


def consent(bench: Bench, tag: str, *, code: str = "code") -> None:
    """The tags' hashes are the tags themselves here."""
    bench.registry.name_issuer("o", ["urn:"], bench.now)
    bench.registry.issue_code("o", tag, tag[-32:], code, times.LATEST)
    assert bench.registry.give_consent(tag[-32:], code, ["any"], "next", times.LATEST, bench.now)


def withdraw(bench: Bench, tag: str, *, erase: bool = False) -> None:
    assert bench.registry.withdraw_consent(
        tag[-32:], "next", erase=erase, next_code="last", expires=times.LATEST, now=bench.now
    )


NOISY = Noise("noise", 0.5, 2.0, "PT1H")


def test_when_a_budget_is_spent_nothing_more_is_released_until_the_next_period_and_this_is_told(bench: Bench) -> None:
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    one, other = bench.offer(gate, COUNT, NOISY), bench.offer(gate, COUNT, NOISY)
    bench.settle()
    unpaid = withheld("budget_spent")
    for window in range(12, 28):
        bench.now = BEGIN + window * 5 * M + S
        bench.receive(gate, *(read_of(window * 300 + n, n) for n in range(8)))
        bench.settle()
        if window == 16:
            assert status_of_all(bench) == {("withheld", "budget_spent")}
    bench.settle(BEGIN + 28 * 5 * M + LATENESS)
    assert [p.time for p in bench.shown(one)] == [BEGIN + n * 5 * M for n in (12, 13, 24, 25)]
    assert [p.time for p in bench.shown(other)] == [p.time for p in bench.shown(one)]
    assert withheld("budget_spent") == unpaid + 24
    assert status_of_all(bench) == {("withheld", "budget_spent")}
    bench.settle(BEGIN + 3 * times.HOUR)
    assert ("withheld", "budget_spent") not in status_of_all(bench)
    bench.registry.withdraw_offer("offer-0", Caller("organisation", "o"), "enough", bench.now)
    bench.settle()
    assert bench.keeper._progress.spent("o/gate", BEGIN, BEGIN + times.DAY) == 4 * 10**9, "what was spent stays spent"


def test_200_crashes_at_any_moment_never_draw_a_window_twice_nor_spend_more_than_the_budget(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(5)  # noqa: S311 - not for secrets
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    streams = [bench.offer(gate, COUNT, NOISY), bench.offer(gate, replace(COUNT, by="read_point"), NOISY)]
    told: dict[tuple[str, int, str], set[object]] = defaultdict(set)
    draws, crashes = Counter[int](), 0
    window = 11
    while crashes < 200:
        window += 1
        bench.now = BEGIN + window * 5 * M + S
        bench.receive(gate, *(read_of(window * 300 + n, n) for n in range(8)))
        moment = rng.randrange(30)
        with monkeypatch.context() as patch:
            _crash_at(patch, bench, moment)
            try:
                bench.settle(BEGIN + window * 5 * M + LATENESS)
            except _Crash:
                crashes += 1
        _note(bench, streams, told)
        bench.keeper._progress._tables.close()
        bench.begin()
    bench.settle(bench.now + times.HOUR)
    _note(bench, streams, told)
    assert crashes == 200
    assert all(len(values) == 1 for values in told.values())
    for _, start, _ in {(stream, start, "") for stream, start, _ in told}:
        draws[start // times.HOUR] += 1
    assert max(draws.values()) * NOISY.epsilon <= NOISY.budget
    spent = [
        bench.keeper._progress.spent("o/gate", hour, hour + times.HOUR) for hour in range(BEGIN, bench.now, times.HOUR)
    ]
    assert max(spent) == 2 * 10**9


class _Crash(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def _crash_at(patch: pytest.MonkeyPatch, bench: Bench, moment: int) -> None:
    """Die before or after the `moment`-th thing that is put on disk or published."""
    left = itertools.count(moment, -1)
    progress = bench.keeper._progress
    for owner, name in (
        (progress, "draw"), (progress, "advance"), (progress, "close_windows"), (bench.raw, "write"),
        (bench.released, "write"), (bench.heard, "publish"), (bench.released, "read"), (progress, "drawn"),
    ):  # fmt: skip
        patch.setattr(owner, name, _dying(getattr(owner, name), left))


def _dying(done: Any, left: Iterator[int]) -> Any:
    def died(*given: Any, **named: Any) -> Any:
        if next(left) == 0:
            raise _Crash
        found = done(*given, **named)
        if next(left) == 0:
            raise _Crash
        return found

    return died


def _note(bench: Bench, streams: list[str], told: dict[tuple[str, int, str], set[object]]) -> None:
    """What history and live said until now."""
    for stream in streams:
        for point in bench.shown(stream):
            told[stream, point.time, point.key].add(point.value)
    for stream, point in bench.heard.by_stream:
        told[stream, point.time, point.key].add(point.value)


def status_of_all(bench: Bench) -> set[tuple[str, str | None]]:
    return {(told["state"], told.get("reason")) for told in bench.heard.told.values() if "datastream" in told}


def _safe(_batches: list[Batch]) -> None:
    """Nobody waits for it."""


def _away(_stream: str) -> None:
    raise StoreUnavailable("it is away")


def tallied(bench: Bench) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """What became of the records of each stream, and how many wait."""
    found = kept(SqliteSource(bench.home / "keeper"))
    by_stream: dict[str, dict[str, int]] = {}
    for stream, fate, records in found.tallies:
        by_stream.setdefault(stream, {})[fate] = records
    return by_stream, dict(found.waiting)


def hold(bench: Bench, streams: list[str]) -> None:
    """released = delivered + withheld + waiting"""
    fates, waiting = tallied(bench)
    for stream in streams:
        of = dict(fates.get(stream, {}))
        assert of.pop("released", 0) == sum(of.values()) + waiting.get(stream, 0), (stream, fates[stream], waiting)


def test_each_record_that_comes_under_a_release_is_delivered_or_withheld_for_a_reason(bench: Bench) -> None:
    numbers = bench.datastream("d")
    bench.receive(numbers, at(1, 1.0), at(2, "out of order"))
    bench.settle()
    halves, mean = bench.offer(numbers, Quantise("quantise", 0.5)), bench.offer(numbers, MEAN)
    late = bench.offer(numbers, Delay("delay", "PT1H"))
    gate = bench.datastream("gate", kind="rfid", personal_data=True)
    people = bench.offer(gate, COUNT)
    bench.settle()
    bench.now = BEGIN + 1
    bench.receive(numbers, at(10, 3.0), at(10, 3.0), at(20, True), at(310, 4.0))
    bench.receive(
        gate, *(read_of(300 + n, n) for n in range(5)), *(read_of(600 + n, n) for n in range(4)), read_of(-10, 1)
    )
    bench.settle(BEGIN + 30 * S)
    fates, waiting = tallied(bench)
    assert fates["o/d"] == {"stored": 6}
    assert fates[halves] == {"released": 6, "delivered": 4, "not_a_number": 2}
    assert (fates[mean], waiting[mean]) == ({"released": 6}, 6)
    assert (fates[people], waiting[people]) == ({"released": 10, "before_offer": 1}, 9)
    bench.settle(BEGIN + 20 * M)
    bench.receive(gate, read_of(301, 9))
    bench.settle()
    fates, waiting = tallied(bench)
    assert fates[mean] == {"released": 6, "delivered": 4, "not_a_number": 2}
    assert fates[people] == {"released": 11, "before_offer": 1, "delivered": 5, "below_k": 4, "late": 1}
    assert waiting == {late: 6}
    bench.settle(BEGIN + 2 * times.HOUR)
    assert tallied(bench)[0][late] == {"released": 6, "delivered": 6}
    hold(bench, [halves, mean, late, people])


def test_what_a_store_will_not_take_is_counted_and_a_removed_datastream_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, gone = bench.datastream("d"), bench.datastream("gone")
    shown = bench.offer(stream)
    bench.registry.end_datastream("o", "gone", bench.now)
    bench.settle()
    with monkeypatch.context() as patch:
        for store in (bench.raw, bench.released):
            patch.setattr(store, "write", _refusing(store.write))
        bench.receive(stream, at(1, 1.0), at(2, 13.0))
        bench.receive(gone, at(1))
        bench.settle()
    fates, _ = tallied(bench)
    assert fates == {
        "o/d": {"stored": 1, "store_rejected": 1},
        "o/gone": {"datastream_deleted": 1},
        shown: {"released": 2, "delivered": 1, "store_rejected": 1},
    }
    (gateway,) = bench.journal.presences()
    assert gateway.accepted == sum(fates["o/d"].values()) + sum(fates["o/gone"].values())


def _refusing(write: Any) -> Any:
    """A store that takes no 13."""

    def refuse(rows: list[Row]) -> None:
        bad = [row for row in rows if row.point.value == 13.0]
        write([row for row in rows if row not in bad])
        if bad:
            raise StoreRejected("unlucky", bad)

    return refuse


def test_the_sums_hold_at_every_moment_over_repeats_late_records_and_crashes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(4)  # noqa: S311 - the same every time
    stream = bench.datastream("d")
    gate = bench.datastream("gate", kind="rfid", personal_data=True, asset_prefixes=("urn:epc:id:sgtin:0614141.",))
    operators = [
        (), (Quantise("quantise", 0.5),), (Sample("sample", "PT1M"),), (Delay("delay", "PT5M"),), (MEAN,),
        (Delay("delay", "PT2M"), Sample("sample", "PT1M")), (Clip("clip", 0, 5), MEAN),
    ]  # fmt: skip
    hall = bench.datastream("hall", kind="rfid", personal_data=True)
    shown = [bench.offer(stream, *of) for of in operators] + [bench.offer(hall, COUNT), bench.offer(gate, DAILY)]
    bench.settle()
    sent = 0
    for step in range(120):
        bench.now += rng.randrange(1, 40 * S)
        seconds = (bench.now - BEGIN) / S
        records = [
            at(seconds - rng.choice([0, 0, 5, 400]), rng.choice([1.0, 7, "x", True]))
            for _ in range(rng.randrange(1, 6))
        ]
        records += rng.choices(records, k=rng.randrange(3))
        reads = [read_of(seconds - rng.choice([0, 3, 900]), rng.randrange(8)) for _ in range(rng.randrange(6))]
        bench.receive(stream, *records)
        bench.receive(gate, *reads)
        bench.receive(hall, *reads)
        sent += len(records) + 2 * len(reads)
        if step % 7 == 0:
            with monkeypatch.context() as patch:
                patch.setattr(bench.released, "write", _away)
                with pytest.raises(StoreUnavailable):
                    bench.settle()
        if step % 5 == 0:
            bench.begin()
        if step % 3 == 0:
            bench.settle()
            hold(bench, shown)
        if step == 60:
            shown.append(bench.offer(stream, Aggregate("aggregate", "PT10M", ("max",))))
    bench.settle(bench.now + times.HOUR)
    hold(bench, shown)
    fates, waiting = tallied(bench)
    assert waiting == {}
    (gateway,) = bench.journal.presences()
    assert gateway.accepted == sum(fates[of]["stored"] for of in ("o/d", "o/gate", "o/hall")) == sent
    assert all(fates[of]["released"] == fates["o/d"]["stored"] for of in shown[:7])
    assert all(fates[of]["delivered"] > 0 for of in shown)
