"""Rewriting a model's file: what is taken back is gone, and everything else stays as it was."""

from __future__ import annotations

import pytest

from broker.errors import Malformed
from broker.vision import onnx


def field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


def value(name: bytes, *sizes: int) -> bytes:
    shape = b"".join(field(1, bytes([1 << 3, size])) for size in sizes)
    return field(1, name) + field(2, field(1, bytes([1 << 3, 1]) + field(2, shape)))


def test_sizes_and_further_inputs_are_gone_and_all_else_stays() -> None:
    node, weight = field(1, b"a node"), field(5, b"a weight")
    graph = node + weight + field(11, value(b"x", 10, 3)) + field(11, value(b"w", 7)) + field(12, value(b"y", 5))
    version = bytes([1 << 3, 8])
    free = field(11, field(1, b"x") + field(2, field(1, bytes([8, 1]) + field(2, field(1, b"") * 2))))
    out = field(12, field(1, b"y") + field(2, field(1, bytes([8, 1]) + field(2, field(1, b"")))))
    assert onnx.flexible(version + field(7, graph), "x") == version + field(7, node + weight + free + out)


@pytest.mark.parametrize("model", [b"\x3a\x7f", b"\xff\xff", b"\x3b", b"a text file\n"])
def test_what_is_no_model_is_malformed(model: bytes) -> None:
    with pytest.raises(Malformed, match="expected an ONNX model"):
        onnx.flexible(model, "x")
