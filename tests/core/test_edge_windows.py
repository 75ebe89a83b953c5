"""Windows at the edge: their statistics leave, once, and no record does; a restart forgets none that is open."""

from __future__ import annotations

import pytest

from broker import times
from broker.privacy.profile import Aggregate
from broker.reading import Reading, TagRead
from gateways.agent.understanding import Item
from gateways.agent.windows import LATE, Windows

MINUTE = times.MINUTE
MEANS = Aggregate("aggregate", "PT1M", ("mean", "count"))


def temperatures(*at: tuple[int, float]) -> list[Item]:
    return [Reading("d", "t", value, second * times.SECOND, "Cel") for second, value in at]


def told(items: list[Item]) -> list[tuple[str, object, int, str | None]]:
    return [
        (one.property, one.value, (one.time or 0) // times.SECOND, one.unit)
        for one in items
        if isinstance(one, Reading)
    ]


def reads(tags: int, read_point: str | None = None) -> list[Item]:
    return [TagRead("gate", f"urn:epc:id:sgtin:1.2.{n}", n, read_point) for n in range(tags)]


def test_of_numbers_the_statistics_leave_at_the_windows_beginning_when_it_is_over() -> None:
    windows = Windows("s", MEANS, {})
    assert windows.passed(temperatures((0, 20), (30, 22), (70, 5)), 70 * times.SECOND) == []
    assert windows.due(70 * times.SECOND + LATE - 1, ended=False) == []
    first = windows.due(70 * times.SECOND + LATE, ended=False)
    assert told(first) == [("t.mean", 21.0, 0, "Cel"), ("t.count", 2, 0, "1")]
    assert told(windows.due(10 * MINUTE, ended=False)) == [("t.mean", 5.0, 60, "Cel"), ("t.count", 1, 60, "1")]


def test_what_comes_late_or_is_no_number_is_withheld_and_counted() -> None:
    windows = Windows("s", MEANS, {})
    windows.passed([*temperatures((0, 20)), Reading("d", "name", "Ann", 0), Reading("d", "on", True, 0)], 0)
    assert windows.counts()["withheld"] == 2
    assert windows.due(10 * MINUTE, ended=False)
    windows.passed(temperatures((1, 99)), 10 * MINUTE)
    assert windows.counts()["withheld"] == 1
    assert windows.due(20 * MINUTE, ended=False) == []


@pytest.mark.parametrize(("tags", "shown"), [(5, True), (4, False)])
def test_tags_are_counted_and_fewer_than_k_are_withheld(tags: int, *, shown: bool) -> None:
    windows = Windows("s", Aggregate("aggregate", "PT1M", ("count",), "read_point", 5), {})
    windows.passed(reads(tags, "north"), 0)
    found = windows.due(10 * MINUTE, ended=False)
    assert told(found) == ([("north.count", tags, 0, "1")] if shown else [])
    assert windows.counts()["withheld"] == (0 if shown else tags)


def test_who_begins_again_tells_what_was_open_and_not_what_was_told() -> None:
    kept: dict[str, str] = {}
    windows = Windows("s", MEANS, kept)
    for items in (temperatures((0, 20)), temperatures((30, 22))):
        windows.passed(items, 0)
        kept.update(windows.places())
        windows = Windows("s", MEANS, {name: at for name, at in kept.items() if at})
    assert told(windows.due(10 * MINUTE, ended=False))[0] == ("t.mean", 21.0, 0, "Cel")
    kept.update(windows.places())
    left = {name: at for name, at in kept.items() if at}
    assert left == {"s/closed": str(MINUTE)}
    again = Windows("s", MEANS, left)
    again.passed(temperatures((1, 99)), 0)
    assert again.counts()["withheld"] == 1


def test_a_source_that_ended_tells_at_once_of_windows_that_are_over() -> None:
    windows = Windows("s", MEANS, {})
    windows.passed(temperatures((0, 20), (70, 5)), 70 * times.SECOND)
    assert told(windows.due(70 * times.SECOND, ended=True)) == [("t.mean", 20.0, 0, "Cel"), ("t.count", 1, 0, "1")]
