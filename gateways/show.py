"""What was understood of a message, as `mitoyen decode` and `POST /api/v1/decode` show it. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import msgspec

from broker import times
from broker.entry import Refusal
from broker.reading import TAG, Reading, TagRead, Understood
from gateways.foreign import EXPECTED


def shown(understood: Understood) -> Iterator[dict[str, object]]:
    """One JSON object for each item. `time` is null where the message has none: its arrival will count."""
    for item in understood.items:
        match item:
            case Refusal(index=index, reason=reason):
                yield {"refused": reason, "index": index}
            case TagRead():
                yield _tag(item)
            case Reading():
                yield _reading(item)
            case _:
                raise AssertionError(item)


def unwrapped(text: bytes, topic: str) -> Iterator[tuple[str, bytes]]:
    """The (topic, payload) of a file: the whole of it, or, where each line is `{"topic": …, "payload": …}`, each of them.

    A payload that is a text is those bytes, or with `"encoding": "base64"` what it encodes; anything else is its JSON, as the
    Sparkplug specification prints its examples.
    """
    for captured in _captured(text) or [_Captured(topic, text)]:
        payload = captured.payload
        if isinstance(payload, str):
            payload = base64.b64decode(payload) if captured.encoding else payload.encode()
        yield captured.topic, payload if isinstance(payload, bytes) else msgspec.json.encode(payload)


class _Captured(msgspec.Struct, forbid_unknown_fields=True):
    topic: str
    payload: object
    encoding: Literal["base64"] | None = None


def _captured(text: bytes) -> list[_Captured] | None:
    for pieces in ([text], text.splitlines()):
        with suppress(*EXPECTED):
            return [_decode(piece) for piece in pieces if piece.strip()]
    return None


_decode = msgspec.json.Decoder(_Captured).decode


def _reading(reading: Reading) -> dict[str, object]:
    found: dict[str, object] = {
        "device": reading.device,
        "property": reading.property,
        "time": _time(reading.time),
        "value": reading.value,
        "unit": reading.unit,
    }
    return found if reading.unit_known else {**found, "unit_known": False}


def _tag(read: TagRead) -> dict[str, object]:
    told = {"read_point": read.read_point, "antenna": read.antenna, "rssi": read.rssi, "biz_step": read.biz_step}
    seen = {name: value for name, value in told.items() if value is not None}
    return {"device": read.device, "property": TAG, "time": _time(read.time), "epc": read.epc, **seen}


def _time(time: int | None) -> str | None:
    return None if time is None else times.text(time)
