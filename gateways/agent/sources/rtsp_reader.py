"""The process that a stream is handed to: `python -m gateways.agent.sources.rtsp_reader`. What is wanted comes on standard input, pictures leave on
standard output: a length of four bytes and a JPEG each, or the reason why there are no more.

A process of its own, because FFmpeg's libraries in C decode what a network sends: what takes all memory or crashes ends here, and not
beside the outbox and its keys. It ends with its input.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

LENGTH = 4
"""Bytes, big-endian."""
QUALITY = 85
"""Of the JPEGs: what faces and plates are covered at, `broker/vision/picture.py`, loses more."""
MOST_BYTES = 2 << 20  # what Mosquitto takes
NICE = 10
_OPTIONS = {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,rtsps,tcp,tls,rtp,srtp,crypto"}
"""A camera may lead on to another address: not to a file, nor to what speaks something else."""
_STALL_S = 20.0  # for one packet; a camera without movement sends on


class Wanted(msgspec.Struct):
    """The first and only message to it."""

    url: str
    every_s: float


def packed(what: Wanted | bytes) -> bytes:
    """With its length in front."""
    body = what if isinstance(what, bytes) else msgspec.msgpack.encode(what)
    return len(body).to_bytes(LENGTH, "big") + body


def main() -> None:
    os.nice(NICE)
    length = int.from_bytes(sys.stdin.buffer.read(LENGTH), "big")
    wanted = msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=Wanted)
    for picture in _pictures(wanted):
        _say(sys.stdout.buffer, picture)


def _pictures(wanted: Wanted) -> Iterator[bytes]:
    """JPEGs, and at the end the reason for it, which never has the address: a password may be in it."""
    import av  # noqa: PLC0415 - an optional dependency, and 100 MB that no other source needs

    av.logging.set_level(av.logging.PANIC)
    due = 0.0
    try:
        with av.open(wanted.url, options=_OPTIONS, timeout=_STALL_S) as stream:
            video = stream.streams.video[0]
            video.codec_context.skip_frame = "NONKEY"
            for frame in stream.decode(video):
                if time.monotonic() >= due:
                    due = time.monotonic() + wanted.every_s
                    yield _jpeg(frame)
    except (av.FFmpegError, IndexError, ValueError) as error:
        yield f"the stream can't be read: {getattr(error, 'strerror', None) or type(error).__name__}".encode()
        return
    yield b"the stream ended"


def _jpeg(frame: object) -> bytes:
    from av import VideoFrame  # noqa: PLC0415 - as above
    from PIL import Image  # noqa: PLC0415 - as above

    assert isinstance(frame, VideoFrame)
    made = io.BytesIO()
    Image.fromarray(frame.to_ndarray(format="rgb24")).save(made, "JPEG", quality=QUALITY)
    if made.tell() > MOST_BYTES:
        raise ValueError(f"a picture of {frame.width} by {frame.height} pixels has more than {MOST_BYTES} bytes")
    return made.getvalue()


def _say(outward: BinaryIO, what: bytes) -> None:
    outward.write(packed(what))
    outward.flush()


if __name__ == "__main__":
    main()
