"""What a tag's memory holds: an EPC as the 96 bits of GS1's Tag Data Standard. Pure. https://ref.gs1.org/standards/tds/"""

from __future__ import annotations

import re
from functools import lru_cache

from broker.errors import Malformed

_SGTIN = re.compile(r"urn:epc:id:sgtin:(\d{6,12})\.(\d{1,7})\.(\d{1,12})", re.ASCII)
_HEADER = 0x30
_COMPANY_BITS = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
"""By the digits of the company's prefix (table 14-2); the item reference has the rest of 44 bits."""
_BITS, _SERIAL_BITS = 96, 38
_REFERENCE_BITS = 44


@lru_cache(65_536)  # a gate sees the same tags again and again
def of_uri(uri: str) -> bytes:
    """SGTIN-96, with the filter value 0 (all others). Raises Malformed for a URI that is none, or has a longer serial number."""
    found = _SGTIN.fullmatch(uri)
    if found is None or int(found[3]) >> _SERIAL_BITS or len(found[1]) + len(found[2]) != 13:  # noqa: PLR2004 - as all GTINs
        raise Malformed(f"epc {uri[:80]!r}: expected urn:epc:id:sgtin:… whose serial number has {_SERIAL_BITS} bits")
    company = _COMPANY_BITS[len(found[1])]
    partition = 12 - len(found[1])
    memory = _HEADER
    for value, bits in ((0, 3), (partition, 3), (int(found[1]), company), (int(found[2]), _REFERENCE_BITS - company)):
        memory = memory << bits | value
    return (memory << _SERIAL_BITS | int(found[3])).to_bytes(_BITS // 8)
