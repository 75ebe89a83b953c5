"""MQTT 5 packets, as far as a QoS 1 client needs them. Pure: bytes in, values out, and back.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html; the numbers in brackets are its sections.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from broker.errors import MitoyenError

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
PINGREQ = b"\xc0\x00"
GOODBYE = b"\xe0\x00"
NO_PROPERTIES = b"\x00"
LARGEST = 268_435_455
"""Most bytes that a packet's length field can name [1.5.5]."""
RECEIVE_MAXIMUM = 20_000
"""Messages that Mosquitto may send before the first is acknowledged: two seconds of full load, well below the 65,535 packet
ids, so that one id is never in use twice within three times as many messages."""

FROM_NOW_ON = 0x21
"""Options of a subscription [3.8.3.1]: QoS 1, and no retained messages."""
AS_PUBLISHED = 0x0C
"""QoS 0, retained messages as well and told apart, and nothing of one's own."""

# Properties by identifier [2.2.2.2]: how their value is written
_BYTE = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A})
_TWO = frozenset({0x13, 0x21, 0x22, 0x23})
_FOUR = frozenset({0x02, 0x11, 0x18, 0x27})
_BINARY = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_EXPIRY, _RESPONSE_TOPIC, _CORRELATION, _RECEIVE_MAXIMUM, _USER = 0x02, 0x08, 0x09, 0x21, 0x26


class ProtocolError(MitoyenError):
    """The peer sent bytes that are not MQTT 5."""


class Packet(NamedTuple):
    """A whole packet in a buffer: its first byte, and where its body lies."""

    first: int
    start: int
    end: int

    @property
    def kind(self) -> int:
        return self.first >> 4


class Message(NamedTuple):
    """A PUBLISH that came in."""

    topic: bytes
    payload: bytes
    packet_id: int
    """0 at QoS 0."""
    duplicate: bool
    response_topic: bytes | None
    correlation: bytes | None
    retained: bool = False
    """Whether it was published to be retained, as far as the subscription lets that through."""


class Connected(NamedTuple):
    """A CONNACK. `reason` is 0 when it was accepted [3.2.2.2]."""

    reason: int
    session_present: bool
    receive_maximum: int


def scan(buffer: bytes) -> tuple[list[Packet], int]:
    """The whole packets at the beginning of `buffer`, and how many bytes they take. Raises ProtocolError."""
    packets: list[Packet] = []
    at, size = 0, len(buffer)
    while size - at >= 2:  # noqa: PLR2004 - the least a packet has
        length, shift, body = 0, 0, at + 1
        while True:
            if body >= size:
                return packets, at
            digit = buffer[body]
            body += 1
            length |= (digit & 127) << shift
            if digit < 128:  # noqa: PLR2004 - the high bit says that more follow
                break
            shift += 7
            if shift > 21:  # noqa: PLR2004 - four bytes at most [1.5.5]
                raise ProtocolError("a packet's length takes more than four bytes")
        if size - body < length:
            break
        packets.append(Packet(buffer[at], body, body + length))
        at = body + length
    return packets, at


def message(buffer: bytes, packet: Packet) -> Message:
    """Read a PUBLISH [3.3]."""
    first, start, end = packet
    topic_end = start + 2 + (buffer[start] << 8 | buffer[start + 1])
    at, packet_id = topic_end, 0
    if first & 6:
        packet_id = buffer[at] << 8 | buffer[at + 1]
        at += 2
    response_topic = correlation = None
    length = buffer[at]
    at += 1
    if length:
        if length > 127:  # noqa: PLR2004 - as in scan
            length, at = _varint(buffer, at - 1)
        for identifier, value in _properties(buffer, at, at + length):
            if identifier == _RESPONSE_TOPIC:
                response_topic = value
            elif identifier == _CORRELATION:
                correlation = value
        at += length
    return Message(
        buffer[start + 2 : topic_end],
        buffer[at:end],
        packet_id,
        bool(first & 8),
        response_topic,
        correlation,
        bool(first & 1),
    )


def connected(buffer: bytes, packet: Packet) -> Connected:
    """Read a CONNACK [3.2]."""
    start = packet.start
    length, at = _varint(buffer, start + 2)
    receive_maximum = 65_535
    for identifier, value in _properties(buffer, at, at + length):
        if identifier == _RECEIVE_MAXIMUM:
            receive_maximum = int.from_bytes(value, "big")
    return Connected(buffer[start + 1], bool(buffer[start] & 1), receive_maximum)


def acknowledgement(buffer: bytes, packet: Packet) -> tuple[int, int]:
    """Packet id and reason code of a PUBACK [3.4]; 0 where none was sent."""
    start, end = packet.start, packet.end
    return buffer[start] << 8 | buffer[start + 1], buffer[start + 2] if end - start > 2 else 0  # noqa: PLR2004


def granted(buffer: bytes, packet: Packet) -> tuple[int, list[int]]:
    """Packet id and reason codes of a SUBACK [3.9]: 0 to 2 are the granted QoS, from 128 on refusals."""
    start = packet.start
    length, at = _varint(buffer, start + 2)
    return buffer[start] << 8 | buffer[start + 1], list(buffer[at + length : packet.end])


def connect(
    client_id: str, username: str, password: str, *, clean: bool, session_expiry_s: int, keepalive_s: int
) -> bytes:
    """CONNECT [3.1]. `clean`: begin a new session; it is kept `session_expiry_s` after the connection ends."""
    properties = b"\x11" + struct.pack(">I", session_expiry_s) + b"\x21" + struct.pack(">H", RECEIVE_MAXIMUM)
    flags = 0xC0 | (0x02 if clean else 0)
    body = (
        _text("MQTT")
        + bytes([5, flags])
        + struct.pack(">H", keepalive_s)
        + _length(len(properties))
        + properties
        + _text(client_id)
        + _text(username)
        + _text(password)
    )
    return b"\x10" + _length(len(body)) + body


def subscribe(packet_id: int, filters: Iterable[str], options: int) -> bytes:
    """SUBSCRIBE, with FROM_NOW_ON or AS_PUBLISHED."""
    body = struct.pack(">HB", packet_id, 0) + b"".join(_text(f) + bytes([options]) for f in filters)
    return b"\x82" + _length(len(body)) + body


def acknowledge(packet_ids: Iterable[int]) -> bytes:
    """A PUBACK for each [3.4]."""
    return b"".join(b"\x40\x02" + struct.pack(">H", packet_id) for packet_id in packet_ids)


def heading(topic: str) -> bytes:
    """The topic as it stands in a PUBLISH, to be made once for many."""
    return _text(topic)


def user_properties(
    pairs: Iterable[tuple[str, str]], *, correlation: bytes | None = None, expires_s: int | None = None
) -> bytes:
    """A PUBLISH's properties, to be made once for many."""
    body = b"".join(bytes([_USER]) + _text(name) + _text(value) for name, value in pairs)
    if correlation is not None:
        body += bytes([_CORRELATION]) + struct.pack(">H", len(correlation)) + correlation
    if expires_s is not None:
        body += bytes([_EXPIRY]) + struct.pack(">I", expires_s)
    return _length(len(body)) + body


def publish(heading: bytes, packet_id: int, properties: bytes, payload: bytes, *, retain: bool) -> bytes:
    """PUBLISH at QoS 1 [3.3]."""
    size = len(heading) + 2 + len(properties) + len(payload)
    first = b"\x33" if retain else b"\x32"
    return b"".join((first, _length(size), heading, packet_id.to_bytes(2, "big"), properties, payload))


def publish_once(heading: bytes, properties: bytes, payload: bytes) -> bytes:
    """PUBLISH at QoS 0 [3.3]: not acknowledged, not repeated."""
    return b"".join((b"\x30", _length(len(heading) + len(properties) + len(payload)), heading, properties, payload))


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        digit = buffer[at]
        at += 1
        value |= (digit & 127) << shift
        if digit < 128:  # noqa: PLR2004 - as in scan
            return value, at
        shift += 7


def _properties(buffer: bytes, at: int, end: int) -> Iterable[tuple[int, bytes]]:
    while at < end:
        identifier = buffer[at]
        at += 1
        if identifier in _BYTE:
            size = 1
        elif identifier in _TWO:
            size = 2
        elif identifier in _FOUR:
            size = 4
        elif identifier == 0x0B:  # noqa: PLR2004 - subscription identifier, a variable byte integer
            _, after = _varint(buffer, at)
            size = after - at
        elif identifier in _BINARY:
            size = buffer[at] << 8 | buffer[at + 1]
            at += 2
        elif identifier == _USER:
            name = buffer[at] << 8 | buffer[at + 1]
            value = buffer[at + 2 + name] << 8 | buffer[at + 3 + name]
            size = 4 + name + value
        else:
            raise ProtocolError(f"unknown property {identifier:#x}")
        yield identifier, buffer[at : at + size]
        at += size


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _length(size: int) -> bytes:
    if size < 128:  # noqa: PLR2004 - one byte is the common case
        return bytes((size,))
    out = bytearray()
    while True:
        size, digit = size >> 7, size & 127
        out.append(digit | 128 if size else digit)
        if not size:
            return bytes(out)
