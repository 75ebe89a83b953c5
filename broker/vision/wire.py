"""What is said between the process that has pictures and those that look at them: a length of four bytes and a MessagePack each. Pure."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from broker.vision.level import Level, LevelName
from broker.vision.masks import Polygon

LENGTH = 4
"""Bytes, big-endian."""


class Setup(msgspec.Struct):
    """The first message to a worker. Answered with Ready, or with Failed, and then it ends."""

    models: str
    levels: dict[LevelName, Level]
    most_bytes: int
    most_pixels: int


class Ready(msgspec.Struct, tag="ready"):
    """It waits for pictures."""


class Asked(msgspec.Struct):
    """A picture to be covered. Answered with Done or Failed."""

    data: bytes
    level: LevelName
    faces: bool = True
    plates: bool = True
    masks: tuple[Polygon, ...] = ()
    soft: bool = False


class Done(msgspec.Struct, tag="done"):
    """The picture as it may be released, and how many faces and plates are covered in it."""

    data: bytes
    faces: int
    plates: int


class Failed(msgspec.Struct, tag="failed"):
    reason: str
    detail: str


Answer: TypeAlias = Ready | Done | Failed
_encode = msgspec.msgpack.Encoder().encode


def packed(what: Setup | Asked | Answer) -> bytes:
    """With its length in front."""
    body = _encode(what)
    return len(body).to_bytes(LENGTH, "big") + body


def answer(body: bytes) -> Answer:
    """Raises msgspec.DecodeError."""
    decoded: Answer = msgspec.msgpack.decode(body, type=Answer)
    return decoded
