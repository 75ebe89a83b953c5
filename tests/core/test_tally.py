"""What waited shares the fate of its window: all of it, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.keeper.tally import DELIVERED, REJECTED, rejected, shared

FATES = st.dictionaries(st.sampled_from([DELIVERED, "below_k", "not_a_number"]), st.integers(0, 1_000))


@given(st.integers(0, 10_000), FATES)
def test_what_is_shared_out_is_what_waited_and_what_nobody_had_gets_nothing(waited: int, fates: dict[str, int]) -> None:
    parts = shared(waited, fates)
    assert sum(parts.values()) == waited
    assert all(parts[fate] >= 0 for fate in parts)
    if sum(fates.values()):
        assert not [fate for fate, records in parts.items() if records and not fates[fate]]


@given(FATES)
def test_where_no_record_came_twice_the_fates_are_those_of_the_points(fates: dict[str, int]) -> None:
    if sum(fates.values()):
        assert shared(sum(fates.values()), fates) == fates


def test_a_record_that_came_twice_shares_in_proportion() -> None:
    assert shared(7, {DELIVERED: 4, "below_k": 2}) == {DELIVERED: 5, "below_k": 2}
    assert shared(3, {}) == {REJECTED: 3}, "its window was empty: the store did not take it"


def test_of_windows_that_a_store_took_in_part_only_so_much_is_delivered() -> None:
    assert rejected({DELIVERED: 10, "below_k": 3}, points=5, taken=4) == {DELIVERED: 8, REJECTED: 2, "below_k": 3}
    assert rejected({DELIVERED: 10}, points=5, taken=5) == {DELIVERED: 10}
