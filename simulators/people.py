"""People who walk through a city with tags on them, and the readers they pass. Pure, vectorised, and the truth is known.

It is habits that give a pseudonym away: who goes to the same work from the same home at the same hour is found again whatever changes
about the name. So everybody has a home, most have work, all have favourite places; some ride a bicycle, which has a tag of its own;
visitors come for a day; the city's own things stand still. All follows from seed and time alone: a span cut in two has the reads of the
whole, whoever asks first.

Tags are numbers: each resident's; then each resident's bicycle; then the city's things; then visitors', day by day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from broker.times import DAY, HOUR
from broker.times import text as time_text
from simulators import chance, tags
from simulators.chance import Floats, Integers
from simulators.city import CENTRE, Payload
from simulators.phenomena import LOCAL_H, SATURDAY, clock
from simulators.streets import BLOCK_M, Streets

Flags: TypeAlias = NDArray[np.bool_]

NOBODY = -1
"""Whose a thing of the city's is."""

_WALKING, _CYCLING = 1.3, 4.2  # m/s
_HUBS = 3  # where most work
_PLACES = 40  # where leisure is spent: a few draw most
_FAVOURITES = 4  # of each resident
_WORK, _CYCLISTS = 0.8, 0.2  # shares of the residents
_AT_WORK, _OUT_AT_NOON, _OUT_AFTER_WORK = 0.93, 0.35, 0.3  # shares of those who work, of a weekday
_OUT_BY_DAY, _OUT_BY_NIGHT = 0.75, 0.25  # shares of those who do not, and of a weekend
_SEEN = 0.95  # share of passages that a reader notices
_THING_EVERY_S = 3600  # a thing that stands in a reader's range is reported so often
_THEFT_DAYS = 28  # after which a stolen bicycle is found
_ANTENNAS = 4
_MILLISECOND = 1_000_000


class ReadPoint(NamedTuple):
    """Where a reader stands."""

    urn: str
    location: tuple[float, float]
    """Longitude and latitude (WGS 84)."""


class Reads(NamedTuple):
    """Tag reads by time, one entry each."""

    time: Integers
    """Nanoseconds since 1970."""
    tag: Integers
    read_point: Integers
    """Places in `Population.read_points`."""
    antenna: Integers
    rssi: Integers
    """dBm."""

    def where(self, kept: Integers | Flags) -> Reads:
        """Some of them."""
        return Reads(*(column[kept] for column in self))


class _Trips(NamedTuple):
    """Trips of a day, one entry each."""

    traveller: Integers
    """A resident's number, or a visitor's tag."""
    start: Integers
    """Crossing."""
    end: Integers
    leaves_s: Floats
    """Seconds of the local day; trips late in the evening end the day after."""


class Population:
    """The people of a seed. `homes`, `works` and `favourites` say where each resident lives, works (or NOBODY) and goes: crossings."""

    def __init__(
        self,
        seed: int,
        residents: int = 5_000,
        *,
        read_points: int = 120,
        visitors: int = 250,
        things: int = 300,
        stolen: float = 0.0,
    ) -> None:
        """`visitors`: of a day; `things`: the city's own, with tags, that stand within reach of a reader; `stolen`: the share of
        the bicycles that somebody else rides off with in the course of four weeks, and has until they are over.
        """
        self.seed = seed
        self.stolen = stolen
        self.residents, self.visitors, self.things = residents, visitors, things
        self.streets = Streets(CENTRE)
        who = np.arange(residents)
        hubs = self._around("hub", np.arange(_HUBS), spread=5.0)
        self._places = self._around("place", np.arange(_PLACES), spread=7.0)
        self.homes = self._around("home", who, spread=9.0)
        near_hub = hubs[(self._even("hub of", who) * _HUBS).astype(np.int64)]
        self.works = np.where(self._even("works", who) < _WORK, self._near("work", who, near_hub), NOBODY)
        self.cyclists = self._even("cycles", who) < _CYCLISTS
        nth = np.arange(_FAVOURITES)
        drawn = self._even("favourite", who[:, None], nth[None, :])
        self.favourites = self._places[(_PLACES * drawn**2).astype(np.int64)]
        self._begins_s = 3600 * (8.3 + 1.0 * self._bell("begins", who))
        self._stays_s = 3600 * (7.8 + 0.8 * self._bell("stays", who))
        self._reader_at = self._readers(read_points, hubs)
        self.read_points: tuple[ReadPoint, ...] = tuple(
            ReadPoint(tags.read_point(number), self.streets.location(int(crossing)))
            for number, crossing in enumerate(self._crossings)
        )

    def reads(self, start: int, end: int) -> Reads:
        """All tag reads from `start` (ns, which counts) to `end` (which does not), by time."""
        local = int(LOCAL_H * HOUR)
        days = range((start + local) // DAY - 1, (end - 1 + local) // DAY + 1)
        found = [part for day in days for part in (self._passages(day), self._standing(day))]
        columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.zeros(0, int)] * 5
        whole = Reads(*columns)
        whole = whole.where((whole.time >= start) & (whole.time < end))
        return whole.where(np.lexsort((whole.tag, whole.time)))

    def person_of(self, tag: Integers) -> Integers:
        """Whose each tag is: the resident, of tag and bicycle alike; a visitor's own number; NOBODY for the city's things."""
        people = np.where(tag < 2 * self.residents, tag % max(self.residents, 1), tag)
        return np.where(self.is_thing(tag), NOBODY, people)

    def thief_of(self, tag: int, time_ns: int) -> int:
        """Who rides a bicycle that was stolen, on the local day of a moment; NOBODY for any other tag."""
        bicycle = tag - self.residents
        if not self.stolen or not 0 <= bicycle < self.residents:
            return NOBODY
        riders = np.flatnonzero(self._bicycles((time_ns + int(LOCAL_H * HOUR)) // DAY) == tag)
        return int(riders[0]) if riders.size and riders[0] != bicycle else NOBODY

    def is_thing(self, tag: Integers) -> Flags:
        """Whether each is a tag of the city's own things."""
        return np.logical_and(tag >= 2 * self.residents, tag < 2 * self.residents + self.things)

    def epc(self, tag: int) -> str:
        """The EPC URI of a tag: of the city's own prefix, or of a maker that numbers what it sells."""
        own = tag - 2 * self.residents
        return tags.standing(own) if 0 <= own < self.things else tags.sold(tag)

    def payloads(self, reads: Reads) -> Iterator[Payload]:
        """The same as records of the MQTT interface."""
        for time, tag, read_point, antenna, rssi in zip(*(column.tolist() for column in reads), strict=True):
            yield {
                "time": time_text(time),
                "epc": self.epc(tag),
                "read_point": self.read_points[read_point].urn,
                "antenna": antenna,
                "rssi": rssi,
            }

    def _passages(self, day: int) -> Reads:
        """What readers see of the trips that begin on this local day (since 1970)."""
        parts = [*self._days_of_residents(day), *self._days_of_visitors(day)]
        trips = _Trips(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        rides = np.zeros(len(trips.traveller), bool)
        resident = trips.traveller < self.residents
        bicycles = self._bicycles(day)
        rides[resident] = bicycles[trips.traveller[resident]] != NOBODY
        ways = self.streets.ways(trips.start, trips.end, self._even("way", trips.traveller, trips.start, trips.end))
        passed = np.flatnonzero(self._reader_at[ways.crossing] >= 0)
        way, step = ways.way[passed], ways.step[passed]
        pace = np.where(rides, _CYCLING, _WALKING) * (1 + 0.1 * self._bell("pace", trips.traveller, day))
        seconds = trips.leaves_s[way] + step * BLOCK_M / pace[way]
        carried = self._reads(day, seconds, trips.traveller[way], self._reader_at[ways.crossing[passed]])
        riding = np.flatnonzero(rides[way])
        bicycle = bicycles[trips.traveller[way][riding]]
        ridden = self._reads(day, seconds[riding], bicycle, self._reader_at[ways.crossing[passed]][riding])
        return Reads(*map(np.concatenate, zip(carried, ridden, strict=True)))

    def _bicycles(self, day: int) -> Integers:
        """The tag of the bicycle that each resident rides on a local day, or NOBODY."""
        who = np.arange(self.residents)
        ridden = np.where(self.cyclists, who + self.residents, NOBODY)
        if self.stolen:
            period, passed = divmod(day, _THEFT_DAYS)
            taken = self.cyclists & (self._even("stolen", who, period) < self.stolen)
            gone = np.flatnonzero(taken & (self._even("stolen on", who, period) * _THEFT_DAYS <= passed))
            thieves = (self._even("thief", gone, period) * self.residents).astype(np.int64)
            ridden[gone] = NOBODY
            ridden[thieves] = gone + self.residents
        return ridden

    def _standing(self, day: int) -> Reads:
        """The city's things, each by one reader, at a minute of its own of each hour."""
        thing, turn = (
            column.ravel() for column in np.meshgrid(np.arange(self.things), np.arange(24 * 3600 // _THING_EVERY_S))
        )
        seconds = _THING_EVERY_S * (turn + self._even("minute", thing))
        where = (self._even("stands", thing) * len(self._crossings)).astype(np.int64)
        return self._reads(day, seconds, thing + 2 * self.residents, where)

    def _reads(self, day: int, seconds: Floats, tag: Integers, read_point: Integers) -> Reads:
        """What readers notice of what passes them."""
        milliseconds = np.rint(seconds * 1000).astype(np.int64)
        noticed = np.flatnonzero(self._even("noticed", tag, milliseconds, day) < _SEEN)
        tag, milliseconds = tag[noticed], milliseconds[noticed]
        midnight = day * DAY - int(LOCAL_H * HOUR)
        antenna = 1 + (self._even("antenna", tag, milliseconds) * _ANTENNAS).astype(np.int64)
        rssi = np.rint(-55.0 + 6.0 * self._bell("rssi", tag, milliseconds)).astype(np.int64)
        return Reads(midnight + milliseconds * _MILLISECOND, tag, read_point[noticed], antenna, rssi)

    def _days_of_residents(self, day: int) -> Iterator[_Trips]:
        who = np.arange(self.residents)
        weekend = clock(day * 24.0 - LOCAL_H)[1] >= SATURDAY
        working = (self.works != NOBODY) & (self._even("goes", who, day) < _AT_WORK) & (not weekend)
        yield from self._working(who[working], day)
        yield from self._free(who[~working], day)

    def _working(self, who: Integers, day: int) -> Iterator[_Trips]:
        """To work, some out at noon, and home again, some by way of a favourite place."""
        home, work = self.homes[who], self.works[who]
        begins = self._begins_s[who] + 480 * self._bell("begins", who, day)
        ends = begins + self._stays_s[who] + 900 * self._bell("ends", who, day)
        yield _Trips(who, home, work, begins)
        noon = self._even("noon", who, day) < _OUT_AT_NOON
        lunch = self._near("lunch", who[noon], work[noon])
        eats = 3600 * 12.4 + 900 * self._bell("eats", who[noon], day)
        yield _Trips(who[noon], work[noon], lunch, eats)
        yield _Trips(who[noon], lunch, work[noon], eats + 2700)
        out = self._even("out", who, day) < _OUT_AFTER_WORK
        yield _Trips(who[~out], work[~out], home[~out], ends[~out])
        yield from self._outing(who[out], work[out], ends[out], day, "evening")

    def _free(self, who: Integers, day: int) -> Iterator[_Trips]:
        """At home, or out for a while, once or twice."""
        once = who[self._even("once", who, day) < _OUT_BY_DAY]
        leaves = 3600 * (9.5 + 7.0 * self._even("leaves", once, day))
        yield from self._outing(once, self.homes[once], leaves, day, "day")
        twice = who[self._even("twice", who, day) < _OUT_BY_NIGHT]
        leaves = 3600 * (20.5 + 0.5 * self._bell("late", twice, day))
        yield from self._outing(twice, self.homes[twice], leaves, day, "night")

    def _outing(self, who: Integers, start: Integers, leaves_s: Floats, day: int, name: str) -> Iterator[_Trips]:
        """To one of the favourites, mostly the first ones, and home."""
        pick = (_FAVOURITES * self._even("pick", who, day, chance.named(name)) ** 2).astype(np.int64)
        place = self.favourites[who, pick]
        yield _Trips(who, start, place, leaves_s)
        stays = 3600 * (1.0 + 1.5 * self._even("stay", who, day, chance.named(name)))
        yield _Trips(who, place, self.homes[who], leaves_s + stays + 1800)

    def _days_of_visitors(self, day: int) -> Iterator[_Trips]:
        """From the station, in the middle, to two places and back."""
        who = 2 * self.residents + self.things + day * self.visitors + np.arange(self.visitors)
        station = np.full(len(who), self.streets.crossing(np.zeros(1), np.zeros(1))[0])
        first, second = (
            self._places[(_PLACES * self._even("visits", who, np.full(len(who), nth)) ** 2).astype(np.int64)]
            for nth in (0, 1)
        )
        comes = 3600 * (10.0 + 1.5 * self._bell("comes", who))
        yield _Trips(who, station, first, comes)
        yield _Trips(who, first, second, comes + 3 * 3600)
        yield _Trips(who, second, station, comes + 6 * 3600)

    def _readers(self, wanted: int, hubs: Integers) -> Integers:
        """Of each crossing its read point or -1: at the hubs, at places, at street corners, more in the middle."""
        corners = self._around("reader", np.arange(20 * wanted), spread=8.0)
        ordered = np.concatenate((hubs, self._places[: wanted // 4], corners))
        _, first = np.unique(ordered, return_index=True)
        self._crossings = ordered[np.sort(first)][:wanted]
        at = np.full(self.streets.side**2, -1)
        at[self._crossings] = np.arange(len(self._crossings))
        return at

    def _around(self, name: str, which: Integers, *, spread: float) -> Integers:
        """A crossing for each, `spread` blocks from the centre."""
        east, north = (spread * self._bell(name, which, np.full(which.shape, axis)) for axis in (0, 1))
        return self.streets.crossing(east, north)

    def _near(self, name: str, who: Integers, crossing: Integers) -> Integers:
        """For each a crossing near another."""
        half, side = self.streets.side // 2, self.streets.side
        east, north = (2.0 * self._bell(name, who, np.full(who.shape, axis)) for axis in (0, 1))
        return self.streets.crossing(crossing % side - half + east, crossing // side - half + north)

    def _even(self, name: str, *parts: Integers | int) -> Floats:
        """Evenly between 0 and 1, by name."""
        return chance.uniforms(self.seed, chance.named(name), *parts)

    def _bell(self, name: str, *parts: Integers | int) -> Floats:
        """Mean 0, standard deviation 1, within three of them, by name."""
        return np.clip(chance.normals(self.seed, chance.named(name), *parts), -3.0, 3.0)
