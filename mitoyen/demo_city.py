"""The city of `mitoyen demo`: its owners, sensors, offers and two applications, registered as anyone would, over HTTP.

Next to the simulated sensors stand real ones: recordings of road sensors, if their folder is there, played a hundred times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mitoyen import registration
from simulators import simulation
from simulators.city import OWNERS, City, Sensor
from simulators.encoders.make import FormatName

SEED = 7  # any would do; always the same, so that two people see the same city
BACKFILL = "PT30M"  # enough for several windows of five minutes at once
REPLAY = 100  # five minutes between records become three seconds
RECORDINGS = Path("../shared/samples/recordings")
"""Where recordings are looked for if nobody says where they are: beside the project."""

OPEN = frozenset({"air-agency", "bike-share", "transit"})
"""Owners who ask for no agreement: air, weather, bicycles and buses concern everyone and nobody in particular."""
SPOKEN: dict[str, FormatName] = {
    "weather-1": "zigbee2mqtt",
    "noise-1": "chirpstack",
    "works-1": "zebra",
    "bikes-1": "gbfs",
    "buses-1": "gtfs-rt",
}
"""What the devices of some gateways speak: their own formats, where the others speak Mitoyen's."""
TERMS: dict[str, Any] = {"licence": "CC-BY-4.0", "purposes": ["any"]}
RAW: dict[str, Any] = {"name": "raw", "operators": []}
MEAN: dict[str, Any] = {
    "name": "mean-5min",
    "operators": [{"op": "aggregate", "window": "PT5M", "statistics": ["mean", "count"], "by": "datastream"}],
}
TAGS: dict[str, Any] = {"name": "pseudonymous", "operators": [{"op": "pseudonymise", "rotate": "P1D"}]}


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A file of recordings, and what was measured."""

    file: str
    observed_property: str
    unit: str
    """UCUM."""
    description: str


_ROAD = "road sensor of the Minnesota Department of Transportation, Twin Cities, 2015"
RECORDED = (
    _Recorded("speed_6005.csv", "vehicle speed", "[mi_i]/h", f"6005: {_ROAD}"),
    _Recorded("occupancy_6005.csv", "road occupancy", "%", f"6005: {_ROAD}"),
    _Recorded("speed_t4013.csv", "vehicle speed", "[mi_i]/h", f"T4013: {_ROAD}"),
    _Recorded("occupancy_t4013.csv", "road occupancy", "%", f"T4013: {_ROAD}"),
    _Recorded("TravelTime_387.csv", "travel time", "s", "road segment 387, Twin Cities, 2015"),
)
"""Real traffic from the Numenta Anomaly Benchmark (https://github.com/numenta/NAB, data/realTraffic)."""
RECORDED_TERMS = {
    "licence": "MIT",
    "attribution": "Numenta Anomaly Benchmark; Minnesota Department of Transportation",
    "purposes": ["any"],
    "access": "open",
}


@dataclass(slots=True)
class Application:
    """One that agreed to offers: how it logs in, and where their history is."""

    id: str
    key: str
    mqtt: dict[str, Any]
    histories: list[str]


@dataclass(frozen=True, slots=True)
class Opened:
    """A city that is ready to be played."""

    played: simulation.Simulation
    applications: list[Application]


class _Registrar:
    """Registers things, and remembers what the simulator and the applications need of the answers."""

    def __init__(self, api: httpx.AsyncClient, operator_key: str) -> None:
        self._api = api
        self._operator_key = operator_key
        self.gateways: list[dict[str, Any]] = []
        self.recordings: list[dict[str, Any]] = []
        self.wanted: dict[str, list[str]] = {"live-map": [], "research": []}
        """Application -> offers that it is to accept."""

    async def city(self, city: City) -> None:
        for owner, name in OWNERS.items():
            own = [sensor for sensor in city.sensors if sensor.owner == owner]
            key = await self._owner(owner, name, sorted({sensor.gateway for sensor in own}))
            for sensor in own:
                await self._post(key, "datastreams", registration.datastream(sensor, _spoken(sensor.gateway)))
            await self._offer_simulated(key, own, {**TERMS, "attribution": name})

    async def recorded(self, folder: Path, files: Iterable[_Recorded]) -> None:
        owner, gateway = "road-archive", "archive-1"
        key = await self._owner(owner, "Road Sensor Archive", [gateway], sensors=[])
        names = []
        for one in files:
            name = one.file.removesuffix(".csv").replace("_", "-").lower()
            names.append(name)
            body = {"observed_property": one.observed_property, "unit": one.unit, "description": one.description}
            await self._post(
                key, "datastreams", {"id": name, "gateway": gateway, "kind": "measurement", "theme": "traffic", **body}
            )
            source = {"organisation": owner, "gateway": gateway, "datastream": name, "file": str(folder / one.file)}
            self.recordings.append({**source, "zone": "America/Chicago", "speed": REPLAY})
        await self._post(key, "offers", {"datastreams": names, "profile": RAW, "terms": RECORDED_TERMS})

    async def applications(self) -> list[Application]:
        """Two applications of an organisation of their own, each with agreements to what it wants."""
        owner = await self._post(self._operator_key, "organisations", {"id": "citizens", "name": "Citizens’ Lab"})
        made = []
        for name, offers in self.wanted.items():
            application = await self._post(owner["key"], "applications", {"id": name})
            histories: list[str] = []
            for offer in offers:
                body = {"offer": offer, "application": name, "purpose": "demo", "accept": True}
                agreement = await self._post(owner["key"], "agreements", body)
                histories += [release["observations"] for release in agreement["releases"]]
            made.append(Application(name, application["key"], application["mqtt"], histories))
        return made

    async def _owner(self, owner: str, name: str, gateways: list[str], sensors: list[str] | None = None) -> str:
        key = str((await self._post(self._operator_key, "organisations", {"id": owner, "name": name}))["key"])
        for gateway in gateways:
            made = {"id": gateway, "format": _spoken(gateway)}
            login = registration.login((await self._post(key, "gateways", made))["mqtt"])
            self.gateways.append({"organisation": owner, **made, "mqtt": login, "sensors": sensors})
        return key

    async def _offer_simulated(self, key: str, own: list[Sensor], terms: dict[str, Any]) -> None:
        measured = [sensor for sensor in own if sensor.kind == "measurement"]
        in_numbers = [sensor for sensor in measured if sensor.unit is not None]
        tagged = [sensor for sensor in own if sensor.kind == "rfid"]
        raw_terms = {**terms, "access": "open" if own[0].owner in OPEN else "click"}
        for application, sensors, profile, under in (
            ("live-map", measured, RAW, raw_terms),
            ("research", in_numbers, MEAN, terms),
            ("research", tagged, TAGS, terms),
        ):
            if sensors:
                body = {"datastreams": [sensor.id for sensor in sensors], "profile": profile, "terms": under}
                self.wanted[application].append((await self._post(key, "offers", body))["id"])

    async def _post(self, key: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
        return await registration.post(self._api, key, what, body)


def _spoken(gateway: str) -> FormatName:
    return SPOKEN.get(gateway, "json")


async def open_city(api: httpx.AsyncClient, operator_key: str, recordings: Path, say: Callable[[str], None]) -> Opened:
    """Register the city, offer all of it, and let two applications agree. Raises Unavailable if a call fails."""
    city = City(SEED)
    registrar = _Registrar(api, operator_key)
    say(
        f"Registering {len(city.sensors)} simulated sensors of {len(OWNERS)} owners: air, weather, noise, traffic, parking, tags,"
        f" bicycles, buses, in {1 + len(SPOKEN)} formats."
    )
    await registrar.city(city)
    recorded = [one for one in RECORDED if (recordings / one.file).exists()]
    if recorded:
        say(f"Registering {len(recorded)} real road sensors, replayed from {recordings}.")
        await registrar.recorded(recordings, recorded)
    else:
        say(
            f"No recordings of road sensors in {recordings}: simulated sensors only (--recordings names another folder)."
        )
    applications = await registrar.applications()
    played = simulation.Simulation.model_validate(
        {"seed": SEED, "backfill": BACKFILL, "gateways": registrar.gateways, "recordings": registrar.recordings}
    )
    return Opened(played, applications)
