"""History as its readers fetch it: in every format, of a release and of an offer, whole, by pages and by ranges of bytes."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api import reading
from broker import times
from broker.points import Point
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    import httpx

    from tests.servers import Mitoyen

BEGIN = times.parse("2026-02-01T00:00:00Z")
VALUES: list[float | int | str | bool] = [-0.0, 5e-324, 0.1 + 0.2, 2**53 + 1, -7, 'wet, "very"\n', True, 1.7e308]
LYON = {"type": "Point", "coordinates": [4.8357, 45.764]}
PARIS = {"type": "Point", "coordinates": [2.3522, 48.8566]}
MANY = 12_345


def moment(number: int) -> str:
    return times.text(BEGIN + number * times.SECOND + number)


@pytest.fixture(scope="module")
def owner(mitoyen: Mitoyen) -> Owner:
    made = new_owner(mitoyen, "archive")
    made.datastream("mixed", location=LYON)
    made.datastream("many", unit="m", location=PARIS)
    made.datastream("nowhere")
    with Device(made.mqtt) as device:
        device.publish("mixed", [json.dumps({"time": moment(n), "value": v}) for n, v in enumerate(VALUES)])
        packs = [range(at, min(at + 1_000, MANY)) for at in range(0, MANY, 1_000)]
        device.publish("many", [json.dumps([{"time": moment(n), "value": n / 7} for n in pack]) for pack in packs])
        device.publish("nowhere", [json.dumps({"time": moment(1), "value": "here"})])
        device.await_answers(len(VALUES) + len(packs) + 1)
    return made


@pytest.fixture(scope="module")
def offer(owner: Owner) -> dict[str, Any]:
    return owner.offer(["mixed", "many", "nowhere"])


@pytest.fixture(scope="module")
def reader(mitoyen: Mitoyen, offer: dict[str, Any]) -> Reader:
    made = new_reader(mitoyen, "historian")
    made.agree(offer["id"])
    for release in offer["releases"]:
        made.history(release["id"])
    return made


def get(
    reader: Reader, path: str, headers: dict[str, str] | None = None, method: str = "GET", **query: str
) -> httpx.Response:
    with reader.broker.client(reader.key) as client:
        answer = client.request(method, f"/api/v1/{path}", params=query, headers=headers)
    assert answer.is_success, answer.text
    return answer


def releases(offer: dict[str, Any]) -> dict[str, str]:
    return {release["datastream"]: f"releases/{release['id']}" for release in offer["releases"]}


def same(found: list[object]) -> bool:
    return [repr(value) for value in found] == [repr(value) for value in VALUES]


def test_json_lines_and_geojson_carry_each_value_as_it_was(offer: dict[str, Any], reader: Reader) -> None:
    path = releases(offer)["mixed"] + "/observations"
    whole = get(reader, path, format="json").json()
    assert whole["complete"] is True
    assert same([o["value"] for o in whole["observations"]])
    assert [o["time"] for o in whole["observations"]] == [moment(n) for n in range(len(VALUES))]
    lines = get(reader, path, format="ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == whole["observations"]
    features = get(reader, path, {"Accept": "application/geo+json"}).json()
    assert features["type"] == "FeatureCollection"
    assert [f["properties"] for f in features["features"]] == whole["observations"]
    assert all(f["geometry"] == LYON for f in features["features"])


def test_csv_reads_back_as_the_same_text_and_numbers(offer: dict[str, Any], reader: Reader) -> None:
    answer = get(reader, releases(offer)["mixed"] + "/observations", format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    spelled = [row["value"] for row in rows]
    assert spelled == [v if isinstance(v, str) else json.dumps(v).replace("1.7e+308", "1.7e308") for v in VALUES]
    assert [row["time"] for row in rows] == [moment(n) for n in range(len(VALUES))]


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_columns_keep_nanoseconds_and_every_value(offer: dict[str, Any], reader: Reader, name: str) -> None:
    answer = get(reader, releases(offer)["mixed"] + "/observations", format=name)
    buffer = pa.BufferReader(answer.content)
    table = pq.read_table(buffer) if name == "parquet" else pa.ipc.open_stream(buffer).read_all()
    assert table["time"].cast(pa.int64()).to_pylist() == [times.parse(moment(n)) for n in range(len(VALUES))]
    exact = [
        n if e is None else json.loads(e)
        for n, e in zip(table["value"].to_pylist(), table["value_exact"].to_pylist(), strict=True)
    ]
    assert [repr(value) for value in exact] == [repr(float(v) if v == -7 else v) for v in VALUES]
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata["licence"] == "CC-BY-4.0"
    assert metadata["licence_uri"].startswith("http")
    assert metadata["attribution"] == "A test"


@pytest.mark.parametrize("limit", ["1000", "10000"])
def test_pages_follow_one_another_without_gap_or_repeat(offer: dict[str, Any], reader: Reader, limit: str) -> None:
    found = reader.history(offer["releases"][1]["id"], limit=limit)
    assert [(o["time"], o["value"]) for o in found] == [(moment(n), n / 7) for n in range(MANY)]


def test_an_offer_answers_all_its_datastreams_at_once_and_page_by_page(offer: dict[str, Any], reader: Reader) -> None:
    path = f"offers/{offer['id']}/observations"
    lines = [json.loads(line) for line in get(reader, path, format="ndjson").text.splitlines()]
    assert [o["datastream"] for o in lines] == ["mixed"] * len(VALUES) + ["many"] * MANY + ["nowhere"]
    paged: list[dict[str, Any]] = []
    with reader.broker.client(reader.key) as client:
        after = f"/api/v1/{path}?limit=5000"
        while after:
            page = client.get(after).json()
            paged += page["observations"]
            after = page.get("next")
    assert paged == lines
    table = pq.read_table(pa.BufferReader(get(reader, path, format="parquet").content))
    assert table.num_rows == len(lines)
    assert set(table["datastream"].to_pylist()) == {"mixed", "many", "nowhere"}


@pytest.mark.parametrize(
    ("bbox", "streams"),
    [
        ("4,45,5,46", {"mixed"}),
        ("2,45,5,49", {"mixed", "many"}),
        ("170,-10,-170,10", set()),
        ("-180,-90,180,90", {"mixed", "many"}),
    ],
)
def test_a_box_chooses_by_place_and_what_has_none_is_in_none(
    offer: dict[str, Any], reader: Reader, bbox: str, streams: set[str]
) -> None:
    lines = get(reader, f"offers/{offer['id']}/observations", format="ndjson", bbox=bbox).text.splitlines()
    assert {json.loads(line)["datastream"] for line in lines} == streams


def test_intervals_are_downsampled_alike_in_pages_and_whole(offer: dict[str, Any], reader: Reader) -> None:
    query = {"interval": "PT1M", "statistic": "max"}
    paged = reader.history(offer["releases"][1]["id"], limit="7", **query)
    assert paged == reader.history(offer["releases"][1]["id"], limit="10000", **query)
    assert paged[0]["value"] == 59 / 7
    assert paged[0]["until"] == "2026-02-01T00:01:00Z"
    assert len(paged) == -(-MANY // 60)


def test_latest_is_the_newest(offer: dict[str, Any], reader: Reader) -> None:
    newest = get(reader, releases(offer)["many"] + "/latest").json()
    assert (newest["time"], newest["value"]) == (moment(MANY - 1), (MANY - 1) / 7)


class ByRanges(io.RawIOBase):
    """The file at a URL as a reader of Parquet sees it: its length, then parts of it."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        super().__init__()
        self._client, self._url, self._at = client, url, 0
        head = client.head(url)
        assert head.headers["accept-ranges"] == "bytes"
        self.size = int(head.headers["content-length"])
        self.fetched = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.size - self._at)
        if count <= 0:
            return 0
        answer = self._client.get(self._url, headers={"Range": f"bytes={self._at}-{self._at + count - 1}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {self._at}-{self._at + count - 1}/{self.size}"
        assert len(answer.content) == count
        buffer[:count] = answer.content
        self._at += count
        self.fetched += count
        return count


def test_parquet_is_read_by_its_url_in_ranges_and_not_whole(offer: dict[str, Any], reader: Reader) -> None:
    with reader.broker.client(reader.key) as client:
        file = ByRanges(client, f"/api/v1/{releases(offer)['many']}/observations?format=parquet")
        parquet = pq.ParquetFile(pa.PythonFile(file, mode="r"))
        assert parquet.metadata.num_rows == MANY
        footer = file.fetched  # at least 64 KiB are asked for, which this file has not
        first = parquet.read_row_group(0, columns=["value"])
        assert first["value"].to_pylist() == [n / 7 for n in range(first.num_rows)]
        assert file.fetched - footer < file.size


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-3", 206, 0, 3),
        ("bytes=-4", 206, -4, -1),
        ("bytes=4-", 206, 4, -1),
        ("bytes=99999999-", 416, 0, 0),
        ("lines=1-2", 200, 0, -1),
        ("bytes=0-1,3-4", 200, 0, -1),
    ],
)
def test_ranges_are_answered_as_rfc_9110_says(
    offer: dict[str, Any], reader: Reader, asked: str, status: int, first: int, last: int
) -> None:
    url = f"/api/v1/{releases(offer)['mixed']}/observations?format=parquet"
    with reader.broker.client(reader.key) as client:
        head = client.head(url)
        answer = client.get(url, headers={"Range": asked})
        whole = client.get(url, headers={"Range": "bytes=0-"})
    assert answer.status_code == status
    size = int(head.headers["content-length"])
    assert len(whole.content) == size
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{size}"
        return
    assert answer.content == whole.content[first : size + last + 1 if last < 0 else last + 1]
    assert answer.headers["etag"] == head.headers["etag"]


def test_ranges_end_with_the_agreement(mitoyen: Mitoyen, offer: dict[str, Any]) -> None:
    brief = new_reader(mitoyen, "brief")
    agreement = brief.agree(offer["id"])
    url = f"/api/v1/{releases(offer)['mixed']}/observations?format=parquet"
    with mitoyen.client(brief.key) as client:
        assert client.get(url, headers={"Range": "bytes=0-3"}).status_code == 206
        mitoyen.call(brief.key, "DELETE", f"agreements/{agreement['id']}", {"reason": "done"})
        assert client.get(url, headers={"Range": "bytes=0-3"}).status_code == 403
    with mitoyen.client() as client:
        assert client.get(url, headers={"Range": "bytes=0-3"}).status_code == 401


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "start before the end"),
        ({"start": "yesterday"}, "RFC 3339"),
        ({"interval": "1h"}, "ISO 8601"),
        ({"bbox": "1,2,3"}, "west,south,east,north"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "0.!!"}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"format": "xlsx"}, "format"),
        ({"statistic": "mode"}, "statistic"),
    ],
)
def test_a_query_that_can_not_be_is_422_and_says_what_was_expected(
    offer: dict[str, Any], reader: Reader, query: dict[str, str], said: str
) -> None:
    with reader.broker.client(reader.key) as client:
        answer = client.get(f"/api/v1/{releases(offer)['mixed']}/observations", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text


def test_what_came_since_is_what_history_goes_on_with(offer: dict[str, Any], reader: Reader) -> None:
    path = f"/api/v1/releases/{offer['releases'][1]['id']}/observations"
    with reader.broker.client(reader.key) as client:
        whole = client.get(path, params={"limit": "10000"}).json()
        page = client.get(path, params={"limit": "7"}).json()
        rest = client.get(path, params={"limit": "9993", "since": page["since"]}).json()
        ended = client.get(path, params={"since": reading.encode_cursor(Point(times.LATEST - 1, 0))}).json()
    assert page["observations"] + rest["observations"] == whole["observations"]
    assert rest["since"] == whole["since"]
    assert ended["observations"] == []
    assert reading.decode_cursor(ended["since"])[0] == times.LATEST - 1
