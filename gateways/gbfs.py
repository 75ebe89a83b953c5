"""GBFS 2.3 and 3: bike share. Pure. https://github.com/MobilityData/gbfs/blob/master/gbfs.md

Stations tell how many vehicles and docks they have; times are seconds since 1970 in version 2, RFC 3339 in version 3. A vehicle
that stands about has an id that must change after each trip, so that nobody can be followed by it: of vehicles only counts are
taken, by type, and never an id or a place. What describes the system is no data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from broker.errors import Malformed
from broker.points import Value
from broker.reading import About, Custom, Reading, Understood
from gateways import foreign, moments
from gateways.foreign import Item, Json, Read

_STATES = ("is_installed", "is_renting", "is_returning")
_COUNTS = (
    "num_bikes_available", "num_vehicles_available", "num_ebikes_available", "num_bikes_disabled", "num_vehicles_disabled",
    "num_docks_available", "num_docks_disabled", "capacity",
)  # fmt: skip
_BY_TYPE = ("vehicle_types_available", "vehicle_docks_available", "vehicle_types_capacity", "vehicle_docks_capacity")
_CAPACITIES = ("vehicle_type_capacity", "vehicle_capacity")
"""Version 2's maps from a vehicle type to how many."""
_VEHICLES = ("vehicles", "bikes")


def reader(custom: Custom) -> Read:
    def read(_topic: str, payload: bytes, _arrived: int) -> Understood:
        feed = foreign.record(foreign.parse(payload), "a feed")
        if not isinstance(feed.get("data"), dict) or "last_updated" not in feed:
            raise Malformed("expected a GBFS feed: last_updated and data")
        updated, data = _time(feed["last_updated"], custom), foreign.part(feed, "data")
        told: list[About] = []

        def station(found: object) -> list[Item]:
            return _station(foreign.record(found, "a station"), updated, custom, told)

        for name in _VEHICLES:
            if isinstance(vehicles := data.get(name), list):
                return Understood(_fleet(vehicles, updated))
        stations = data.get("stations")
        return Understood(foreign.each(stations, station) if isinstance(stations, list) else (), told)

    return read


def _station(station: Json, updated: int, custom: Custom, told: list[About]) -> list[Item]:
    device = foreign.text(station, "station_id")
    if device is None:
        raise Malformed("a station without station_id")
    place = foreign.place(station.get("lon"), station.get("lat"))
    told += foreign.about(device, _name(station.get("name")), None, place)
    reported = station.get("last_reported")
    time = updated if reported is None else _time(reported, custom)
    return [Reading(device, name, value, time) for name, value in _counted(station)]


def _counted(station: Json) -> Iterator[tuple[str, Value]]:
    for name in (*_STATES, *_COUNTS):
        value = station.get(name)
        if isinstance(value, bool | int):
            yield name, value
    for name in _CAPACITIES:
        for of, count in foreign.part(station, name).items():
            if isinstance(count, int):
                yield f"{name}.{of}", count
    for name in _BY_TYPE:
        listed = station.get(name)
        for one in listed if isinstance(listed, list) else []:
            found = foreign.record(one, name)
            count = foreign.whole(found, "count")
            if count is not None:
                yield f"{name}.{_types(found)}", count


def _types(found: Json) -> str:
    several = found.get("vehicle_type_ids")
    if isinstance(several, list):
        return "+".join(str(one) for one in several)
    return foreign.text(found, "vehicle_type_id") or "any"


def _fleet(vehicles: list[object], updated: int) -> list[Item]:
    """How many vehicles of each type there are, and how many of them are reserved or disabled."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in vehicles:
        vehicle = foreign.record(one, "a vehicle")
        kind = foreign.text(vehicle, "vehicle_type_id") or "any"
        for state in ("is_reserved", "is_disabled"):
            counts[kind, state.replace("is", "num", 1)] += vehicle.get(state) in (True, 1)
        counts[kind, "num_vehicles"] += 1
    return [Reading(kind, name, count, updated) for (kind, name), count in sorted(counts.items())]


def _name(found: object) -> str | None:
    """A name, or the first of those in several languages."""
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return foreign.text(found[0], "text")
    return found if isinstance(found, str) and found else None


def _time(found: object, custom: Custom) -> int:
    if isinstance(found, str):
        return moments.parse(found, custom.zone)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return moments.since_1970(found)
    raise Malformed("a time: expected seconds since 1970, or RFC 3339")
