"""GBFS 2.3 and 3.0: bike share, as a system publishes it. Pure. https://github.com/MobilityData/gbfs/blob/master/gbfs.md

Times are seconds since 1970 in version 2 and RFC 3339 in version 3, which also speaks of vehicles and names things in a language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from broker.times import SECOND
from broker.times import text as time_text
from simulators.encoders.encoder import Packed, Report, Said, compact

if TYPE_CHECKING:
    from simulators.city import Sensor

Version: TypeAlias = Literal["2.3", "3.0"]
SYSTEM = "mitoyen-velo"
BICYCLE = "bike"
"""The only type of vehicle."""
TTL_S = 60
_MOST = 25
"""Stations in one message: it then stays below 10 KiB."""
_COUNTED: dict[Version, str] = {"2.3": "num_bikes_available", "3.0": "num_vehicles_available"}


def feed(version: Version, updated_ns: int, data: dict[str, Any]) -> dict[str, Any]:
    """The envelope that all of them have."""
    return {"last_updated": _time(version, updated_ns), "ttl": TTL_S, "version": version, "data": data}


def discovery(version: Version, updated_ns: int, base: str, names: Sequence[str]) -> dict[str, Any]:
    """`gbfs.json`: where the others are."""
    feeds = [{"name": name, "url": f"{base}/{name}.json"} for name in names]
    return feed(version, updated_ns, {"en": {"feeds": feeds}} if version == "2.3" else {"feeds": feeds})


def system_information(version: Version, updated_ns: int) -> dict[str, Any]:
    about: dict[str, Any] = {"system_id": SYSTEM, "timezone": "Europe/Paris"}
    if version == "2.3":
        about |= {"language": "en", "name": "Mitoyen Vélo"}
    else:
        about |= {
            "languages": ["en"],
            "name": _in_english("Mitoyen Vélo"),
            "opening_hours": "24/7",
            "feed_contact_email": "bikes@example.org",
        }
    return feed(version, updated_ns, about)


def vehicle_types(version: Version, updated_ns: int) -> dict[str, Any]:
    about = {"vehicle_type_id": BICYCLE, "form_factor": "bicycle", "propulsion_type": "human"}
    return feed(version, updated_ns, {"vehicle_types": [about]})


def station_information(version: Version, updated_ns: int, sensors: Sequence[Sensor]) -> dict[str, Any]:
    stations = [
        {
            "station_id": sensor.id,
            "name": sensor.id if version == "2.3" else _in_english(sensor.id),
            "lat": sensor.location[1],
            "lon": sensor.location[0],
            "capacity": sensor.capacity,
        }
        for sensor in sensors
    ]
    return feed(version, updated_ns, {"stations": stations})


def station_status(version: Version, updated_ns: int, reports: Sequence[Report]) -> dict[str, Any]:
    """What each station has, by its last report."""
    return feed(version, updated_ns, {"stations": [_station(version, report) for report in reports]})


def _station(version: Version, report: Report) -> dict[str, Any]:
    sensor, available = report.sensor, int(report.value)
    return {
        "station_id": sensor.id,
        "is_installed": True,
        "is_renting": True,
        "is_returning": True,
        "last_reported": _time(version, report.time_ns),
        _COUNTED[version]: available,
        "num_docks_available": (sensor.capacity or 0) - available,
        "vehicle_types_available": [{"vehicle_type_id": BICYCLE, "count": available}],
    }


def _in_english(name: str) -> list[dict[str, str]]:
    return [{"text": name, "language": "en"}]


def _time(version: Version, time_ns: int) -> int | str:
    return time_ns // SECOND if version == "2.3" else time_text(time_ns)


def _told(reports: Sequence[Report]) -> bytes:
    updated_ns = max(report.time_ns for report in reports)
    return compact(station_status("3.0", updated_ns, reports)).encode()


def _stations(sensors: Sequence[Sensor], at_ns: int) -> Iterator[Said]:
    yield Said("station_information", compact(station_information("3.0", at_ns, sensors)).encode(), 0)


GBFS = Packed(
    origin=lambda sensor: (sensor.id, _COUNTED["3.0"]),
    topic=lambda _: "station_status",
    payload=_told,
    most=_MOST,
    once=True,
    greeting=_stations,
)
