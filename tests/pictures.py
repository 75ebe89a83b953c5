"""Pictures for tests, drawn here: a street with a plate on a car, and files that are no pictures."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PLATE = "AB-123-CD"
SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "vision"
"""Annotated photographs, where the tests run beside them. Their rights are unclear, so they are not in the project."""


def street(width: int = 640, height: int = 480, *, at: tuple[int, int] = (240, 300), high: int = 36) -> Image.Image:
    """Sky, road, a car and its plate."""
    noise = np.random.default_rng(1).integers(0, 24, (height, width, 3), dtype=np.uint8)
    drawn = Image.fromarray(noise + np.array([90, 110, 120], np.uint8))
    pen = ImageDraw.Draw(drawn)
    x, y = at
    wide = high * 5
    pen.rectangle((x - wide // 2, y - 4 * high, x + 3 * wide // 2, y + 2 * high), fill=(120, 20, 20))
    pen.rectangle((x, y, x + wide, y + high), fill=(240, 240, 235), outline=(20, 20, 20), width=2)
    pen.text((x + high // 4, y + high // 8), PLATE, fill=(10, 10, 10), font=ImageFont.load_default(high * 0.8))
    return drawn


def jpeg(drawn: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def telling_jpeg() -> bytes:
    """A street whose file says where and with what it was taken, has a comment and a thumbnail's worth of EXIF."""
    return jpeg(street(), exif=_exif(), comment=b"SECRET-COMMENT", icc_profile=b"SECRET-PROFILE")


def telling(data: bytes) -> bytes:
    """A JPEG with such EXIF and a comment besides, its pixels as they were."""
    segments = ((0xE1, _exif().tobytes()), (0xFE, b"SECRET-COMMENT"))
    return data[:2] + b"".join(struct.pack(">BBH", 0xFF, of, len(body) + 2) + body for of, body in segments) + data[2:]


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif[0x0131] = "SECRET-SOFTWARE"
    exif.get_ifd(0x8825)[2] = (45.0, 45.0, 0.0)
    return exif


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few hundred bytes that says it is as large as this."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1_000)) + chunk(b"IEND", b"")
    )


def large_jpeg(side: int = 20_000) -> bytes:
    """A small JPEG whose head says that it is as large as this."""
    data = bytearray(jpeg(street(64, 64, at=(4, 40), high=8)))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)
