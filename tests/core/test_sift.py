"""Bad rows are found among good ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import StoreRejected
from broker.points import Point, Row, Rows
from broker.store.sift import BATCH, keep_all


class Shelf:
    """A store that takes, of each batch, the rows that aren't bad, and says why it did not take all."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.kept, self.calls = bad, {}, 0

    def keep(self, rows: Rows) -> str | None:
        self.calls += 1
        for row in rows:
            if row.point.value not in self.bad:
                self.kept[row.point.time] = row.point.value
        return "bad" if any(row.point.value in self.bad for row in rows) else None


@given(st.lists(st.integers(0, 9), max_size=200), st.sets(st.integers(0, 9)))
def test_exactly_the_bad_rows_are_refused_and_the_last_good_one_of_a_time_wins(given: list[int], bad: set[int]) -> None:
    rows = [Row("s", Point(value % 3, value)) for value in given]
    shelf, refused = Shelf(bad), []
    try:
        keep_all(rows, shelf.keep)
    except StoreRejected as error:
        refused = error.rows
    assert refused == [row for row in rows if row.point.value in bad]
    assert shelf.kept == {row.point.time: row.point.value for row in rows if row.point.value not in bad}


def test_one_bad_row_costs_few_writes() -> None:
    rows = [Row("s", Point(number, number)) for number in range(2 * BATCH)]
    shelf = Shelf({1_234})
    with pytest.raises(StoreRejected, match="1 of 10000 rows: bad"):
        keep_all(rows, shelf.keep)
    assert shelf.calls < 2 + 2 * 14
    assert len(shelf.kept) == 2 * BATCH - 1
