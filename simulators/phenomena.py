"""What is true in the city at a place and an hour, before any sensor measures it. Pure.

The parts depend on each other as they do outside: the weather bends traffic and air, traffic bends noise and
nitrogen dioxide. The figures are of the order that a French city of half a million sees; nothing is
calibrated to a real street. Hours count from 1970-01-01T00:00Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, log10, pi

from simulators import chance
from simulators.field import Field, Series, grow

LOCAL_H = 1.0
"""The city keeps winter time (UTC+1) all year: a change of clocks would need the zone's table."""

_YEAR_H = 365.25 * 24
_WEEK = 7
SATURDAY, _SUNDAY = 5, 6
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Fields:
    """The city's landscapes: how weather and traffic depart from what the hour would have."""

    warmth: Field
    wind: Field
    rain: Field
    traffic: Field
    air: Field


@dataclass(frozen=True, slots=True)
class Place:
    """One spot of the city, with what is particular to it."""

    root: int
    """What chance at this place starts from."""
    busy: float
    """0.3 in a side street to 1 on a boulevard."""
    warmth: Series
    wind_: Series
    rain_: Series
    traffic: Series
    air: Series

    def rain(self, hours: float) -> float:
        """0 dry, 1 pouring; it rains about one hour in five."""
        return 1.0 / (1.0 + exp(-6.0 * (self.rain_.at(hours) - 0.9)))

    def wind_kmh(self, hours: float) -> float:
        return 10.0 * exp(0.45 * self.wind_.at(hours)) * (1.0 + 0.25 * _daily(hours, 15.0))

    def temperature_cel(self, hours: float) -> float:
        day = 4.5 * _daily(hours, 15.5) * (1.0 - 0.5 * self.rain(hours))
        year = -9.5 * cos(2.0 * pi * (hours / _YEAR_H - 20 / 365.25))  # coldest on 20 January
        return 12.5 + year + day + 3.0 * self.warmth.at(hours)

    def humidity_percent(self, hours: float) -> float:
        dry = 10.0 * _daily(hours, 15.5) + 5.0 * self.warmth.at(hours)
        return _clip(68.0 - dry + 22.0 * self.rain(hours), 12.0, 100.0)

    def load(self, hours: float) -> float:
        """Traffic as a share of what the road bears; rush hours come near 1; rain keeps some at home."""
        bend = 1.0 + 0.18 * self.traffic.at(hours)
        return _clip(demand(hours) * bend * (1.0 - 0.12 * self.rain(hours)), 0.02, 1.15)

    def flow_per_h(self, hours: float) -> float:
        return 1800.0 * self.busy * self.load(hours)  # a lane bears about 1800 vehicles an hour

    def speed_kmh(self, hours: float) -> float:
        free = 30.0 + 25.0 * self.busy
        return free * (1.0 - 0.55 * self.load(hours) ** 2) * (1.0 - 0.15 * self.rain(hours))

    def laeq_db(self, hours: float) -> float:
        """Road noise: ten times the vehicles are 10 dB more; wet tyres are 2 dB louder."""
        road = 10.0 * log10(1.0 + self.flow_per_h(hours)) - 4.0 * (1.0 - self.busy)
        return 36.0 + road + 2.0 * self.rain(hours)

    def no2_ugm3(self, hours: float) -> float:
        made = 5.0 + 42.0 * self.busy * self.load(hours)
        return made * self._stale(hours) * exp(0.2 * self.air.at(hours))

    def pm25_ugm3(self, hours: float) -> float:
        """Heating in winter, traffic all year; wind carries it away and rain washes it out."""
        winter = 1.0 + 0.6 * cos(2.0 * pi * (hours / _YEAR_H - 15 / 365.25))
        made = 7.0 * winter + 5.0 * self.busy * self.load(hours)
        return made * self._stale(hours) * exp(0.3 * self.air.at(hours)) * (1.0 - 0.35 * self.rain(hours))

    def occupancy(self, hours: float) -> float:
        """Share of the parking places that are taken."""
        hour, weekday = clock(hours)
        weekend = weekday >= SATURDAY
        plateau = 0.45 * _plateau(hour, 10.5, 19.0) if weekend else 0.62 * _plateau(hour, 8.7, 18.2)
        bend = 0.06 * self.traffic.at(hours) + 0.05 * self.rain(hours)
        return _clip(0.22 + plateau + bend, 0.02, 0.98)

    @property
    def capacity(self) -> int:
        """Places in the car park here."""
        return 80 + chance.draw(self.root, 1) % 520

    def free_places(self, hours: float) -> float:
        return self.capacity * (1.0 - self.occupancy(hours))

    def occupied(self, hours: float) -> float:
        """1 or 0: cars change every 20 minutes at most, so each third of an hour is decided once."""
        stay = int(hours * 3.0)
        return float(chance.uniform(self.root, 2, stay) < self.occupancy(stay / 3.0))

    @property
    def docks(self) -> int:
        """Places in the bicycle station here."""
        return 12 + 2 * (chance.draw(self.root, 3) % 12)

    def docked_bikes(self, hours: float) -> float:
        """Where people live stations empty in the morning and fill in the evening, where they work the other way; less in the rain."""
        hour, weekday = clock(hours)
        homes = chance.uniform(self.root, 4) < 0.5  # noqa: PLR2004 - as many as where people work
        away = 0.35 * _plateau(hour, 8.4, 17.9) * (0.3 if weekday >= SATURDAY else 1.0) * (1.0 - 0.6 * self.rain(hours))
        return self.docks * _clip(0.5 + (-away if homes else away) + 0.12 * self.traffic.at(hours), 0.0, 1.0)

    def bus_delay_s(self, hours: float) -> float:
        """Buses stand in the same traffic; rain fills them, and they stop longer."""
        return -15.0 + 260.0 * self.load(hours) ** 2 + 70.0 * self.rain(hours)

    def footfall(self, hours: float) -> float:
        """People and carts that pass, as a share of the most; fewer in the rain."""
        hour, _ = clock(hours)
        day = 0.03 + 0.5 * _plateau(hour, 7.5, 20.5) + 0.5 * demand(hours)
        return self.busy * day * (1.0 - 0.5 * self.rain(hours))

    def _stale(self, hours: float) -> float:
        """How far still air concentrates what is emitted."""
        return 1.6 / (0.6 + self.wind_kmh(hours) / 10.0)


def landscape(seed: int) -> Fields:
    """Weather is alike over the whole city and for hours; a jam is a matter of streets and minutes."""
    return Fields(
        warmth=grow(seed, "warmth", length_km=12.0, span_h=30.0),
        wind=grow(seed, "wind", length_km=10.0, span_h=9.0),
        rain=grow(seed, "rain", length_km=8.0, span_h=4.0),
        traffic=grow(seed, "traffic", length_km=1.5, span_h=0.8),
        air=grow(seed, "air", length_km=3.0, span_h=6.0),
    )


def settle(fields: Fields, root: int, east_km: float, north_km: float) -> Place:
    """The place at so many kilometres east and north of the centre."""
    return Place(
        root=root,
        busy=0.3 + 0.7 * chance.uniform(root, 0),
        warmth=fields.warmth.place(east_km, north_km),
        wind_=fields.wind.place(east_km, north_km),
        rain_=fields.rain.place(east_km, north_km),
        traffic=fields.traffic.place(east_km, north_km),
        air=fields.air.place(east_km, north_km),
    )


def clock(hours: float) -> tuple[float, int]:
    """The hour of the local day and the day of the week, Monday 0."""
    day, hour = divmod(hours + LOCAL_H, 24.0)
    return hour, (int(day) + _EPOCH_WEEKDAY) % _WEEK


def demand(hours: float) -> float:
    """How many want to drive, as a share of what the roads bear: two rushes on weekdays, one at weekends."""
    hour, weekday = clock(hours)
    if weekday >= SATURDAY:
        leisure = 0.07 + 0.5 * _bump(hour, 15.5, 3.2) + 0.15 * _bump(hour, 21.0, 2.0)
        return leisure * (0.8 if weekday == _SUNDAY else 1.0)
    return 0.05 + 0.8 * _bump(hour, 8.2, 1.1) + 0.85 * _bump(hour, 17.8, 1.5) + 0.4 * _bump(hour, 12.7, 2.4)


def _bump(hour: float, centre: float, width_h: float) -> float:
    """1 at the centre, falling off on both sides, across midnight too."""
    away = (hour - centre + 12.0) % 24.0 - 12.0
    return exp(-0.5 * (away / width_h) ** 2)


def _plateau(hour: float, begin: float, end: float) -> float:
    """Near 1 between, near 0 outside, half an hour to fill and to empty."""
    return 1.0 / ((1.0 + exp((begin - hour) / 0.5)) * (1.0 + exp((hour - end) / 0.5)))


def _daily(hours: float, peak: float) -> float:
    """1 at the local hour of the peak, -1 twelve hours later."""
    return cos(2.0 * pi * (hours + LOCAL_H - peak) / 24.0)


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
