"""Units as devices spell them: one UCUM code, or kept and marked; and times as they write them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.errors import Malformed
from gateways import moments, units

# --- units


@pytest.mark.parametrize(
    ("spelt", "code"),
    [
        ("µg/m³", "ug/m3"), ("μg/m³", "ug/m3"), ("ug/m3", "ug/m3"), ("°C", "Cel"), ("C", "Cel"), ("%RH", "%"), ("hPa", "hPa"),
        ("kWh", "kW.h"), ("dB(A)", "dB[SPL]"), ("mm[Hg]", "mm[Hg]"), ("mS/cm", "mS/cm"),
    ],
)  # fmt: skip
def test_a_spelling_in_use_becomes_ucum(spelt: str, code: str) -> None:
    assert units.ucum(spelt) == (code, True)


@pytest.mark.parametrize("spelt", ["dBm", "lqi", "foo", "ug/m^^3", "µ", "x" * 200])
def test_a_unit_that_is_unknown_is_kept_and_marked(spelt: str) -> None:
    assert units.ucum(spelt) == (spelt, False)


def test_no_unit_is_none() -> None:
    assert units.ucum(None) == units.rec_20("") == units.senml(None) == (None, True)


def test_every_code_of_the_tables_is_ucum() -> None:
    codes = (
        {code or spelt for spelt, code in units.ALIASES.items()}
        | set(units.SENML.values())
        | set(units.REC_20.values())
    )
    unread = {code for code in codes if not units._is_ucum(code)}
    assert unread == {"[pH]"}, "which UCUM has, and ucumvert 0.3 can't read"


@pytest.mark.parametrize(
    ("value", "from_", "to", "expected"),
    [
        (20, "Cel", "[degF]", 68.0), (300.15, "K", "Cel", 27.0), (1, "mg/m3", "ug/m3", 1000.0), (0.54, "1", "%", 54.0),
        (1, "kW.h", "W.h", 1000.0), (36, "km/h", "m/s", 10.0), (1, "Pa", "m", None), (60, "dB[SPL]", "Pa", None), (1, "?", "m", None),
        (float("nan"), "K", "Cel", None), (1e308, "km", "m", None), (10**400, "K", "Cel", None),
    ],
)  # fmt: skip
def test_a_value_is_converted_where_a_factor_and_an_offset_do(
    value: float, from_: str, to: str, expected: float | None
) -> None:
    assert units.convert(value, from_, to) == expected


# --- times


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-22T21:00:00.123456789+0100", "2026-11-22T20:00:00.123456789Z"), ("2026-11-22 21:00:00", "2026-11-22T20:00:00Z"),
        ("2026-11-22T21:00", "2026-11-22T20:00:00Z"), ("2026-07-01T12:00:00,5", "2026-07-01T10:00:00.5Z"),
        ("2026-11-22T20:00:00.0Z", "2026-11-22T20:00:00Z"), ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
    ],
)  # fmt: skip
def test_a_time_without_zone_is_local_and_digits_are_kept(written: str, instant: str) -> None:
    assert moments.parse(written, ZoneInfo("Europe/Paris")) == times.parse(instant)


@given(
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)),
    st.sampled_from(["Europe/Paris", "Asia/Kolkata", "America/St_Johns"]),
)
def test_local_times_agree_with_the_standard_librarys(local: dt.datetime, zone: str) -> None:
    expected = local.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    offset = local.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    if offset is not None and offset.microseconds == 0:
        assert moments.parse(local.isoformat(), ZoneInfo(zone)) == times.parse(
            expected.isoformat().replace("+00:00", "Z")
        )


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"), [(1631186545.04, 1631186545_040_000_000), (0.1, 100_000_000), (7, 7_000_000_000)]
)
def test_a_count_of_seconds_keeps_its_digits(seconds: float, nanoseconds: int) -> None:
    assert moments.since_1970(seconds) == nanoseconds


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e30, 10**40, 1e11])
def test_a_count_that_is_no_time_is_refused(number: float) -> None:
    with pytest.raises(Malformed):
        moments.since_1970(number)


@pytest.mark.parametrize(
    "written", ["yesterday", "2026-13-01T00:00:00", "0001-01-01T00:00:00", "", "2026-11-22T25:00:00"]
)
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(Malformed):
        moments.parse(written, ZoneInfo("Asia/Kolkata"))


def test_units_are_known_to_several_threads_at_once() -> None:
    """In a process of its own, where nothing is loaded yet."""
    program = (
        "from concurrent.futures import ThreadPoolExecutor; from gateways import units\n"
        "with ThreadPoolExecutor(4) as pool: print(set(pool.map(lambda n: units.convert(n, 'K', 'Cel'), [300.15] * 4)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "{27.0}\n"
