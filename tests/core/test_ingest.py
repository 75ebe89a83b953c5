"""Taking messages in: what no decoder foresaw is refused, and comes not again for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from structlog.testing import capture_logs

from broker.entry import Refusal
from broker.ingest import Ingest, IngestSettings
from broker.journal.sqlite import SqliteJournal
from broker.mqtt.codec import Message
from broker.reading import Formats
from broker.routes import Foreign, Routes

if TYPE_CHECKING:
    from pathlib import Path


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
    assert entry.refusals == [Refusal(0, "not understood, by a fault of the broker's that its log names")]
    assert (entry.topic, entry.payload) == ("in/o/g/up", b"21.5 at home")
    assert (entry.response_topic, entry.correlation) == ("ack/o/g", b"7")
    assert [(one["event"], one["reason"]) for one in logged] == [("message_not_understood", "ZeroDivisionError")]
    assert "home" not in str(logged)
