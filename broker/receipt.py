"""What a publisher is told of a message, once it is journalled. Pure."""

from __future__ import annotations

import msgspec

from broker.entry import Entry

_encode = msgspec.json.Encoder().encode


def receipt(entry: Entry) -> bytes:
    """`{"stored": n}`, `{"rejected": [{"index", "reason"}]}`, or both where a pack is mixed. What is no data is 0 stored."""
    answer: dict[str, object] = {}
    stored = len(entry.points) + entry.elsewhere
    if stored or not entry.refusals:
        answer["stored"] = stored
    if entry.refusals:
        answer["rejected"] = [{"index": refusal.index, "reason": refusal.reason} for refusal in entry.refusals]
    return _encode(answer)
