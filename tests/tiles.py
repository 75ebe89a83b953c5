"""Maps of one colour: in a PMTiles file (https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md) water, the whole world over; and from a server."""

from __future__ import annotations

import io
import json
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENT = 4096


@contextmanager
def server(colour: tuple[int, int, int]) -> Iterator[str]:
    """The address of one on loopback that answers every tile with a picture of this colour."""
    picture = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(picture, "PNG")

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")  # as every public server of tiles has it
            self.end_headers()
            self.wfile.write(picture.getvalue())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as started:
        threading.Thread(target=started.serve_forever, name="tiles").start()
        try:
            yield f"http://127.0.0.1:{started.server_port}"
        finally:
            started.shutdown()


def water() -> bytes:
    tile = _water_tile()
    root = bytes([1, 0, 1, *_varint(len(tile)), 1])  # one entry: the first tile, once, so long, at the beginning
    metadata = json.dumps({"vector_layers": [{"id": "water", "fields": {}}]}).encode()
    sections, at = [], 127
    for part in (root, metadata, b"", tile):
        sections += [at, len(part)]
        at += len(part)
    everywhere = [-1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000]
    header = struct.pack("<7sB11Q6B4iB2i", b"PMTiles", 3, *sections, 1, 1, 1, 1, 1, 1, 1, 0, 0, *everywhere, 0, 0, 0)
    return header + root + metadata + tile


def _water_tile() -> bytes:
    """A vector tile (https://github.com/mapbox/vector-tile-spec) with one polygon, a little larger than the tile."""
    wide = EXTENT + 128
    move, line, close = 1 | 1 << 3, 2 | 3 << 3, 7 | 1 << 3
    commands = [move, _zigzag(-64), _zigzag(-64), line, _zigzag(wide), 0, 0, _zigzag(wide), _zigzag(-wide), 0, close]
    feature = _number(3, 3) + _bytes(4, b"".join(map(_varint, commands)))
    layer = _bytes(1, b"water") + _bytes(2, feature) + _number(5, EXTENT) + _number(15, 2)
    return _bytes(3, layer)


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
