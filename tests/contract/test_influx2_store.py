"""The requests that go to an InfluxDB 2.x, for which no server can be had here: a recorder stands in for it, and says no more than its
documents say of its answers. With MITOYEN_TEST_INFLUX_URL a real one runs the contract suite: `test_store.py`.
"""

from __future__ import annotations

import json
import threading
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from broker.errors import StoreRejected, StoreUnavailable
from broker.points import Point, Row
from broker.store.influx import InfluxStore, prepare_buckets
from broker.store.influxserver import Token
from broker.times import EARLIEST, LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = Token("city", "s3cret")
ROWS = [Row("air/no2", Point(1, -0.0)), Row('air/"o3"', Point(2, 2**53 + 1, "k", '{"a":1}'))]
LINES = b'points,stream=air/no2 kind="f",value=-0.0 1\npoints,key=k,stream=air/"o3" kind="i+",integer=9007199254740993i,extra="{\\"a\\":1}" 2'
INVALID = {"code": "invalid", "message": "unable to parse 'x y': missing fields"}
PARTIAL = {
    "code": "unprocessable entity",
    "message": "failure writing points to database: partial write: points beyond retention policy dropped=1",
}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """Writes down what it is asked, and answers each path as it is told to."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """By path: status and body."""

    def asked(self, path: str) -> Request:
        """The one request for a path."""
        (found,) = [request for request in self.requests if request.path == path]
        return found


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    record = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Request(self.command, address.path, parse_qs(address.query), headers, body)
            record.requests.append(asked)
            status, said = record.answers.get(address.path, (204, b""))
            kind = "application/json" if said[:1] == b"{" else "application/x-msgpack"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """The record is `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    record.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield record
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(recorder: Recorder) -> Iterator[InfluxStore]:
    with closing(InfluxStore(recorder.url, "mitoyen_raw", account=TOKEN)) as opened:
        yield opened


def test_a_batch_is_line_protocol_in_nanoseconds_to_its_bucket_under_the_token(
    recorder: Recorder, store: InfluxStore
) -> None:
    store.write(ROWS)
    asked = recorder.asked("/api/v2/write")
    assert asked.method == "POST"
    assert asked.query == {"org": ["city"], "bucket": ["mitoyen_raw"], "precision": ["ns"]}
    assert asked.headers["authorization"] == "Token s3cret"
    assert asked.body == LINES


def test_a_question_is_influxql_with_bound_values_under_the_same_token(recorder: Recorder, store: InfluxStore) -> None:
    rows = [[1, None, "f", -0.0, None, None, None, None]]
    found = {"results": [{"series": [{"name": "points", "values": rows}]}]}
    recorder.answers["/query"] = (200, msgspec.msgpack.encode(found))
    (point,) = store.read("air/no2", EARLIEST, LATEST, limit=10)
    assert (point.time, str(point.value)) == (1, "-0.0")
    asked = recorder.asked("/query")
    form = parse_qs(asked.body.decode())
    assert asked.headers["authorization"] == "Token s3cret"
    assert asked.headers["accept"] == "application/x-msgpack"
    assert (form["db"], form["epoch"]) == (["mitoyen_raw"], ["ns"])
    assert "air/no2" not in form["q"][0]
    assert json.loads(form["params"][0]) == {"stream": "air/no2", "start": EARLIEST, "end": LATEST}


def test_erasing_names_one_stream_by_the_call_that_2x_has_for_it(recorder: Recorder, store: InfluxStore) -> None:
    store.erase('air/"o3"')
    asked = recorder.asked("/api/v2/delete")
    assert asked.query == {"org": ["city"], "bucket": ["mitoyen_raw"]}
    assert json.loads(asked.body) == {
        "start": "1678-01-01T00:00:00Z",
        "stop": "2262-01-01T00:00:00Z",
        "predicate": r'_measurement="points" AND stream="air/\"o3\""',
    }


@pytest.mark.parametrize(
    ("status", "said"), [(400, INVALID), (422, PARTIAL), (413, {"code": "request too large", "message": "too large"})]
)
def test_rows_that_are_refused_are_told_one_by_one_and_never_quoted(
    recorder: Recorder, store: InfluxStore, status: int, said: dict[str, str]
) -> None:
    recorder.answers["/api/v2/write"] = (status, json.dumps(said).encode())
    with pytest.raises(StoreRejected) as refused:
        store.write(ROWS)
    assert refused.value.rows == ROWS
    assert "x y" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (401, {"code": "unauthorized", "message": "unauthorized access"}, "refuses the user and password"),
        (404, {"code": "not found", "message": "bucket not found"}, "bucket not found"),
        (429, {"code": "too many requests", "message": "slow down"}, "slow down"),
        (503, {}, "HTTP 503"),
    ],
)
def test_everything_else_may_succeed_later(
    recorder: Recorder, store: InfluxStore, status: int, said: dict[str, str], told: str
) -> None:
    for path in ("/api/v2/write", "/api/v2/delete"):
        recorder.answers[path] = (status, json.dumps(said).encode())
    for call in (lambda: store.write(ROWS), lambda: store.erase("air/no2")):
        with pytest.raises(StoreUnavailable, match=told) as unavailable:
            call()
        assert "s3cret" not in str(unavailable.value)


def test_a_server_that_is_away_is_told(recorder: Recorder) -> None:
    nobody = recorder.url.rpartition(":")[0] + ":9"  # discard: nobody listens there
    with closing(InfluxStore(nobody, "mitoyen_raw", account=TOKEN)) as store:
        for call in (lambda: store.write(ROWS), lambda: store.erase("air/no2"), lambda: store.latest(["air/no2"])):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                call()


def test_buckets_that_are_missing_are_created_to_keep_for_ever(recorder: Recorder) -> None:
    organisation = {"orgs": [{"id": "0123456789abcdef", "name": "city"}]}
    recorder.answers["/api/v2/orgs"] = (200, json.dumps(organisation).encode())
    none, made = {"buckets": []}, {"name": "made", "retentionRules": []}  # to look for one, and to make one
    recorder.answers["/api/v2/buckets"] = (200, json.dumps(none | made).encode())
    prepare_buckets(recorder.url, "mitoyen", TOKEN)
    asked = [json.loads(request.body) for request in recorder.requests if request.method == "POST"]
    assert [(one["name"], one["orgID"], one["retentionRules"][0]["everySeconds"]) for one in asked] == [
        ("mitoyen_raw", "0123456789abcdef", 0),
        ("mitoyen_released", "0123456789abcdef", 0),
    ]
