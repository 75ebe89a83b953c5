"""Taking messages in: what no decoder foresaw is refused, and comes not again for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, get_args

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from broker.entry import Cause, Refusal
from broker.ingest import Ingest, IngestSettings
from broker.journal.protocol import Batch
from broker.journal.sqlite import SqliteJournal
from broker.model import Datastream, OrganisationId
from broker.mqtt.codec import Message
from broker.reading import Formats
from broker.routes import Foreign, Route, Routes
from broker.validate import LARGEST_PACK
from gateways.canonical import decode
from gateways.formats import formats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OF_EACH_CAUSE: dict[Cause, tuple[str, bytes]] = {
    "unreadable": ("in/o/g/t", b"21.5 at home"),
    "empty": ("in/o/g/t", b"[]"),
    "too_large": ("in/o/g/t", b"[" + b"1," * LARGEST_PACK + b"1]"),
    "unit": ("in/o/g/t", b'[{"n": "t", "u": "m", "v": 1}]'),
    "time": ("in/o/g/t", b'{"time": "2100-01-01T00:00:00Z", "value": 1}'),
    "value": ("in/o/g/t", b'{"value": "warm"}'),
    "kind": (
        "in/o/lorawan/up",
        b'{"end_device_ids": {"device_id": "d"}, "uplink_message": {"decoded_payload": {"door": 1}}}',
    ),
    "unknown_datastream": ("in/o/g/nobody's", b"1"),
    "topic": ("in/o", b"1"),
    "simulated": ("in/o/lorawan/up", b'{"simulated": true}'),
    "fault": ("in/o/faulty/up", b"1"),
}


class Unprepared:
    """A format with a fault."""

    def understand(self, topic: str, payload: bytes, arrived: int) -> NoReturn:
        raise ZeroDivisionError(f"{payload!r} on {topic} at {arrived}")


def test_a_message_that_a_fault_of_ours_can_not_read_is_refused_and_logged_without_what_it_says(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=64 << 20)
    formats = Formats({}, lambda *_: Unprepared(), lambda *_: None, str, lambda _: [])
    ingest = Ingest(
        journal,
        IngestSettings(1, 0, 0),
        formats=formats,
        on_batch=lambda _: None,
        places=dict,
        on_new_session=lambda: None,
    )
    ingest.understanding.routes = Routes({}, foreign={("o", "g"): Foreign("senml", "UTC", {})})
    with capture_logs() as logged:
        entry = ingest.understanding.understand(Message(b"in/o/g/up", b"21.5 at home", 1, False, b"ack/o/g", b"7"), 1)
    journal.close()
    assert entry.refusals == [Refusal(0, "not understood, by a fault of the broker's that its log names", "fault")]
    assert (entry.topic, entry.payload) == ("in/o/g/up", b"21.5 at home")
    assert (entry.response_topic, entry.correlation) == ("ack/o/g", b"7")
    assert [(one["event"], one["reason"]) for one in logged] == [("message_not_understood", "ZeroDivisionError")]
    assert "home" not in str(logged)


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    journal = SqliteJournal(tmp_path / "journal", limit_bytes=64 << 20)
    known = formats()
    made = Ingest(
        journal,
        IngestSettings(1, 0, 0),
        formats=replace(known, make=lambda name, custom: Unprepared() if name == "senml" else known.make(name, custom)),
        on_batch=lambda _: None,
        places=dict,
        on_new_session=lambda: None,
    )
    yield made
    journal.close()


@pytest.mark.parametrize("cause", get_args(Cause))
def test_refusals_are_counted_by_what_was_wrong(ingest: Ingest, cause: Cause) -> None:
    temperature = Datastream(OrganisationId("o"), "t", "g", "measurement", unit="Cel")
    door = Datastream(OrganisationId("o"), "door", "lorawan", "rfid")
    ingest.understanding.routes = Routes(
        {"in/o/g/t": Route(temperature, decode, ())},
        foreign={
            ("o", "faulty"): Foreign("senml", "UTC", {}),
            ("o", "lorawan"): Foreign("ttn", "UTC", {("d", "door"): door}),
        },
    )

    def counted() -> dict[str, float]:
        counts = {
            one: REGISTRY.get_sample_value("mitoyen_records_refused_total", {"reason": one}) for one in get_args(Cause)
        }
        return {one: count for one, count in counts.items() if count}

    topic, payload = OF_EACH_CAUSE[cause]
    before = counted()
    ingest._count(
        Batch(1, [ingest.understanding.understand(Message(topic.encode(), payload, 1, False, None, None), 1)])
    )
    assert {one: count - before.get(one, 0) for one, count in counted().items() if count != before.get(one)} == {
        cause: 1
    }
