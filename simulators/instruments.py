"""The kinds of instruments that a city installs, and how each turns what is true into what it says. Pure.

An instrument adds its error and knows only its resolution and range; a city's readings should not be better
than those of hardware. Owners are those who really install each kind, so that offers come from several
organisations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from simulators.phenomena import Place

if TYPE_CHECKING:
    from collections.abc import Callable

_GATE_SPAN_S = 30
_MOST_READS_PER_S = 0.2  # at a busy gate in the rush hour


@dataclass(frozen=True, slots=True)
class Instrument:
    """A kind of sensor: what it is called and how truth becomes a reading."""

    name: str
    owner: str
    gateway: str
    theme: str
    observed_property: str
    unit: str | None
    interval_s: int
    description: str
    truth: Callable[[Place, float], float]
    error: Callable[[float], float]
    """Standard deviation of a reading when this is true."""
    say: Callable[[float, Place], bool | int | float]
    """What the sensor sends for a value: its resolution and its range."""
    asset_share: float | None = None
    """For a read point: how many of the tags are the owner's own."""
    places: Callable[[Place], int] | None = None
    """For what counts places: how many there are."""


def _tenths(value: float, _place: Place) -> float:
    return round(max(value, 0.0), 1)


def _signed_tenths(value: float, _place: Place) -> float:
    return round(value, 1) + 0.0  # no minus zero


def _percent(value: float, _place: Place) -> int:
    return round(min(max(value, 0.0), 100.0))


def _count(value: float, _place: Place) -> int:
    return max(round(value), 0)


def _seconds(value: float, _place: Place) -> int:
    return round(value)


def _places(value: float, place: Place) -> int:
    return min(max(round(value), 0), place.capacity)


def _docked(value: float, place: Place) -> int:
    return min(max(round(value), 0), place.docks)


def _yes(value: float, _place: Place) -> bool:
    return value > 0.5  # noqa: PLR2004 - truth is 0 or 1


def _reads(place: Place, hours: float) -> float:
    return _MOST_READS_PER_S * _GATE_SPAN_S * place.footfall(hours)


_AIR = partial(Instrument, owner="air-agency", gateway="air", theme="air", unit="ug/m3", interval_s=60, say=_tenths)
_WEATHER = partial(Instrument, owner="air-agency", gateway="weather", theme="weather", interval_s=60)
_NOISE = partial(Instrument, owner="roads", gateway="noise", theme="noise", interval_s=30)
_ROAD = partial(Instrument, owner="roads", gateway="roads", theme="traffic", interval_s=60)
_PARKING = partial(Instrument, owner="parking-operator", gateway="parking", theme="parking", interval_s=60)
_GATE = partial(
    Instrument,
    observed_property="tag reads",
    unit=None,
    interval_s=_GATE_SPAN_S,
    theme="rfid",
    truth=_reads,
    error=lambda _: 0.0,
    say=_tenths,
)

_PM25 = _AIR(
    name="pm25",
    observed_property="PM2.5",
    description="Fine particles at the roadside",
    truth=Place.pm25_ugm3,
    error=lambda value: 0.6 + 0.04 * value,
)
_NO2 = _AIR(
    name="no2",
    observed_property="NO2",
    description="Nitrogen dioxide at the roadside",
    truth=Place.no2_ugm3,
    error=lambda value: 1.0 + 0.03 * value,
)
_LAEQ = _NOISE(
    name="laeq",
    observed_property="LAeq",
    unit="dB[SPL]",
    description="Equivalent A-weighted sound level over 30 s",
    truth=Place.laeq_db,
    error=lambda _: 0.8,
    say=_tenths,
)
_FLOW = _ROAD(
    name="flow",
    observed_property="vehicle flow",
    unit="{vehicle}/h",
    description="Vehicles per hour, counted by an induction loop",
    truth=Place.flow_per_h,
    error=lambda value: (60.0 * value) ** 0.5,  # a minute's count is scaled to an hour: Poisson
    say=_count,
)
_SPEED = _ROAD(
    name="speed",
    observed_property="vehicle speed",
    unit="km/h",
    description="Mean speed of the last minute's vehicles",
    truth=Place.speed_kmh,
    error=lambda _: 1.8,
    say=_tenths,
)
_TEMPERATURE = _WEATHER(
    name="temperature",
    observed_property="air temperature",
    unit="Cel",
    description="Air temperature at 2 m",
    truth=Place.temperature_cel,
    error=lambda _: 0.15,
    say=_signed_tenths,
)
_HUMIDITY = _WEATHER(
    name="humidity",
    observed_property="relative humidity",
    unit="%",
    description="Relative humidity at 2 m",
    truth=Place.humidity_percent,
    error=lambda _: 1.2,
    say=_percent,
)
_WIND = _WEATHER(
    name="wind",
    observed_property="wind speed",
    unit="km/h",
    description="Wind speed at 10 m, mean of a minute",
    truth=Place.wind_kmh,
    error=lambda value: 0.3 + 0.08 * value,
    say=_tenths,
)
_FREE = _PARKING(
    name="free",
    observed_property="free places",
    unit="1",
    description="Free places in a car park",
    truth=Place.free_places,
    error=lambda _: 0.7,
    say=_places,
    places=lambda place: place.capacity,
)
_BAY = _PARKING(
    name="bay",
    observed_property="occupied",
    unit=None,
    description="Whether a car stands in the bay",
    truth=Place.occupied,
    error=lambda _: 0.0,
    say=_yes,
)
_PARK_GATE = _GATE(
    name="gate",
    owner="foresters",
    gateway="forest",
    description="Read point at a park gate: tools and saplings, and whatever visitors carry",
    asset_share=0.5,
)
_DEPOT = _GATE(
    name="depot",
    owner="city-works",
    gateway="works",
    description="Read point at a depot: bins and tools, and whatever passers-by carry",
    asset_share=0.75,
)
_BIKES = Instrument(
    name="bikes",
    owner="bike-share",
    gateway="bikes",
    theme="bike share",
    observed_property="bicycles available",
    unit="1",
    interval_s=60,
    description="Bicycles that stand ready at a station",
    truth=Place.docked_bikes,
    error=lambda _: 0.0,
    say=_docked,
    places=lambda place: place.docks,
)
_BUS = Instrument(
    name="bus",
    owner="transit",
    gateway="buses",
    theme="public transport",
    observed_property="delay",
    unit="s",
    interval_s=30,
    description="How late the buses of a line are at their next stop",
    truth=Place.bus_delay_s,
    error=lambda _: 12.0,
    say=_seconds,
)

_MAST = (_TEMPERATURE, _HUMIDITY, _WIND)
_CROSSING = ((_PM25, _NO2), (_FLOW, _SPEED))

SITES: tuple[tuple[Instrument, ...], ...] = (
    *(*_CROSSING, _MAST, (_FREE,), (_PARK_GATE,), (_DEPOT,), (_LAEQ,)),
    *(*_CROSSING, (_LAEQ,), (_FREE,), (_BAY,), (_PARK_GATE,), (_LAEQ,)),
    *(*_CROSSING, _MAST, (_FREE,), (_PARK_GATE,), (_DEPOT,), (_LAEQ,)),
    *(*_CROSSING, (_LAEQ,), (_FREE,), (_BAY,), (_PARK_GATE,), (_LAEQ,)),
    *((_BIKES,), (_BIKES,), (_BUS,), (_BIKES,), (_BIKES,), (_BUS,)),
)
"""One block of the city, 46 sensors; a larger city is more such blocks. The first 40 stand still, and are of every theme but two."""
