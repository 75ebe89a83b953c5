"""LoRaWAN uplinks as the two network servers forward them: The Things Stack v3, ChirpStack v4. Pure.

https://www.thethingsindustries.com/docs/integrations/data-formats/, https://www.chirpstack.io/docs/chirpstack/integrations/events.html

What the device's own codec made of the payload is taken; without a codec the payload itself, in base64. Where the network's
gateways stand is theirs, and never taken for the device's place. Joins, downlinks, status and logs are no data.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from broker.entry import Refusal
from broker.errors import Malformed
from broker.place import Place
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments
from gateways.foreign import Item, Json, Read

NORMALISED = {
    "air.temperature": "Cel", "air.relativeHumidity": "%", "air.pressure": "hPa", "air.co2": "[ppm]", "air.lightIntensity": "lx",
    "wind.speed": "m/s", "wind.direction": "deg", "soil.temperature": "Cel", "soil.moisture": "%", "soil.ec": "dS/m",
    "soil.depth": "cm", "rain.intensity": "mm/h", "rain.cumulative": "mm", "water.temperature.current": "Cel",
    "water.temperature.min": "Cel", "water.temperature.max": "Cel", "water.leak": None, "battery": "V",
}  # fmt: skip
"""Units that The Things Stack's normalised payloads have by definition."""
_Time: TypeAlias = int | None


def ttn_reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        read = [_ttn(foreign.record(message, "an uplink"), custom) for message in _messages(payload)]
        return Understood(
            [
                Refusal(i, r.reason, r.cause) if isinstance(r, Refusal) else r
                for i, one in enumerate(read)
                for r in one.items
            ],
            [about for one in read for about in one.about],
        )

    return read


def chirpstack_reader(custom: Custom) -> Read:
    return lambda topic, payload, _arrived: _chirpstack(
        topic, foreign.record(foreign.parse(payload), "an event"), custom
    )


def _messages(payload: bytes) -> list[object]:
    """A message, several, or what the storage integration answers: one a line."""
    try:
        return foreign.records(foreign.parse(payload), "an uplink")
    except msgspec.DecodeError:
        lines = [line for line in payload.splitlines() if line.strip()]
        if len(lines) < 2:  # noqa: PLR2004 - it is no JSON, and not because it is several
            raise
        return [foreign.parse(line) for line in lines]


def _ttn(message: Json, custom: Custom) -> Understood:
    message = foreign.part(message, "result") or message
    uplink = foreign.part(message, "uplink_message") or foreign.part(message, "uplink_normalized")
    if message.get("simulated") is True or uplink.get("simulated") is True:
        return Understood([Refusal(0, "simulated: a message that no device sent is dropped", "simulated")])
    ids = foreign.part(message, "end_device_ids")
    if not uplink:
        if not ids:
            raise Malformed("expected end_device_ids and uplink_message")
        return Understood()
    device = foreign.text(ids, "device_id") or ""
    written = foreign.text(uplink, "received_at") or foreign.text(message, "received_at")
    time = moments.parse(written, custom.zone) if written else None
    about = foreign.about(device, foreign.text(ids, "dev_eui"), _model(uplink), _ttn_place(uplink))
    return Understood(_ttn_items(device, uplink, time, custom), about)


def _ttn_items(device: str, uplink: Json, time: _Time, custom: Custom) -> list[Item]:
    if decoded := foreign.part(uplink, "decoded_payload"):
        return [Reading(device, name, value, time) for name, value in foreign.scalars(decoded)]
    if normalised := uplink.get("normalized_payload"):
        return [
            reading
            for one in foreign.records(normalised, "normalized_payload")
            for reading in _normalised(device, foreign.record(one, "normalized_payload"), time, custom)
        ]
    return _undecoded(device, "frm_payload", uplink, time)


def _normalised(device: str, measured: Json, time: _Time, custom: Custom) -> list[Item]:
    written = foreign.text(measured, "time")
    time = moments.parse(written, custom.zone) if written else time
    return [
        Reading(device, name, value, time, NORMALISED.get(name))
        for name, value in foreign.scalars(measured)
        if name != "time"
    ]


def _undecoded(device: str, name: str, uplink: Json, time: _Time) -> list[Item]:
    payload = foreign.text(uplink, name)
    return [Reading(device, name, payload, time)] if payload else []


def _model(uplink: Json) -> str | None:
    version = foreign.part(uplink, "version_ids")
    words = [foreign.text(version, name) for name in ("brand_id", "model_id")]
    return " ".join(word for word in words if word) or None


def _ttn_place(uplink: Json) -> Place | None:
    """Where the owner said that the device stands, or where it was located: never `rx_metadata`, which is where gateways are."""
    for location in foreign.part(uplink, "locations").values():
        found = foreign.record(location, "a location")
        if place := foreign.place(found.get("longitude"), found.get("latitude")):
            return place
    return None


def _chirpstack(topic: str, event: Json, custom: Custom) -> Understood:
    info = foreign.part(event, "deviceInfo")
    device = foreign.text(info, "devEui")
    if device is None:
        raise Malformed("expected deviceInfo with a devEui")
    location = foreign.part(event, "location")
    place = foreign.place(location.get("longitude"), location.get("latitude"))
    about = foreign.about(device, foreign.text(info, "deviceName"), foreign.text(info, "deviceProfileName"), place)
    if not _is_uplink(topic, event):
        return Understood((), about)
    written = foreign.text(event, "time")
    time = moments.parse(written, custom.zone) if written else None
    decoded = foreign.part(event, "object")
    items: list[Item] = [Reading(device, name, value, time) for name, value in foreign.scalars(decoded)]
    return Understood(items or _undecoded(device, "data", event, time), about)


def _is_uplink(topic: str, event: Json) -> bool:
    if "/event/" in f"/{topic}":
        return topic.endswith("event/up")
    if "location" in event or "integrationName" in event:
        return False
    return any(name in event for name in ("object", "data", "fPort", "rxInfo"))
