"""What a keeper remembers, wherever it lies: all of a step or nothing, over restarts, and as another process sees it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from broker import times
from broker.errors import Unavailable
from broker.keeper.progress import Backfill, Drawn, Kept, Progress, Seen, Window, kept, place_of, waits
from broker.keeper.tally import DELIVERED, RELEASED, Tally
from broker.points import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.tables.protocol import Source, Tables
    from tests import tables

EARLY, LATE = Window("s", -(2**62), 100), Window("t", 2**62, 200)
PERIOD = (0, times.DAY)


@contextmanager
def opened(remembered: tables.Kept) -> Iterator[Progress]:
    with closing(remembered.tables()) as own:
        yield Progress(own)


@pytest.fixture
def source(remembered: tables.Kept) -> Iterator[Source]:
    with closing(remembered.source()) as read:
        yield read


def test_windows_wait_until_they_are_closed_and_records_add_up(remembered: tables.Kept, source: Source) -> None:
    with opened(remembered) as progress:
        assert (progress.place, progress.due(times.LATEST, 9)) == (0, [])
        progress.advance(7, {EARLY: 2, LATE: 1}, Tally({("s", RELEASED): 2}))
        progress.advance(8, {EARLY: 3}, Tally({("s", RELEASED): 3, ("t", RELEASED): 0}))
    with opened(remembered) as progress:
        assert progress.place == 8
        assert [progress.is_due(clock) for clock in (99, 100)] == [False, True]
        assert progress.due(100, 9) == [EARLY]
        assert progress.due(200, 9) == [EARLY, LATE]
        assert progress.due(200, 1) == [EARLY]
        assert (progress.waiting(EARLY), progress.waiting(Window("s", 0, 0))) == (5, 0)
        assert kept(source) == Kept(8, [("s", RELEASED, 5)], [("s", 5), ("t", 1)])
        progress.close_windows([EARLY], Tally({("s", DELIVERED): 5}))
        assert not progress.is_due(199)
        assert kept(source) == Kept(8, [("s", DELIVERED, 5), ("s", RELEASED, 5)], [("t", 1)])


def test_a_window_that_is_due_waits_until_it_is_released_and_others_need_not_wait_for_it(
    remembered: tables.Kept, source: Source
) -> None:
    with opened(remembered) as progress:
        progress.advance(1, {EARLY: 3}, Tally())
        assert place_of(source) == 1
        told = [waits(source, streams, clock) for streams, clock in ((["s"], 100), (["s"], 99), (["another"], 100))]
        progress.close_windows([EARLY], Tally())
        assert [*told, waits(source, ["s"], 100)] == [True, False, False, False]


def test_before_it_begins_its_place_is_none(source: Source) -> None:
    assert place_of(source) == 0
    with pytest.raises(Unavailable):
        kept(source)


def test_a_window_is_drawn_once_and_paid_or_neither(remembered: tables.Kept) -> None:
    points = [Point(1, 2.5, "a\0b"), Point(2, 3)]
    with opened(remembered) as progress:
        assert progress.draw(Drawn("r", 1, ("s", "t"), 6, 10, PERIOD), points)
        assert not progress.draw(Drawn("r", 2, ("u", "t"), 6, 10, PERIOD), points), "one of them can't pay"
        with pytest.raises(Exception, match=r"(?i)unique"):
            progress.draw(Drawn("r", 1, ("v",), 1, 10, PERIOD), [])
    with opened(remembered) as progress:
        assert progress.drawn("r", 1) == points
        assert progress.drawn("r", 2) is None
        assert [progress.spent(of, *PERIOD) for of in ("s", "t", "u", "v")] == [6, 6, 0, 0]
        assert progress.spent("s", 2, times.DAY) == 0
        progress.forget("r")
        assert progress.drawn("r", 1) is None
        assert progress.spent("s", *PERIOD) == 6, "what was spent stays spent"


def test_what_was_before_an_offer_is_filled_in_once(remembered: tables.Kept) -> None:
    with opened(remembered) as progress:
        progress.begin_backfills({"a": False, "b": True, "c": False})
        progress.begin_backfills({"a": True})
        assert progress.known_streams() == {"a", "b", "c"}
        assert progress.backfills(1) == [Backfill("a", -(2**63), "")]
        half = Backfill("a", 5, "k\0")
        progress.keep_backfills([(half, False), (Backfill("c", 6, ""), True)], {LATE: 4}, Tally())
        assert [one.stream for one in progress.backfills()] == ["a"]
        assert (progress.backfills()[0].position, progress.waiting(LATE)) == (5, 4)
        progress.forget("a")
        assert progress.known_streams() == {"b", "c"}


def test_what_was_seen_told_and_erased_is_remembered(remembered: tables.Kept) -> None:
    with opened(remembered) as progress:
        progress.keep_seen({"a": Seen(1, None, 3, "below_k"), "b": Seen()})
        progress.keep_seen({"a": Seen(4, 5, 3, "")})
        for _ in range(2):
            progress.note_told(["x", "y"])
            progress.note_cells("a", ["c1", "c2"])
            progress.note_erased("gone")
            progress.note_erased_tag("tag", 9)
        progress.note_taken_back(["x"])
        progress.note_told([])
        progress.reject([("a", 1, "k", "too large\0"), ("a", 1, "k", "again")])
    with opened(remembered) as progress:
        assert progress.seen() == {"a": Seen(4, 5, 3, ""), "b": Seen()}
        assert progress.told() == ["y"]
        assert progress.cells("a") == ["c1", "c2"]
        assert (progress.erased(), progress.erased_tags()) == ({"gone"}, {("tag", 9)})


def test_a_step_that_fails_amid_leaves_nothing(remembered: tables.Kept, source: Source) -> None:
    with closing(remembered.tables()) as own:
        progress = Progress(own)
        progress.advance(1, {EARLY: 1}, Tally())
        with pytest.raises(RuntimeError):
            _change_and_fail(own)
        assert kept(source) == Kept(1, [], [("s", 1)])
        progress.check()


def _change_and_fail(own: Tables) -> None:
    with own.changing():
        own.execute("update place set seq = ?", (2,))
        own.execute_many("delete from windows where stream = ?", [("s",)])
        raise RuntimeError
