"""MQTT 5 packets, held against paho's: what one writes the other reads."""

from __future__ import annotations

import contextlib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.mqtt import codec
from broker.mqtt.codec import Message, ProtocolError

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
payloads = st.binary(max_size=300)


def paho_properties(
    pairs: list[tuple[str, str]], response: str | None = None, correlation: bytes | None = None
) -> bytes:
    properties = Properties(PacketTypes.PUBLISH)
    if response is not None:
        properties.ResponseTopic = response
    if correlation is not None:
        properties.CorrelationData = correlation
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 7
    properties.ContentType = "application/json"
    for pair in pairs:
        properties.UserProperty = pair
    return cast("bytes", properties.pack())


def packet(first: int, body: bytes) -> bytes:
    length = len(body)
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return bytes([first]) + bytes(digits) + body


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


@given(
    texts,
    payloads,
    st.integers(1, 65_535),
    st.lists(st.tuples(texts, texts), max_size=3),
    st.none() | texts,
    st.none() | st.binary(max_size=20),
    st.booleans(),
)
def test_a_publish_of_another_client_is_read_whole(
    topic: str,
    payload: bytes,
    packet_id: int,
    pairs: list[tuple[str, str]],
    response: str | None,
    correlation: bytes | None,
    duplicate: bool,
) -> None:
    raw = packet(
        0x32 | duplicate << 3,
        text(topic) + packet_id.to_bytes(2, "big") + paho_properties(pairs, response, correlation) + payload,
    )
    (found,), used = codec.scan(raw)
    assert used == len(raw)
    expected = Message(
        topic.encode(), payload, packet_id, duplicate, None if response is None else response.encode(), correlation
    )
    assert codec.message(raw, found) == expected


@given(texts, payloads, st.integers(1, 65_535), st.lists(st.tuples(texts, texts), max_size=3), st.booleans())
def test_what_is_published_is_read_by_another(
    topic: str, payload: bytes, packet_id: int, pairs: list[tuple[str, str]], retain: bool
) -> None:
    raw = codec.publish(codec.heading(topic), packet_id, codec.user_properties(pairs), payload, retain=retain)
    (found,), _ = codec.scan(raw)
    assert found.first == 0x32 | retain
    properties = Properties(PacketTypes.PUBLISH)
    begin = found.start + len(text(topic)) + 2
    assert raw[found.start : begin] == text(topic) + packet_id.to_bytes(2, "big")
    _, length = properties.unpack(raw[begin:])
    assert getattr(properties, "UserProperty", []) == pairs
    assert raw[begin + length :] == payload


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_packets_are_found_however_the_stream_is_cut(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(
        codec.publish(codec.heading("t"), 1 + i, codec.NO_PROPERTIES, payload, retain=False)
        for i, payload in enumerate(sent)
    )
    found: list[bytes] = []
    rest = b""
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        rest += stream[at : at + size]
        at += size
        packets, used = codec.scan(rest)
        found += [codec.message(rest, one).payload for one in packets]
        rest = rest[used:]
    assert found == sent
    assert rest == b""


@given(st.binary(max_size=100))
def test_any_bytes_are_packets_or_an_error_that_the_connection_expects(raw: bytes) -> None:
    with contextlib.suppress(ProtocolError, IndexError):
        packets, _ = codec.scan(raw)
        for one in packets:
            for read in (codec.message, codec.connected, codec.acknowledgement, codec.granted):
                with contextlib.suppress(ProtocolError, IndexError):
                    read(raw, one)


def test_a_length_of_five_bytes_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        codec.scan(b"\x30\xff\xff\xff\xff\x01")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_are_written_as_the_standard_counts_them(size: int) -> None:
    raw = codec.publish(b"", 1, b"", b"x" * size, retain=False)
    (found,), used = codec.scan(raw)
    assert (used, found.end - found.start) == (len(raw), size + 2)


def test_acknowledgements_name_their_packet_and_why() -> None:
    raw = codec.acknowledge([1, 65_535]) + b"\x40\x03\x00\x07\x87" + b"\x40\x04\x00\x08\x10\x00"
    packets, _ = codec.scan(raw)
    assert [codec.acknowledgement(raw, one) for one in packets] == [(1, 0), (65_535, 0), (7, 0x87), (8, 0x10)]


def test_a_connack_tells_how_much_may_be_in_flight() -> None:
    raw = b"\x20\x06\x01\x00\x03\x21\x00\x14"
    (found,), _ = codec.scan(raw)
    assert codec.connected(raw, found) == codec.Connected(0, session_present=True, receive_maximum=20)
