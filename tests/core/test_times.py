"""Times and durations: to the nanosecond, both ways."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.errors import Malformed

moments = st.integers(times.EARLIEST, times.LATEST - 1)


@given(moments)
def test_every_nanosecond_survives_its_text(moment: int) -> None:
    assert times.parse(times.text(moment)) == moment


@given(
    st.datetimes(min_value=dt.datetime(1678, 1, 3), max_value=dt.datetime(2261, 12, 30)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_a_time_in_any_zone_is_what_python_says_it_is(local: dt.datetime, minutes: int) -> None:
    zoned = local.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    since = zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert (
        times.parse(zoned.isoformat())
        == (since.days * 86_400 + since.seconds) * times.SECOND + since.microseconds * 1_000
    )


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-11-22T20:00:00.1Z", 1_795_377_600_100_000_000),
        ("2026-11-22t20:00:00.000000001z", 1_795_377_600_000_000_001),
        ("2026-11-22T21:00:00+01:00", 1_795_377_600_000_000_000),
        ("2026-11-22T20:00:00.123456789000Z", 1_795_377_600_123_456_789),
        ("2024-02-29T00:00:00-00:00", 1_709_164_800_000_000_000),
    ],
)
def test_texts_of_rfc_3339_are_understood(text: str, nanoseconds: int) -> None:
    assert times.parse(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-22", "2026-11-22T20:00:00", "2026-11-22 20:00:00Z", "2026-02-29T00:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T20:00Z", "2026-11-22T20:00:00.Z", "2026-11-22T20:00:00.0000000001Z", "2026-11-22T20:00:00+1:00",
        "2026-11-22T20:00:00+24:00", "2026-11-22T20:00:00Z ", "1500-01-01T00:00:00Z", "2300-01-01T00:00:00Z",
        "２０26-11-22T20:00:00Z", "2026-11-22T20:00:00.١Z", "-001-11-22T20:00:00Z",
    ],
)  # fmt: skip
def test_anything_else_is_malformed_and_says_what_was_expected(text: str) -> None:
    with pytest.raises(Malformed, match=r"expected|no zone"):
        times.parse(text)


@given(st.text(max_size=40))
def test_no_text_does_worse_than_being_malformed(text: str) -> None:
    try:
        moment = times.parse(text)
    except Malformed:
        return
    assert times.EARLIEST <= moment < times.LATEST


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT5M", 300), ("P1D", 86_400), ("P2W", 1_209_600), ("P1DT1H1M1S", 90_061), ("PT0H90S", 90)]
)
def test_durations_of_fixed_length_are_understood(text: str, seconds: int) -> None:
    assert times.parse_duration(text) == seconds * times.SECOND


@pytest.mark.parametrize("text", ["", "P", "PT", "P1M", "P1Y", "5m", "PT-5M", "PT0S", "PT5", "P1DT", "PT1.5M"])
def test_durations_without_a_fixed_length_are_refused(text: str) -> None:
    if text == "P1DT":
        assert times.parse_duration(text) == times.DAY
        return
    with pytest.raises(Malformed, match="expected"):
        times.parse_duration(text)
