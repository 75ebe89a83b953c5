"""The process that pictures are handed to: `python -m broker.vision.worker`. Bytes in on standard input, bytes out on standard output.

A process of its own, because decoding what strangers send and running networks on it may take all memory, hang or crash; then it is
ended and started again, and only that picture is lost. It steps aside for everything else on the machine, and ends with its input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from broker.errors import Refused, Unavailable
from broker.vision import models
from broker.vision.detector import Detector
from broker.vision.level import LevelName, Limits
from broker.vision.redact import Order, redact
from broker.vision.wire import LENGTH, Answer, Asked, Done, Failed, Ready, Setup, packed

NICE = 15  # of 19: what is left of the machine


def main() -> None:
    os.nice(NICE)
    inward, outward = sys.stdin.buffer, sys.stdout.buffer
    setup = _read(inward, Setup)
    if setup is None:
        return
    try:
        opened = models.open_(Path(setup.models))
    except Unavailable as error:
        _write(outward, Failed("no_model", str(error)))
        return
    _write(outward, Ready())
    limits = Limits(setup.most_bytes, setup.most_pixels)
    detectors = {name: Detector(opened, level) for name, level in setup.levels.items()}
    while (asked := _read(inward, Asked)) is not None:
        _write(outward, _answer(asked, detectors, limits))


def _answer(asked: Asked, detectors: dict[LevelName, Detector], limits: Limits) -> Done | Failed:
    order = Order(asked.faces, asked.plates, asked.masks, asked.soft)
    try:
        done = redact(asked.data, detectors[asked.level], order, limits)
    except Refused as refused:
        return Failed(refused.reason, refused.detail)
    except MemoryError:
        return Failed("too_large", "it takes more memory than there is")
    return Done(done.data, len(done.faces), len(done.plates))


_Kind = TypeVar("_Kind", Setup, Asked)


def _read(inward: BinaryIO, kind: type[_Kind]) -> _Kind | None:
    """The next message; None at the end."""
    length = inward.read(LENGTH)
    if len(length) < LENGTH:
        return None
    return msgspec.msgpack.decode(inward.read(int.from_bytes(length, "big")), type=kind)


def _write(outward: BinaryIO, answer: Answer) -> None:
    outward.write(packed(answer))
    outward.flush()


if __name__ == "__main__":
    main()
