"""What a gateway's records look like on their way to the broker: JSON objects that carry their own times. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from broker import times

_anything = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[dict[str, msgspec.Raw]]).decode
_encode = msgspec.json.Encoder().encode


class Read(NamedTuple):
    """What was made of a payload."""

    records: list[bytes]
    """JSON objects."""
    unreadable: str | None = None
    """Why nothing could be made of it."""


def stamped(payload: bytes, arrived: int) -> Read:
    """Records in Mitoyen's own JSON, one object or an array, as they are; those without a time get the arrival (ns).

    Sent again they then are the same points. Whether they are good the broker says: it knows the datastream.
    """
    try:
        read = _anything(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Read([], f"expected a JSON object or an array of them: {error}")
    records = read if isinstance(read, list) else [read]
    return Read([_stamped(record, arrived + place) for place, record in enumerate(records)])


def _stamped(record: dict[str, msgspec.Raw], arrived: int) -> bytes:
    return _encode(record if "time" in record else {"time": times.text(arrived), **record})
