"""CloudEvents 1.0 in JSON, alone or in a batch: an envelope. Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

The device is the event's source, with its subject if it has one. SenML within is read as SenML; other JSON as the values that
it holds, at the event's time. Data that are neither are refused. In binary mode attributes are MQTT user properties, which a
payload does not show: publish in structured mode.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from broker.errors import Malformed
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments, senml
from gateways.foreign import Item, Json, Read

_NEEDED = ("id", "source", "type")
_SENML = {"application/senml+json": senml.json_reader, "application/senml+cbor": senml.cbor_reader}


def reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, arrived: int) -> Understood:
        events = foreign.records(foreign.parse(payload), "a batch")
        return Understood(
            foreign.each(events, lambda event: _event(foreign.record(event, "an event"), custom, arrived))
        )

    return read


def _event(event: Json, custom: Custom, arrived: int) -> list[Item]:
    if event.get("specversion") != "1.0":
        raise Malformed("specversion: expected 1.0, in the event itself (structured mode)")
    missing = [name for name in _NEEDED if not foreign.text(event, name)]
    if missing:
        raise Malformed(f"an event without {missing[0]}")
    written = foreign.text(event, "time")
    time = moments.parse(written, custom.zone) if written else None
    kind = (foreign.text(event, "datacontenttype") or "application/json").partition(";")[0].strip().lower()
    if kind in _SENML:
        return list(_SENML[kind](custom)("", _bytes(event), arrived if time is None else time).items)
    if kind != "application/json" and not kind.endswith("+json"):
        raise Malformed(f"data of {kind[:60]}: expected JSON or SenML")
    device = "/".join(word for word in (foreign.text(event, "source"), foreign.text(event, "subject")) if word)
    return [Reading(device, name or "data", value, time) for name, value in foreign.scalars(_data(event))]


def _data(event: Json) -> object:
    return foreign.parse(_bytes(event)) if "data_base64" in event else event.get("data")


def _bytes(event: Json) -> bytes:
    if "data_base64" not in event:
        return msgspec.json.encode(event.get("data"))
    try:
        return base64.b64decode(foreign.text(event, "data_base64") or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"data_base64: no base64 ({error})") from error
