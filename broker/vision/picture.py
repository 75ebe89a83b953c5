"""Pictures as bytes and as pixels, with Pillow. What is written holds pixels and nothing else: no EXIF, no comment, no thumbnail."""

from __future__ import annotations

import io
import warnings
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from broker.errors import Refused
from broker.vision.boxes import Pixels
from broker.vision.level import Limits

Format: TypeAlias = Literal["JPEG", "PNG"]
QUALITY = 85
"""Of a JPEG that is written: above it files grow faster than pictures improve."""
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    OverflowError,
)  # what Pillow raises on bytes that lie


class Picture(NamedTuple):
    pixels: Pixels
    format: Format


def decode(data: bytes, limits: Limits, formats: tuple[Format, ...] = ("JPEG",)) -> Picture:
    """A picture, turned as its EXIF says. Its size is looked up in its head and held against the limits before a pixel is decoded.

    Raises Refused: `too_large`, `corrupt`.
    """
    if len(data) > limits.bytes:
        raise Refused("too_large", f"{len(data)} bytes: expected at most {limits.bytes}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, which the limit below is for, and of odd EXIF
            with Image.open(io.BytesIO(data), formats=formats) as opened:
                if opened.width * opened.height > limits.pixels:
                    raise Refused(
                        "too_large", f"{opened.width} x {opened.height}: expected at most {limits.pixels} pixels"
                    )
                kind: Format = "PNG" if opened.format == "PNG" else "JPEG"
                return Picture(np.asarray(ImageOps.exif_transpose(opened).convert("RGB")), kind)
    except UnidentifiedImageError as error:
        raise Refused("corrupt", f"expected a {' or '.join(formats)} picture") from error
    except Image.DecompressionBombError as error:
        raise Refused("too_large", f"expected at most {limits.pixels} pixels") from error
    except _BROKEN as error:
        raise Refused("corrupt", f"the picture can't be decoded: {str(error)[:100]}") from error


def encode(picture: Picture) -> bytes:
    """The picture's bytes, in its format."""
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, picture.format, quality=QUALITY)
    return out.getvalue()


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """The same at another size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def blurred(pixels: Pixels, radius: float) -> Pixels:
    """The same with a Gaussian blur of this radius in pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))
