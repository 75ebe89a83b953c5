"""The meter: what each agreement was delivered, by hour, once, over restarts and ends, wherever it is written down."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from broker import times
from broker.access import Used
from broker.licence import Quota, Terms
from broker.meter import ANYONE, REST_NS, Delivered, Meter, hours, totals, used_of
from broker.model import Agreement, AgreementId, ApplicationId, OfferId, OrganisationId
from broker.registry.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.tables.protocol import Source
    from tests.tables import Kept

NOON = times.parse("2026-11-23T12:30:00Z")
HOUR = times.parse("2026-11-23T12:00:00Z")
FREE = Terms("CC0-1.0", "", ("any",))
LIMITED = dataclasses.replace(FREE, quota=Quota("day", records=10))


def agreement(name: str, terms: Terms = FREE) -> Agreement:
    of = OfferId("offer"), ApplicationId(f"app-{name}")
    return Agreement(AgreementId(name), *of, "any", "active", 0, OrganisationId("o"), terms)


def snapshot(*agreements: Agreement) -> Snapshot:
    return Snapshot(1, agreements={one.application: (one,) for one in agreements})


@pytest.fixture
def meter(remembered: Kept) -> Iterator[Meter]:
    with closing(remembered.tables()) as tables:
        yield Meter(tables)


@pytest.fixture
def source(remembered: Kept) -> Iterator[Source]:
    with closing(remembered.source()) as read:
        yield read


def counted(source: Source) -> dict[str, tuple[int, ...]]:
    return {row.agreement: row[3:] for row in hours(source, 0, times.LATEST)}


def test_what_is_published_counts_for_every_agreement_of_then(meter: Meter, source: Source) -> None:
    one, two = agreement("one"), agreement("two")
    meter.follow(snapshot(one), NOON)
    meter.published("offer", 2, 100)
    meter.follow(snapshot(one, two), NOON)
    meter.published("offer", 1, 50)
    meter.follow(snapshot(two), NOON)
    meter.published("offer", 4, 200)
    meter.delivered([Delivered("offer", "two", 7, 700), Delivered("offer", ANYONE, 1, 10)])
    meter.flush(NOON)
    assert counted(source) == {
        ANYONE: (7, 350, 1, 10),
        "one": (3, 150, 0, 0),
        "two": (5, 250, 7, 700),
    }
    assert {row.hour for row in hours(source, 0, times.LATEST)} == {HOUR}
    assert hours(source, HOUR + 1, times.LATEST) == []


def test_writing_down_twice_counts_once_and_hours_add_up(meter: Meter, source: Source) -> None:
    meter.follow(snapshot(agreement("one")), NOON)
    for _ in range(3):
        meter.published("offer", 1, 10)
        meter.flush(NOON)
        meter.flush(NOON)
    meter.flush(NOON + times.HOUR)
    meter.published("offer", 1, 10)
    meter.flush(NOON + times.HOUR + 1)
    rows = [row for row in hours(source, 0, times.LATEST) if row.agreement == "one"]
    assert [(row.hour, row.live_records) for row in rows] == [(HOUR, 3), (HOUR + times.HOUR, 1)]


def test_what_quotas_decide_by_is_written_down_each_time_and_the_rest_now_and_then(
    meter: Meter, source: Source
) -> None:
    limited = agreement("one", LIMITED)
    other = dataclasses.replace(agreement("two"), offer=OfferId("other"))
    meter.follow(snapshot(limited, other), NOON)
    meter.flush(NOON)
    for offer in ("offer", "other"):
        meter.published(offer, 1, 10)
    meter.tidy(NOON + 1)
    assert counted(source) == {ANYONE: (1, 10, 0, 0), "one": (1, 10, 0, 0)}
    meter.published("other", 1, 10)
    meter.tidy(NOON + REST_NS)
    assert counted(source)["two"] == (2, 20, 0, 0)
    meter.published("other", 1, 10)
    meter.tidy(HOUR + times.HOUR)
    assert {row.hour for row in hours(source, 0, times.LATEST)} == {HOUR}
    assert meter.used(NOON) == {"one": Used(1, 10)}


def test_a_quota_is_exhausted_by_live_and_http_together_and_comes_back_with_the_period(meter: Meter) -> None:
    meter.follow(snapshot(agreement("one", LIMITED), agreement("two")), NOON)
    meter.published("offer", 6, 60)
    assert meter.used(NOON) == {"one": Used(6, 60)}
    assert meter.exhausted(NOON) == set()
    meter.delivered([Delivered("offer", "one", 4, 40)])
    assert meter.exhausted(NOON) == {"one"}
    tomorrow = NOON + times.DAY
    assert meter.exhausted(tomorrow) == set()
    assert meter.used(tomorrow) == {"one": Used(0, 0)}


def test_after_a_restart_the_period_goes_on_where_it_was(meter: Meter, source: Source, remembered: Kept) -> None:
    limited = agreement("one", LIMITED)
    meter.follow(snapshot(limited), NOON)
    meter.published("offer", 9, 90)
    meter.close(NOON)
    assert used_of(source, [limited], NOON) == {"one": Used(9, 90)}
    with closing(remembered.tables()) as tables:
        again = Meter(tables)
        again.follow(snapshot(limited), NOON + 1)
        again.published("offer", 1, 10)
        assert again.exhausted(NOON + 1) == {"one"}


def test_all_that_was_ever_counted_is_told_by_offer_and_agreement(meter: Meter, source: Source) -> None:
    meter.follow(snapshot(agreement("one")), NOON)
    for now in (NOON, NOON + times.HOUR):
        meter.published("offer", 2, 20)
        meter.delivered([Delivered("other", ANYONE, 1, 5)])
        meter.tidy(now)
    meter.close(NOON + times.HOUR)
    assert {(row.offer, row.agreement): row[2:] for row in totals(source)} == {
        ("offer", ANYONE): (HOUR, 4, 40, 0, 0),
        ("offer", "one"): (HOUR, 4, 40, 0, 0),
        ("other", ANYONE): (HOUR, 0, 0, 2, 10),
    }
    assert [row.agreement for row in hours(source, 0, times.LATEST, offer="offer", agreement="one")] == ["one"]
