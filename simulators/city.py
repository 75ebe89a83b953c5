"""A seeded city: its sensors, what is true where they stand, and what they say. Pure.

Truth is a function of seed and time, a sensor's error one of seed, sensor and time. So two simulators agree,
a test can compare a release with what was really the case, and a simulator that was cut off continues as if
it had not been.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from math import cos, radians
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from broker.times import SECOND
from broker.times import text as time_text
from simulators import chance, tags
from simulators.instruments import SITES, Instrument
from simulators.phenomena import SATURDAY, Place, clock, landscape, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

Payload: TypeAlias = dict[str, bool | int | float | str]
"""One record as the MQTT interface has it: time and value, or time, epc, read_point, antenna and rssi."""

CENTRE = (4.84, 45.76)
"""Lyon: longitude and latitude."""
OWNERS = MappingProxyType(
    {
        "air-agency": "Air Quality Agency",
        "roads": "City Roads Department",
        "parking-operator": "Parking Operator",
        "foresters": "City Foresters",
        "city-works": "City Works",
        "bike-share": "City Bicycles",
        "transit": "City Buses",
    }
)
"""The organisations that installed the sensors: id and name."""

_KM_PER_DEGREE = 111.2
_SPREAD_KM = 3.0  # two sites in three lie within 4.5 km of the centre
_HOUR_NS = 3600.0 * SECOND
_BLOCKS_PER_GATEWAY = 10  # so a gateway carries 80 sensors at most, as one on a roof does
_MILLISECOND = 1_000_000
_ANTENNAS = 4
_BLOCK = sum(len(site) for site in SITES)


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor, with everything needed to register its datastream."""

    id: str
    owner: str
    """The organisation that installed it, one of OWNERS."""
    gateway: str
    kind: Literal["measurement", "rfid"]
    observed_property: str
    unit: str | None
    """UCUM; None where there is nothing to count in (tags, yes or no)."""
    theme: str
    location: tuple[float, float]
    """Longitude and latitude, WGS 84."""
    interval_s: int
    """Seconds between measurements; tag reads come when they come, and are drawn for spans of this length."""
    description: str
    personal_data: bool = False
    privacy_unit: str | None = None
    asset_prefixes: tuple[str, ...] = ()
    """EPC URIs of the owner's own things; any other tag is somebody's."""
    read_point: str | None = None
    """Of an RFID reader: its location's SGLN."""
    capacity: int | None = None
    """Of a car park or a bicycle station: its places."""


@dataclass(frozen=True, slots=True)
class _Installed:
    """A sensor with what its readings follow from."""

    instrument: Instrument
    place: Place
    root: int
    """What chance in this sensor starts from."""
    number: int


class City:
    """The city of a seed. The first sensors of a large city are those of a small one of the same seed."""

    def __init__(self, seed: int, sensors: int = _BLOCK) -> None:
        self.seed = seed
        self._fields = landscape(seed)
        self._installed: dict[str, _Installed] = {}
        self._spans: dict[int, tuple[int, list[tuple[int, int]]]] = {}
        self.sensors: tuple[Sensor, ...] = tuple(islice(self._build(), sensors))

    def truth(self, sensor: Sensor, time_ns: int) -> float:
        """What a perfect sensor would say, in its unit; yes is 1; for tags, the reads in `interval_s`."""
        installed = self._installed[sensor.id]
        return installed.instrument.truth(installed.place, time_ns / _HOUR_NS)

    def readings(self, sensor: Sensor, start_ns: int, end_ns: int) -> Iterator[Payload]:
        """What the sensor says from `start_ns` (which counts) to `end_ns` (which does not), oldest first."""
        installed = self._installed[sensor.id]
        if sensor.kind == "rfid":
            return self._reads(installed, start_ns, end_ns)
        return _measurements(installed, start_ns, end_ns)

    def _build(self) -> Iterator[Sensor]:
        counted: Counter[str] = Counter()
        for number, site in enumerate(cycle(SITES)):
            root = chance.draw(self.seed, chance.named("site"), number)
            east_km, north_km = (_SPREAD_KM * chance.normal(root, axis) for axis in (10, 11))
            place = settle(self._fields, root, east_km, north_km)
            for instrument in site:
                counted[instrument.name] += 1
                name = f"{instrument.name}-{counted[instrument.name]}"
                sensor = _sensor(name, instrument, number, place, _location(east_km, north_km))
                own = chance.draw(root, chance.named(name))
                self._installed[name] = _Installed(instrument, place, own, number)
                yield sensor

    def _reads(self, installed: _Installed, start_ns: int, end_ns: int) -> Iterator[Payload]:
        span_ns = installed.instrument.interval_s * SECOND
        for span in range(start_ns // span_ns, -(-end_ns // span_ns)):
            for at_ns, pick in self._drawn(installed, span):
                if start_ns <= at_ns < end_ns:
                    yield self._read(installed, at_ns, pick, span * span_ns / _HOUR_NS)

    def _drawn(self, installed: _Installed, span: int) -> list[tuple[int, int]]:
        """When (ns) a span's reads come, in order, and what chance in each starts from. The last span is kept: it is asked for in parts."""
        known, drawn = self._spans.get(installed.root, (None, []))
        if known == span:
            return drawn
        span_ns = installed.instrument.interval_s * SECOND
        count = chance.poisson(
            installed.instrument.truth(installed.place, span * span_ns / _HOUR_NS), installed.root, span
        )
        picks = [chance.draw(installed.root, span, nth) for nth in range(count)]
        drawn = sorted((span * span_ns + _within(pick, span_ns), pick) for pick in picks)
        self._spans[installed.root] = span, drawn
        return drawn

    def _read(self, installed: _Installed, at_ns: int, pick: int, hours: float) -> Payload:
        share = installed.instrument.asset_share or 0.0
        hour, weekday = clock(hours)
        if chance.uniform(pick, 1) < share:
            epc = tags.asset(self.seed, chance.draw(pick, 2))
        else:
            who = chance.draw(pick, 3)
            epc = tags.passer_by(self.seed, installed.number, int(hour), who, weekend=weekday >= SATURDAY)
        return {
            "time": time_text(at_ns),
            "epc": epc,
            "read_point": tags.read_point(installed.number),
            "antenna": 1 + chance.draw(pick, 4) % _ANTENNAS,
            "rssi": round(-55.0 + 6.0 * chance.normal(pick, 5)),  # dBm, as passive UHF tags at a few metres
        }


def _measurements(installed: _Installed, start_ns: int, end_ns: int) -> Iterator[Payload]:
    instrument, place, root = installed.instrument, installed.place, installed.root
    interval_ns = instrument.interval_s * SECOND
    phase_ns = root % instrument.interval_s * SECOND  # else all would speak in the same second
    for turn in range(-((phase_ns - start_ns) // interval_ns), -((phase_ns - end_ns) // interval_ns)):
        at_ns = phase_ns + turn * interval_ns
        true = instrument.truth(place, at_ns / _HOUR_NS)
        value = true + instrument.error(true) * chance.normal(root, turn)
        yield {"time": time_text(at_ns), "value": instrument.say(value, place)}


def _within(pick: int, span_ns: int) -> int:
    """A moment of the span, to the millisecond, as readers report it."""
    return chance.draw(pick, 0) % (span_ns // _MILLISECOND) * _MILLISECOND


def _sensor(name: str, instrument: Instrument, site: int, place: Place, location: tuple[float, float]) -> Sensor:
    rfid = instrument.asset_share is not None
    return Sensor(
        id=name,
        owner=instrument.owner,
        gateway=f"{instrument.gateway}-{site // (_BLOCKS_PER_GATEWAY * len(SITES)) + 1}",
        kind="rfid" if rfid else "measurement",
        observed_property=instrument.observed_property,
        unit=instrument.unit,
        theme=instrument.theme,
        location=location,
        interval_s=instrument.interval_s,
        description=instrument.description,
        personal_data=rfid,
        privacy_unit="tag" if rfid else None,
        asset_prefixes=(tags.ASSET_PREFIX,) if rfid else (),
        read_point=tags.read_point(site) if rfid else None,
        capacity=instrument.places(place) if instrument.places else None,
    )


def _location(east_km: float, north_km: float) -> tuple[float, float]:
    longitude, latitude = CENTRE
    east_degrees = east_km / (_KM_PER_DEGREE * cos(radians(latitude)))
    return round(longitude + east_degrees, 5), round(latitude + north_km / _KM_PER_DEGREE, 5)  # to a metre
