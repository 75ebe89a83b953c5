"""What RFID readers in the streets see of the people of a city, and who carried it. Pure; a day is computed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from broker.times import DAY
from simulators.people import NOBODY, Reads

if TYPE_CHECKING:
    from simulators.city import Payload
    from simulators.people import Population

_DAYS = 4
"""Remembered: that of now, and of readers that are behind."""


class Seen(NamedTuple):
    """One tag read."""

    time_ns: int
    payload: Payload
    person: int | None
    """Whose the tag is: the number of a resident or a visitor; None: the city's own."""
    thief: int | None
    """Who rides a bicycle that was stolen."""

    @property
    def row(self) -> dict[str, Any]:
        """What was really the case."""
        found = {**self.payload, "person": self.person}
        return found if self.thief is None else {**found, "thief": self.thief}


class Gates:
    """The read points of a population."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._day = lru_cache(_DAYS)(self._of_day)
        self.names = tuple(point.urn for point in population.read_points)

    def seen(self, read_point: int, start_ns: int, end_ns: int) -> Iterator[Seen]:
        """What one reader saw from `start_ns` (which counts) to `end_ns` (which does not), oldest first."""
        for day in range(start_ns // DAY, -(-end_ns // DAY)):
            reads, begins = self._day(day)
            of = slice(begins[read_point], begins[read_point + 1])
            first, last = np.searchsorted(reads.time[of], (start_ns, end_ns)) + of.start
            yield from self._told(reads.where(np.arange(first, last)))

    def _told(self, reads: Reads) -> Iterator[Seen]:
        people = self._population.person_of(reads.tag).tolist()
        rows = zip(reads.time.tolist(), reads.tag.tolist(), people, self._population.payloads(reads), strict=True)
        for time_ns, tag, person, payload in rows:
            thief = self._population.thief_of(tag, time_ns)
            yield Seen(time_ns, payload, None if person == NOBODY else person, None if thief == NOBODY else thief)

    def _of_day(self, day: int) -> tuple[Reads, list[int]]:
        """The reads of a day (since 1970, UTC) by read point and time, and where each read point's begin."""
        reads = self._population.reads(day * DAY, (day + 1) * DAY)
        reads = reads.where(np.argsort(reads.read_point, kind="stable"))
        return reads, np.searchsorted(reads.read_point, np.arange(len(self.names) + 1)).tolist()
