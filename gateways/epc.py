"""Electronic Product Codes: every spelling becomes one canonical URI by GS1's Tag Data Standard. Pure.

https://ref.gs1.org/standards/tds/
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache

from epcpy import ConvertException, epc_pure_identity_to_scheme, hex_to_tag_encodable, tag_uri_to_tag_encodable

from broker.errors import Malformed

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{4,124}", re.ASCII)
_BINARY = re.compile(r"[01]{16,496}", re.ASCII)
_RAW = re.compile(r"urn:epc:raw:(\d{1,3})\.x([0-9A-F]{1,124})", re.ASCII)
_BITS = 96
"""From here on a text of 0 and 1 alone is binary: as hexadecimal it would be a code longer than any tag holds."""


@lru_cache(65_536)  # decoding takes 30 us and a reader sees the same tags again and again
def canonical(spelling: str) -> str:
    """The pure identity URI of an EPC in hexadecimal, in binary, or as a URI (pure identity, tag or raw). Raises Malformed.

    Memory that holds no GS1 code (a tag of another numbering) is named by its bits: `urn:epc:raw:96.x…`.
    """
    if spelling.startswith("urn:epc:id:"):
        return _pure(spelling)
    if spelling.startswith("urn:epc:tag:"):
        return _of_tag_uri(spelling)
    if _RAW.fullmatch(spelling):
        return spelling
    if len(spelling) >= _BITS and not len(spelling) % 16 and _BINARY.fullmatch(spelling):
        return of_bytes(int(spelling, 2).to_bytes(len(spelling) // 8, "big"))
    if not _HEXADECIMAL.fullmatch(spelling) or len(spelling) % 4:
        raise Malformed(
            f"epc {spelling[:80]!r}: expected urn:epc:id:… or urn:epc:tag:…, hexadecimal or binary in words of 16 bits"
        )
    return _of_hexadecimal(spelling.upper())


def of_bytes(memory: bytes) -> str:
    """The same of a tag's memory. Raises Malformed."""
    return canonical(memory.hex())


def of_base64(spelling: str) -> str:
    """The same of base64 (RFC 4648, either alphabet). Raises Malformed."""
    try:
        memory = base64.b64decode(spelling.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"epc {spelling[:80]!r}: no base64 ({error})") from error
    return of_bytes(memory)


def _pure(uri: str) -> str:
    try:
        return str(epc_pure_identity_to_scheme(uri).epc_uri)
    except (ConvertException, ValueError, KeyError, IndexError) as error:
        raise Malformed(f"epc {uri[:80]!r}: no EPC URI by the Tag Data Standard ({error})") from error


def _of_tag_uri(uri: str) -> str:
    try:
        return str(tag_uri_to_tag_encodable(uri).epc_uri)
    except (ConvertException, ValueError, KeyError, IndexError) as error:
        raise Malformed(f"epc {uri[:80]!r}: no tag URI by the Tag Data Standard ({error})") from error


def _of_hexadecimal(spelling: str) -> str:
    try:
        return str(hex_to_tag_encodable(spelling).epc_uri)
    except (ConvertException, ValueError, KeyError, IndexError):
        return f"urn:epc:raw:{len(spelling) * 4}.x{spelling}"
