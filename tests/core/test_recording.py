"""Recordings: streamed, and refused with file and line where they are not what they should be."""

from __future__ import annotations

import datetime as dt
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import Malformed
from broker.times import MINUTE, SECOND, parse, text
from simulators.recording import records

REAL = Path(__file__).parents[3] / "shared" / "samples" / "recordings"
"""Real recordings, where they are kept beside the repository."""


@pytest.fixture
def written(tmp_path):
    def write(content: str | bytes, name: str = "recording.csv") -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def test_a_csv_of_local_times_is_read_as_offsets_from_its_first_record(written):
    file = written("timestamp,value\n2015-09-01 13:45:00,3.06\n2015-09-01 13:50:00,6\n\n2015-09-01T13:55,true\n")
    found = list(records(file))
    assert [(r.offset_ns, r.value) for r in found] == [(0, 3.06), (5 * MINUTE, 6), (10 * MINUTE, True)]
    assert found[0].time_ns == parse("2015-09-01T13:45:00Z")
    assert [type(r.value) for r in found] == [float, int, bool]


def test_local_times_are_local_to_the_zone_given(written):
    file = written("timestamp,value\n2015-09-01 13:45:00,1\n")
    (found,) = records(file, zone=ZoneInfo("America/Chicago"))
    assert text(found.time_ns) == "2015-09-01T18:45:00Z"


def test_times_with_a_zone_keep_it_to_the_nanosecond(written):
    file = written("timestamp,value\n2015-09-01T13:45:00.123456789+02:00,1\n2015-09-01 11:46:00Z,2\n")
    found = list(records(file, zone=ZoneInfo("Asia/Tokyo")))
    assert [text(r.time_ns) for r in found] == ["2015-09-01T11:45:00.123456789Z", "2015-09-01T11:46:00Z"]


def test_the_hour_that_autumn_repeats_is_played_twice(written):
    file = written("timestamp,value\n2025-10-26 02:30,1\n2025-10-26 02:45,2\n2025-10-26 02:00,3\n2025-10-26 03:00,4\n")
    found = list(records(file, zone=ZoneInfo("Europe/Paris")))
    assert [r.offset_ns // MINUTE for r in found] == [0, 15, 30, 90]


def test_columns_are_chosen_by_their_names(written):
    file = written("speed,when,id\n50,2020-01-01T00:00:00Z,a\n")
    assert [r.value for r in records(file, time_column="when", value_column="speed")] == [50]


def test_ndjson_is_read_line_by_line(written):
    file = written(
        '{"time":"2020-01-01T00:00:00Z","value":1.5}\n\n{"time":"2020-01-01 00:00:01","value":false,"x":1}\n',
        "r.ndjson",
    )
    assert [(r.offset_ns, r.value) for r in records(file)] == [(0, 1.5), (SECOND, False)]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(written):
    assert [r.value for r in records(written(b"\xef\xbb\xbftimestamp,value\r\n2020-01-01,7\r\n"))] == [7]


def test_a_long_recording_is_not_read_beyond_what_is_asked_for(written):
    lines = "".join(f"2020-01-01 00:00:{second:02d},{second}\n" for second in range(3))
    file = written("timestamp,value\n" + lines + "nonsense,nonsense\n")
    assert [r.value for r in islice(records(file), 3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (
            "timestamp,value\n2020-01-01,1\nyesterday,2\n",
            "r.csv",
            "line 3: time 'yesterday': expected RFC 3339",
        ),
        ("timestamp,value\n2020-01-01,oops\n", "r.csv", "line 2: value 'oops': expected a finite number"),
        ("timestamp,value\n2020-01-01,\n", "r.csv", "line 2: value '': expected a finite number"),
        ("timestamp,value\n2020-01-01,nan\n", "r.csv", "line 2: value 'nan': expected a finite number"),
        ("timestamp,value\n2020-01-01,9223372036854775808\n", "r.csv", "line 2: .*does not fit in 64 bits"),
        (
            "timestamp,value\n2020-01-02,1\n2020-01-01,2\n",
            "r.csv",
            "line 3: time .* is earlier than the record before",
        ),
        ("timestamp,value\n2020-01-01,1,2\n", "r.csv", "line 2: 3 columns where the header has 2"),
        ('timestamp,value\n2020-01-01,"1\n', "r.csv", "line 2: "),
        ("timestamp,value\n2020-01-01T25:00:00Z,1\n", "r.csv", "line 2: time '2020-01-01T25:00:00Z'"),
        ("time,value\n", "r.csv", "line 1: no column 'timestamp'; there are 'time', 'value'"),
        ("", "r.csv", "line 1: no column 'timestamp'; there are none"),
        ("timestamp,value\n", "r.csv", "holds no record"),
        ("[1]\n", "r.ndjson", "line 1: expected a JSON object"),
        ('{"time":"2020-01-01T00:00:00Z","value":1}\n{', "r.ndjson", "line 2: is not JSON"),
        ('{"time":"2020-01-01T00:00:00Z"}\n', "r.jsonl", "line 1: no 'value'; there are 'time'"),
        ('{"time":5,"value":1}\n', "r.jsonl", "line 1: time 5: expected RFC 3339"),
        (
            '{"time":"2020-01-01T00:00:00Z","value":null}\n',
            "r.jsonl",
            "line 1: value None: expected a finite number",
        ),
        (
            '{"time":"2020-01-01T00:00:00Z","value":Infinity}\n',
            "r.jsonl",
            "line 1: value inf: expected a finite",
        ),
        (b"timestamp,value\n2020-01-01,\xff\n", "r.csv", "is not UTF-8"),
        ("timestamp,value\n", "r.txt", "expected a name that ends in .csv, .ndjson, .jsonl"),
    ],
)
def test_what_is_not_a_recording_is_refused_with_file_and_line(written, content, name, said):
    file = written(content, name)
    with pytest.raises(Malformed, match=said) as refusal:
        list(records(file))
    assert str(refusal.value).startswith(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Malformed, match=r"nowhere\.csv: No such file"):
        list(records(tmp_path / "nowhere.csv"))


@settings(max_examples=50, deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
        min_size=1,
        max_size=20,
    )
)
def test_values_are_read_back_as_they_were_written(tmp_path_factory, values):
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    lines = [f"{(start + dt.timedelta(minutes=n)).isoformat()},{value!r}" for n, value in enumerate(values)]
    file = tmp_path_factory.mktemp("written") / "recording.csv"
    file.write_text("\n".join(["timestamp,value", *lines]))
    found = list(records(file))
    assert [r.value for r in found] == values
    assert [r.offset_ns for r in found] == [n * MINUTE for n in range(len(values))]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real recordings are not here: {REAL}")
def test_real_recordings_are_read_to_their_last_line():
    files = sorted(REAL.glob("*.csv"))
    assert files
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        found = list(records(file, zone=ZoneInfo("America/New_York")))
        assert len(found) == len(lines) - 1
        assert found[0].offset_ns == 0
        assert all(one.offset_ns <= other.offset_ns for one, other in pairwise(found))
        assert found[-1].value == float(lines[-1].split(",")[1])
