"""Released tag reads as GS1's EPCIS 2.0 has them: a document of ObjectEvents in JSON-LD. Pure.

https://ref.gs1.org/standards/epcis/. What becomes of a tag (`biz_step`) is its bizStep; a read that is no event has none. Antenna and RSSI
have no place there. A read point whose name is no URI, and a pseudonym, become URNs of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from broker import licence, times
from broker.licence import Terms

VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
"""What the answer to a query says of itself in its header."""
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def document(terms: Terms, created: int) -> dict[str, object]:
    """The document around its events, whose `epcisBody` is still to be filled; `created` in ns."""
    return {
        "@context": [CONTEXT, {"dct": "http://purl.org/dc/terms/"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": times.text(created),
        "dct:license": licence.uri(terms.licence),
        "dct:rights": terms.attribution,
    }


def answer(events: Sequence[dict[str, object]], created: int) -> dict[str, object]:
    """The document around what a query found; `created` in ns."""
    results = {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": events}}
    return {
        "@context": [CONTEXT, {"dct": "http://purl.org/dc/terms/"}],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": times.text(created),
        "epcisBody": {"queryResults": results},
    }


def licensed(found: dict[str, object], terms: Terms) -> dict[str, object]:
    """An event with its own licence: a query finds those of several offers."""
    return {**found, "dct:license": licence.uri(terms.licence), "dct:rights": terms.attribution}


def event(said: Mapping[str, object]) -> dict[str, object]:
    """The event of a tag read's live message."""
    found: dict[str, object] = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "epcList": [said["epc"] if "epc" in said else _urn("tag", said["tag"])],
        "eventTime": said["time"],
        "eventTimeZoneOffset": "+00:00",
    }
    if step := said.get("biz_step"):
        found["bizStep"] = step
    if place := said.get("read_point"):
        found["readPoint"] = {"id": place if ":" in str(place) else _urn("read-point", place)}
    return found


def _urn(kind: str, name: object) -> str:
    return f"urn:x-mitoyen:{kind}:{quote(str(name), safe='')}"
