"""Token buckets: how much at once, how much in the long run, and when to come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import limits
from api.errors import Problem
from api.limits import Limit, address_of


class Clock:
    """Seconds, as a test sets them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_answered_and_then_so_many_a_second() -> None:
    clock = Clock()
    limit = Limit("key", rate=2, burst=5, clock=clock)
    for _ in range(5):
        limit.take("a")
    with pytest.raises(Problem) as refused:
        limit.take("a")
    assert (refused.value.status, refused.value.reason, refused.value.headers) == (
        429,
        "limit_key",
        {"Retry-After": "1"},
    )
    limit.take("b")
    clock.now = 0.5
    limit.take("a")
    with pytest.raises(Problem):
        limit.check("a")


def test_looking_uses_nothing_up() -> None:
    limit = Limit("wrong_keys", rate=0.01, burst=1, clock=Clock())
    for _ in range(3):
        limit.check("a")
    limit.take("a")
    with pytest.raises(Problem) as refused:
        limit.check("a")
    assert refused.value.headers == {"Retry-After": "100"}


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.floats(0.1, 50), st.integers(1, 20))
def test_never_more_than_the_burst_and_the_rate_are_answered(pauses: list[float], rate: float, burst: int) -> None:
    clock, answered = Clock(), 0
    limit = Limit("key", rate, burst, clock)
    for pause in pauses:
        clock.now += pause
        try:
            limit.take("a")
            answered += 1
        except Problem as problem:
            clock.now += float(problem.headers["Retry-After"])
            limit.take("a")  # who waits as long as was said is answered
            answered += 1
    assert answered <= burst + clock.now * rate + 1e-6


@given(st.integers(1, 200), st.integers(1, 60))
def test_who_waits_exactly_as_long_as_was_said_is_answered(burst: int, seconds: int) -> None:
    clock = Clock()
    limit = Limit("key", rate=1 / seconds, burst=burst, clock=clock)
    for _ in range(burst):
        limit.take("a")
    for _ in range(20):
        with pytest.raises(Problem) as refused:
            limit.take("a")
        clock.now += int(refused.value.headers["Retry-After"])
        limit.take("a")


def test_who_was_quiet_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 2)
    limit = Limit("address", rate=1, burst=1, clock=Clock())
    for caller in ("a", "b", "c"):
        limit.take(caller)
    limit.take("a")
    for caller in ("a", "c"):
        with pytest.raises(Problem):
            limit.take(caller)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("127.0.0.1", 5), "127.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 5), "2001:db8:1:2::/64"),
        (("somebody", 5), "somebody"),
        (None, ""),
    ],
)
def test_an_address_is_one_caller_and_so_is_a_site_of_ipv6(client: tuple[str, int] | None, expected: str) -> None:
    assert address_of({"type": "http", "client": client}) == expected
