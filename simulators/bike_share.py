"""Bike share as its operator serves it: GBFS over HTTP, in versions 2.3 and 3.0. The documents are pure, the server is not.

/2.3/gbfs.json, /3.0/gbfs.json                        where the others are
…/system_information.json, …/vehicle_types.json, …/station_information.json, …/station_status.json
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_args

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.times import SECOND, parse
from simulators.encoders import gbfs
from simulators.encoders.encoder import Report, compact

if TYPE_CHECKING:
    from simulators.city import City, Sensor

log = structlog.get_logger()

THEME = "bike share"
FEEDS = ("system_information", "vehicle_types", "station_information", "station_status")
VERSIONS: tuple[gbfs.Version, ...] = get_args(gbfs.Version)
_UPDATED_NS = 10 * SECOND
"""How often the documents change."""


class BikeShare:
    """The bicycle stations of a city."""

    def __init__(self, city: City) -> None:
        self._city = city
        self.stations: Sequence[Sensor] = [sensor for sensor in city.sensors if sensor.theme == THEME]

    def document(self, version: gbfs.Version, name: str, at_ns: int, base: str = "") -> dict[str, Any]:
        """One of the FEEDS, or `gbfs`, as of a moment. Raises KeyError for another name."""
        updated_ns = at_ns // _UPDATED_NS * _UPDATED_NS
        match name:
            case "gbfs":
                return gbfs.discovery(version, updated_ns, f"{base}/{version}", FEEDS)
            case "system_information":
                return gbfs.system_information(version, updated_ns)
            case "vehicle_types":
                return gbfs.vehicle_types(version, updated_ns)
            case "station_information":
                return gbfs.station_information(version, updated_ns, self.stations)
            case "station_status":
                return gbfs.station_status(version, updated_ns, list(self._reports(updated_ns)))
        raise KeyError(name)

    def _reports(self, updated_ns: int) -> Iterator[Report]:
        """What each station said last."""
        for station in self.stations:
            *_, said = self._city.readings(station, updated_ns - 2 * station.interval_s * SECOND, updated_ns)
            yield Report(station, parse(str(said["time"])), said, station.unit)


class BikeServer:
    """Serves it at `host:port`; `simulated` turns real time (ns) into the city's."""

    def __init__(self, host: str, port: int, share: BikeShare, simulated: Callable[[int], int]) -> None:
        self._host, self._port = host, port
        self._share, self._simulated = share, simulated

    async def run(self) -> None:
        """Until it is cancelled."""
        route = Route("/{version}/{name}.json", self._answer, methods=["GET"])
        settings = uvicorn.Config(
            Starlette(routes=[route]), self._host, self._port, log_config=None, access_log=False, lifespan="off"
        )
        log.info("bike_share_listening", host=self._host, port=self._port)
        await _Server(settings).serve()

    async def _answer(self, request: Request) -> Response:
        version, name = request.path_params["version"], request.path_params["name"]
        if version not in VERSIONS or name not in ("gbfs", *FEEDS):
            return Response(status_code=404)
        base = str(request.base_url).rstrip("/")
        document = self._share.document(version, name, self._simulated(time.time_ns()), base)
        return Response(compact(document), media_type="application/json")


class _Server(uvicorn.Server):
    """One of several things that this process does, so that signals are not for it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
