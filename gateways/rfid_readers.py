"""RFID readers: Impinj's IoT device interface and Zebra's IoT Connector. Pure.

https://platform.impinj.com/site/docs/reader_api/index.gsp , https://zebradevs.github.io/rfid-ziotc-docs/

Impinj gives RSSI in hundredths of a dBm and nanoseconds; SmartReader, an application that runs on its readers, gives dBm and
microseconds since 1970. Zebra writes its offset without a colon. Both send one event or an array of them, and speak on the
same connection of starts, stops, inputs and their own health, which is no tag read.
"""

from __future__ import annotations

from broker.errors import Malformed
from broker.reading import Custom, TagRead, Understood
from gateways import epc, foreign, moments
from gateways.foreign import Item, Json, Read

_ANTENNAS = 65_536
"""LLRP's AntennaID has 16 bits."""


def impinj_reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        if not payload.strip():
            return Understood()  # what keeps an HTTP stream open
        events = foreign.records(foreign.parse(payload), "an event")
        return Understood(foreign.each(events, lambda found: _impinj(foreign.record(found, "an event"), custom)))

    return read


def zebra_reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        events = foreign.records(foreign.parse(payload), "an event")
        return Understood(foreign.each(events, lambda found: _zebra(foreign.record(found, "an event"), custom)))

    return read


def _impinj(event: Json, custom: Custom) -> list[Item]:
    if "tag_reads" in event:
        return _smartreader(event)
    tag = foreign.part(event, "tagInventoryEvent")
    if not tag:
        if any(name.endswith("Event") or name in ("eventType", "smartreader-status") for name in event):
            return []
        raise Malformed("expected a tagInventoryEvent")
    seen = foreign.text(tag, "lastSeenTime") or foreign.text(event, "timestamp")
    hundredths = foreign.real(tag, "peakRssiCdbm")
    return [
        TagRead(
            foreign.text(event, "hostname") or "",
            _code(tag, "epcHex", "epc"),
            moments.parse(seen, custom.zone) if seen else None,
            foreign.text(tag, "antennaName"),
            _antenna(tag, "antennaPort"),
            None if hundredths is None else hundredths / 100,
        )
    ]


def _smartreader(event: Json) -> list[Item]:
    device = foreign.text(event, "readerName") or foreign.text(event, "mac") or ""
    return foreign.each(
        foreign.records(event["tag_reads"], "tag_reads") if event["tag_reads"] != [] else [],
        lambda found: [_smartreader_tag(device, foreign.record(found, "a tag read"))],
    )


def _smartreader_tag(device: str, tag: Json) -> TagRead:
    seen = foreign.whole(tag, "firstSeenTimestamp")
    time = None if seen is None else moments.since_1970(seen, 1_000)
    code, zone = _code(tag, "epc", None), foreign.text(tag, "antennaZone")
    return TagRead(device, code, time, zone, _antenna(tag, "antennaPort"), foreign.real(tag, "peakRssi"))


def _zebra(event: Json, custom: Custom) -> list[Item]:
    data = event.get("data")
    if not isinstance(data, dict | list):
        raise Malformed("expected an event with data")
    tags = foreign.part(event, "data").get("tagData", data)
    if not isinstance(tags, list):
        tags = [tags]
    written = foreign.text(event, "timestamp")
    time = moments.parse(written, custom.zone) if written else None
    return foreign.each(tags, lambda found: _zebra_tag(found, foreign.part(event, "data"), time))


def _zebra_tag(found: object, around: Json, time: int | None) -> list[Item]:
    if not isinstance(found, dict) or "idHex" not in found:
        return []  # health, inputs, starts and stops, barcodes
    told = {**around, **found}
    device = foreign.text(told, "hostName") or foreign.text(told, "MAC") or ""
    code = _code(found, "idHex", None)
    return [TagRead(device, code, time, None, _antenna(told, "antenna"), foreign.real(told, "peakRssi"))]


def _code(tag: Json, hexadecimal: str, base64: str | None) -> str:
    if written := foreign.text(tag, hexadecimal):
        return epc.canonical(written)
    if base64 and (written := foreign.text(tag, base64)):
        return epc.of_base64(written)
    raise Malformed(f"a tag without {hexadecimal}")


def _antenna(tag: Json, name: str) -> int | None:
    antenna = foreign.whole(tag, name)
    if antenna is not None and not 0 <= antenna < _ANTENNAS:
        raise Malformed(f"{name} {antenna}: expected 0 to {_ANTENNAS - 1}")
    return antenna
