"""Whether a gateway is there."""

from __future__ import annotations

import pytest

from broker.presence import Presence, State, state, word


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Presence("o", "g"), State("silent", None, "never_heard")),
        (Presence("o", "g", last_seen=90), State("live")),
        (Presence("o", "g", last_seen=89), State("silent", 89, "timeout")),
        (Presence("o", "g", last_seen=98, left=99), State("silent", 99, "last_will")),
        (Presence("o", "g", left=99), State("silent", 99, "last_will")),
        (Presence("o", "g", last_seen=99, left=98), State("live")),
        (Presence("o", "g", last_seen=50, left=40), State("silent", 50, "timeout")),
    ],
)
def test_what_was_heard_last_tells_how_it_is(known: Presence, expected: State) -> None:
    assert state(known, 100, 10) == expected


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"online", "online"),
        (b" Offline\n", "offline"),
        (b'{"state": "offline"}', "offline"),
        (b'{"state": "ONLINE", "ip": "10.0.0.7"}', "online"),
        (b"", None),
        (b"gone", None),
        (b'{"state": 0}', None),
        (b'{"state": "offline"', None),
        (b"\xff", None),
    ],
)
def test_the_two_words_are_understood_as_firmware_sends_them(payload: bytes, said: str | None) -> None:
    assert word(payload) == said
