"""Columns of measurements are made without a row for each; they say the same as if they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api import columnar
from api.columns import MEASURED, Heading, Sheet
from broker.licence import Terms
from broker.message import Form
from broker.points import Columns, Point

HEADING = Heading(MEASURED, (), Terms("CC0-1.0", "a", ("any",)), {"offer": "o"})
FORM = Form(b'{"datastream":"d","time":"', b'","value":', b',"unit":"Cel"')
SLOW = Sheet(HEADING, FORM, None)
QUICK = Sheet(HEADING, FORM, None, constant={"datastream": "d", "unit": "Cel"})

numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(numbers, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.text(max_size=5))


@given(st.one_of(st.lists(numbers, min_size=1), st.lists(values, min_size=1)))
def test_columns_say_what_rows_say(given_values):
    page = [Point(moment, value) for moment, value in enumerate(given_values)]
    for encode in (columnar.arrow, columnar.parquet):
        by_rows = b"".join(encode(HEADING, [(SLOW, page)]))
        assert b"".join(encode(HEADING, [(QUICK, page)])) == by_rows
        assert b"".join(encode(HEADING, [(QUICK, Columns.of(page))])) == by_rows
