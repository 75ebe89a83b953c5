"""Whatever comes on any topic that the broker hears is taken or refused, and what it makes of it can be journalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker import times
from broker.errors import MitoyenError
from broker.ingest import Ingest, IngestSettings
from broker.journal.protocol import Beside
from broker.journal.sqlite import SqliteJournal
from broker.model import Datastream, FormatName, OrganisationId
from broker.mqtt.codec import Message
from broker.receipt import receipt
from broker.routes import Foreign, Route, Routes, _no_records
from gateways import formats
from gateways.canonical import decode
from tests.payloads import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.model import Kind

NOW = times.parse("2026-11-22T20:00:00Z")
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
PRESENCE = [b"online", b"offline", b'{"state": "online", "outbox": {"pending": 1, "dropped": 2}}']
READS = b'[{"time": "2026-11-22T19:59:59Z", "epc": "3074257BF7194E4000001A85", "antenna": 1}]'
OWN = [b'{"value": 1}', b'[{"time": "2026-11-22T20:00:00Z", "value": "x"}]', READS]
FAMILIES = {
    "own": [(topic, payload) for topic in ("in/o/g/m", "in/o/g/r", "in/o/g/s", "in/o/g/c") for payload in OWN],
    "presence": [("in/o/g/~", said) for said in PRESENCE],
    "devices": [(f"in/o/{name}/{topic}", payload) for name in FORMATS for topic, payload in MESSAGES[name]],
    "nobody's": [
        ("in/o/x/m", b"1"),
        ("in/~", b"mark"),
        ("in//", b""),
        ("frame/o/g/c", b"\xff\xd8\xff"),
        ("ack/o/g", b""),
    ],
}


def datastream(name: str, kind: Kind, gateway: str = "g", **more: str) -> Datastream:
    return Datastream(OrganisationId("o"), name, gateway, kind, **more)  # type: ignore[arg-type]  # texts all


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    journal = SqliteJournal(tmp_path / "journal.sqlite", limit_bytes=1 << 30)
    made = Ingest(
        journal,
        IngestSettings(1_000_000, 1, 0),
        formats=formats.formats(),
        on_batch=lambda _: None,
        places=dict,
        on_new_session=lambda: None,
    )
    streams = [datastream("m", "measurement", unit="Cel"), datastream("r", "rfid"), datastream("s", "rfid", smooth="PT10S")]  # fmt: skip
    routes = {f"in/o/g/{one.id}": Route(one, decode, ()) for one in streams}
    routes["in/o/g/c"] = Route(datastream("c", "camera"), _no_records, ())
    adopted = {("gate", "epc"): datastream("t", "rfid", "gateway", smooth="PT10S")}
    foreign = {("o", name): Foreign(name, "Europe/Paris", adopted) for name in FORMATS}
    made.understanding.routes = Routes(
        routes, foreign=foreign, smoothed={"in/o/g/s": 10 * times.SECOND, "in/o/gateway/t": 1}
    )
    yield made
    journal.close()


def mangled(of: bytes) -> st.SearchStrategy[bytes]:
    def cut(at: tuple[int, int], middle: bytes) -> bytes:
        begin, end = sorted((at[0] % (len(of) + 1), at[1] % (len(of) + 1)))
        return of[:begin] + middle + of[end:]

    places = st.tuples(st.integers(0, 9_999), st.integers(0, 9_999))
    return st.just(of) | st.builds(cut, places, st.binary(max_size=6))


@st.composite
def message(draw: st.DrawFn, family: str) -> Message:
    topic, payload = draw(st.sampled_from(FAMILIES[family]))
    response = draw(st.sampled_from([None, b"ack/o/g", b"ack/o/other", b"in/o/g/m", b"\xff", b""]))
    return Message(
        draw(mangled(topic.encode())),
        draw(mangled(payload)),
        draw(st.integers(0, 3)),
        draw(st.booleans()),
        response,
        draw(st.none() | st.binary(max_size=9)),
    )


def _fuzz(ingest: Ingest, family: str, messages: int) -> None:
    @settings(max_examples=messages, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(message(family))
    def taken_or_refused(one: Message) -> None:
        try:
            entry = ingest.understanding._read(one, one.topic.decode(errors="replace"), NOW)
        except MitoyenError as error:
            pytest.fail(f"{error}")
        made = [*ingest.understanding.taken.entries, entry]
        ingest.understanding.taken.entries.clear()
        msgspec.msgpack.encode(made)
        msgspec.json.decode(receipt(entry))
        assert all(refusal.reason for refusal in entry.refusals)
        assert not entry.response_topic or entry.response_topic.startswith("ack/o/")

    taken_or_refused()
    ingest._journal.append(
        [ingest.understanding._read(Message(b"in/o/g/m", b"1", 0, False, None, None), "in/o/g/m", NOW)],
        Beside({}, ingest.understanding.taken.untimed, ingest.understanding.sightings.handed_over()), lambda _: None,
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_comes_is_taken_or_refused(ingest: Ingest, family: str) -> None:
    _fuzz(ingest, family, 200)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", FAMILIES)
def test_of_10_000_mutated_messages_each_is_taken_or_refused(ingest: Ingest, family: str) -> None:
    _fuzz(ingest, family, 10_000)
