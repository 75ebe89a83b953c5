"""Protobuf's wire format, written: enough of it for Sparkplug and GTFS-Realtime. Pure.

https://protobuf.dev/programming-guides/encoding/ . A message is a list of fields in the order in which they are written.
"""

from __future__ import annotations

import struct

_VARINT, _I64, _LENGTH, _I32 = 0, 1, 2, 5


def varint(number: int, value: int) -> bytes:
    """A field of an integer (negative ones as 64 bits), an enumeration or a truth."""
    return _key(number, _VARINT) + _varint(value & (1 << 64) - 1)


def double(number: int, value: float) -> bytes:
    return _key(number, _I64) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """A float of 32 bits."""
    return _key(number, _I32) + struct.pack("<f", value)


def text(number: int, value: str) -> bytes:
    return message(number, value.encode())


def message(number: int, body: bytes) -> bytes:
    """A message within, or bytes."""
    return _key(number, _LENGTH) + _varint(len(body)) + body


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
