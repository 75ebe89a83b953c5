"""How long what came waited until it was released."""

from __future__ import annotations

from broker import times
from broker.keeper.delays import MOST, Delays


def test_a_release_is_as_late_as_the_first_record_that_it_had_waiting() -> None:
    delays = Delays()
    delays.heard("a", 0)
    delays.heard("a", 30 * times.SECOND)
    delays.shown("a", 40 * times.SECOND)
    delays.shown("b", 40 * times.SECOND)  # of what was there before anybody listened
    assert delays.slowest() == (("a", 40 * times.SECOND),)
    delays.heard("a", 50 * times.SECOND)
    assert delays.slowest() == (("a", 40 * times.SECOND),), "until it is released again"
    delays.shown("a", 51 * times.SECOND)
    assert delays.slowest() == (("a", times.SECOND),)


def test_the_slowest_are_told_and_what_was_erased_is_not() -> None:
    delays = Delays()
    for number in range(MOST + 5):
        delays.heard(f"s{number}", 0)
        delays.shown(f"s{number}", number)
    assert [stream for stream, _ in delays.slowest()] == [f"s{number}" for number in range(MOST + 4, 4, -1)]
    delays.forget(f"s{MOST + 4}")
    assert delays.slowest()[0] == (f"s{MOST + 3}", MOST + 3)
