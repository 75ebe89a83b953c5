"""A model's file, changed so that it takes pictures of any size. Pure.

An exporter may write down the size of the one picture that it tried, and list weights among the inputs, which keeps onnxruntime from
folding them. Both are taken back here by rewriting a few nested fields of the file, which is protocol buffers (https://protobuf.dev/programming-guides/encoding/);
field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from broker.errors import Malformed

_GRAPH = 7  # of ModelProto
_INPUT, _OUTPUT = 11, 12  # of GraphProto
_NAME, _TYPE = 1, 2  # of ValueInfoProto
_DIMENSION = (_TYPE, 1, 2, 1)  # ValueInfoProto.type.tensor_type.shape.dim
_BYTES = 2  # how a field with a length is written
_MORE = 128  # set in each byte of a number but the last


class _Field(NamedTuple):
    number: int
    body: bytes | None
    """What is in it, if it has a length."""
    written: bytes
    """All of it, as it stands."""


def flexible(model: bytes, name: str) -> bytes:
    """The same model with `name` as its only input, and no size of input or output written down. Raises Malformed."""
    return _mapped(model, _GRAPH, lambda graph: _of_graph(graph, name.encode()))


def _of_graph(graph: bytes, name: bytes) -> bytes:
    kept = b"".join(
        field.written
        for field in _fields(graph)
        if field.number != _INPUT or any(f.number == _NAME and f.body == name for f in _fields(field.body or b""))
    )
    for which in (_INPUT, _OUTPUT):
        kept = _mapped(kept, which, lambda value: _without_sizes(value, _DIMENSION))
    return kept


def _without_sizes(message: bytes, path: tuple[int, ...]) -> bytes:
    if not path:
        return b""  # a dimension that says nothing is any number
    return _mapped(message, path[0], lambda body: _without_sizes(body, path[1:]))


def _mapped(message: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """The message with the content of each field of this number changed."""
    return b"".join(
        _written(number, change(field.body)) if field.number == number and field.body is not None else field.written
        for field in _fields(message)
    )


def _written(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(body)) + body


def _fields(message: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        start = at
        key, at = _read_varint(message, at)
        body = None
        match key & 7:
            case 0:
                _, at = _read_varint(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _read_varint(message, at)
                body, at = message[at : at + length], at + length
            case 5:
                at += 4
            case kind:
                raise Malformed(f"expected an ONNX model: there is no wire type {kind}")
        if at > len(message):
            raise Malformed("expected an ONNX model: it ends within a field")
        yield _Field(key >> 3, body, message[start:at])


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value, shift, at = value | (byte & ~_MORE) << shift, shift + 7, at + 1
        if byte < _MORE:
            return value, at
    raise Malformed("expected an ONNX model: it ends within a number")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= _MORE:
        out.append(value & 127 | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)
