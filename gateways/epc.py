"""Electronic Product Codes: every spelling becomes one canonical URI by GS1's Tag Data Standard. Pure.

https://ref.gs1.org/standards/tds/
"""

from __future__ import annotations

import re
from functools import lru_cache

from epcpy import ConvertException, epc_pure_identity_to_scheme, hex_to_tag_encodable

from broker.errors import Malformed

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{4,124}", re.ASCII)
_RAW = re.compile(r"urn:epc:raw:(\d{1,3})\.x([0-9A-F]{1,124})", re.ASCII)


@lru_cache(65_536)  # decoding takes 30 us and a reader sees the same tags again and again
def canonical(spelling: str) -> str:
    """The pure identity URI of an EPC in hexadecimal or as a URI. Raises Malformed.

    Memory that holds no GS1 code (a tag of another numbering) is named by its bits: `urn:epc:raw:96.x…`.
    """
    if spelling.startswith("urn:epc:id:"):
        try:
            return str(epc_pure_identity_to_scheme(spelling).epc_uri)
        except (ConvertException, ValueError, KeyError, IndexError) as error:
            raise Malformed(f"epc {spelling[:80]!r}: no EPC URI by the Tag Data Standard ({error})") from error
    if _RAW.fullmatch(spelling):
        return spelling
    if not _HEXADECIMAL.fullmatch(spelling) or len(spelling) % 4:
        raise Malformed(f"epc {spelling[:80]!r}: expected urn:epc:id:… or hexadecimal in words of 16 bits")
    try:
        return str(hex_to_tag_encodable(spelling.upper()).epc_uri)
    except (ConvertException, ValueError, KeyError, IndexError):
        return f"urn:epc:raw:{len(spelling) * 4}.x{spelling.upper()}"
