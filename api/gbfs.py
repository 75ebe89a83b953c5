"""Released bike-share streams as GBFS 3.0 feeds: stations with what an offer releases of them. Pure. https://gbfs.org/specification/reference/

A station is a device of a gateway that speaks GBFS, and is called by the first of its datastreams; it is shown if it has a place and its count of vehicles is
released. Whether it is installed, rents and takes back is true where the offer does not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from broker import licence, times
from broker.model import Offer, Organisation, Release
from broker.place import Place
from broker.points import Point
from broker.privacy.location import place_of

Document: TypeAlias = dict[str, object]
Feed: TypeAlias = Literal["gbfs", "system_information", "station_information", "station_status"]

VERSION = "3.0"
TTL_S = 60
_VEHICLES = ("num_vehicles_available", "num_bikes_available")
_COUNTS = ("num_vehicles_disabled", "num_docks_available", "num_docks_disabled")
_STATES = ("is_installed", "is_renting", "is_returning")
_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Station:
    """Its releases by what GBFS calls what they observe."""

    id: str
    name: str
    place: Place
    releases: Mapping[str, Release]


def stations(offer: Offer) -> list[Station]:
    """Those of an offer that GBFS can show."""
    by_device: dict[tuple[str, str], dict[str, Release]] = {}
    for release in offer.releases if offer.profile.aggregate is None else ():
        origin = release.datastream.origin
        if origin is not None and origin.device:
            by_device.setdefault((release.datastream.gateway, origin.device), {})[origin.property] = release
    found = (_station(offer, of) for of in by_device.values() if any(name in of for name in _VEHICLES))
    return sorted((one for one in found if one is not None), key=lambda one: one.id)


def feed(name: Feed, at: str, offer: Offer, of: Organisation | None, latest: Mapping[str, Point], now: int) -> Document:
    """A feed. `at`: the address of the offer's feeds without a slash at its end; `latest`: the newest point of each stream."""
    known = stations(offer)
    match name:
        case "gbfs":
            names = ("system_information", "station_information", "station_status")
            data: Document = {"feeds": [{"name": one, "url": f"{at}/{one}.json"} for one in names]}
        case "system_information":
            data = _system(offer, of)
        case "station_information":
            data = {"stations": [_information(one, latest) for one in known]}
        case "station_status":
            data = {"stations": [status for one in known for status in _status(one, latest)]}
    return {"last_updated": times.text(now - now % times.SECOND), "ttl": TTL_S, "version": VERSION, "data": data}


def streams(known: Sequence[Station]) -> list[str]:
    return [release.stream for one in known for release in one.releases.values()]


def _station(offer: Offer, releases: Mapping[str, Release]) -> Station | None:
    first = min(releases.values(), key=lambda release: release.datastream.id).datastream
    place = place_of(first, offer.profile)
    return Station(first.id, first.description or first.id, place, releases) if place is not None else None


def _system(offer: Offer, of: Organisation | None) -> Document:
    contact = of.contact if of and of.contact and "@" in of.contact else None
    return {
        "system_id": offer.id,
        "languages": [_LANGUAGE],
        "name": _text(of.name if of else offer.organisation),
        "opening_hours": "24/7",
        **({"feed_contact_email": contact} if contact else {}),
        "timezone": "Etc/UTC",
        **(
            {"license_url": licence.uri(offer.terms.licence)}
            if ":" in offer.terms.licence
            else {"license_id": offer.terms.licence}
        ),
        "attribution_organization_name": _text(offer.terms.attribution),
    }


def _information(one: Station, latest: Mapping[str, Point]) -> Document:
    capacity = _whole(one, latest, "capacity")
    return {
        "station_id": one.id,
        "name": _text(one.name),
        "lat": one.place.latitude,
        "lon": one.place.longitude,
        **({"capacity": capacity} if capacity is not None else {}),
    }


def _status(one: Station, latest: Mapping[str, Point]) -> Iterator[Document]:
    """Nothing before its count of vehicles was released."""
    vehicles = next((count for name in _VEHICLES if (count := _whole(one, latest, name)) is not None), None)
    if vehicles is None:
        return
    counts = {name: count for name in _COUNTS if (count := _whole(one, latest, name)) is not None}
    states = {name: bool(_value(one, latest, name, default=True)) for name in _STATES}
    newest = max(latest[r.stream].time for r in one.releases.values() if r.stream in latest)
    yield {
        "station_id": one.id,
        "num_vehicles_available": vehicles,
        **counts,
        **states,
        "last_reported": times.text(newest - newest % times.SECOND),
    }


def _whole(one: Station, latest: Mapping[str, Point], name: str) -> int | None:
    found = _value(one, latest, name, default=None)
    return max(0, round(found)) if isinstance(found, int | float) else None


def _value(one: Station, latest: Mapping[str, Point], name: str, *, default: object) -> object:
    release = one.releases.get(name)
    point = latest.get(release.stream) if release is not None else None
    return default if point is None else point.value


def _text(text: str) -> list[Document]:
    return [{"text": text, "language": _LANGUAGE}]
