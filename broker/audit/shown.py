"""What an offer shows of raw points, by the very functions that serve, as columns with the truth beside them. Pure.

Each raw record is given a number in a member of its own, which goes through the release with it: so it is known whose every released record is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from broker.audit.columns import Counts, Flags, Integers, Visits
from broker.consent import NONE, Consents
from broker.keeper.plan import Feed, compile_plan
from broker.keeper.windows import exact_windows, finished
from broker.model import Datastream, Offer
from broker.points import Point
from broker.privacy.aggregate import read_point_of
from broker.privacy.location import cell_of
from broker.privacy.noise import Draw, noisy
from broker.privacy.profile import Clip, Profile, Pseudonymise, Suppress
from broker.privacy.trips import trips
from broker.registry.snapshot import Snapshot
from broker.release import KeyOf, of_trips, pointwise

Found: TypeAlias = Sequence[tuple[Datastream, list[Point]]]
"""The raw points of each datastream of an offer, by time."""
_NUMBER = "mitoyen_audit"
_decode = msgspec.json.Decoder(dict[str, object]).decode


class Codes:
    """Numbers for names of places, tags and pseudonyms, in the order in which they first come."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self._known.setdefault(name, len(self._known))

    def column(self, names: Iterable[str]) -> Integers:
        return np.fromiter(map(self.of, names), np.int64)

    @property
    def names(self) -> list[str]:
        return list(self._known)


class Seen(NamedTuple):
    """What a per-person release shows."""

    visits: Visits
    names: list[str]
    """Of each trace."""


class Ground:
    """The raw data of one offer's datastreams: the truth that attacks are scored by."""

    def __init__(self, found: Found, draw: Draw, person_of: Callable[[str], str] = str) -> None:
        """`person_of`: whose a tag is; left out, each is somebody's alone."""
        self._draw = draw
        self.found = found
        self.places, people = Codes(), Codes()
        self.tags = list(dict.fromkeys(d.privacy_unit_id or str(p.value) for d, points in found for p in points))
        of_tag = {tag: people.of(person_of(tag)) for tag in self.tags}
        self.whose = np.array([of_tag[d.privacy_unit_id or str(p.value)] for d, points in found for p in points], int)
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        self.unit = np.array([numbers[d.privacy_unit_id or str(p.value)] for d, points in found for p in points], int)
        """Of each record the privacy unit that `k` counts."""
        self.time = np.fromiter((p.time for _, points in found for p in points), np.int64)
        things = tuple(prefix for d, _ in found for prefix in d.asset_prefixes)
        self.people = np.array([not name.startswith(things) for name in people.names], bool)
        """Of each person in `whose` whether it is one, and no declared thing."""

    def visits(self, profile: Profile) -> Visits:
        """Who was where, by places as the profile tells them."""
        place = self.places.column(
            _place(d, profile, read_point_of(p) if d.kind == "rfid" else "") for d, points in self.found for p in points
        )
        return Visits(self.whose, self.time, place, self.whose)

    def part(self, inside: Flags, start: int, end: int) -> Found:
        """The points of some people (by their numbers) in a span."""
        kept = (inside[self.whose] & (self.time >= start) & (self.time < end)).tolist()
        parts, begin = [], 0
        for datastream, points in self.found:
            chosen = kept[begin : begin + len(points)]
            parts.append((datastream, [p for p, here in zip(points, chosen, strict=True) if here]))
            begin += len(points)
        return parts

    def named(self, offer: Offer, key_of: KeyOf, lateness: int, consents: Consents = NONE) -> Seen:
        """What an offer with names shows, and whose it is."""
        names, rows, number, marked = Codes(), [], 0, []
        for _, points in self.found:
            marked.append([_marked(point, number + n) for n, point in enumerate(points)])
            number += len(points)
        begins = self._begins(offer.profile.pseudonymise)
        for release, points, of in zip(offer.releases, marked, begins, strict=True):
            arrived = max(points[0].time if points else 0, offer.created)
            if of is None:
                outcome = pointwise(release, offer, points, arrived, key_of, lateness, consents)
            else:
                outcome = of_trips(release, offer, points, of, arrived, key_of, lateness, consents)
            for point in outcome.points:
                said = _decode(point.extra)
                place = _place(release.datastream, offer.profile, str(said.get("read_point", "")))
                rows.append((names.of(str(point.value)), point.time, self.places.of(place), said[_NUMBER]))
        table = np.array(rows, np.int64).reshape(-1, 4)
        return Seen(Visits(table[:, 0], table[:, 1], table[:, 2], self.whose[table[:, 3]]), names.names)

    def _begins(self, operator: Pseudonymise | None) -> Sequence[list[int | None] | None]:
        """Of each datastream's reads when their trips began, epoch by epoch; None where names are not of trips."""
        if operator is None or not operator.by_trip:
            return [None] * len(self.found)
        begins: list[list[int | None]] = [[] for _ in self.found]
        for epoch in np.unique(self.time // operator.rotate_ns).tolist():
            parts = [
                (d.place, [p for p in points if p.time // operator.rotate_ns == epoch]) for d, points in self.found
            ]
            for told, of in zip(begins, trips(parts, operator), strict=True):
                told.extend(of)
        return begins

    def counts(self, profile: Profile, points: Iterable[Point], datastream: Datastream) -> Counts:
        """Released windows as columns: their counts, or where none are told their first statistic."""
        of = list(points)
        place = self.places.column(_group(datastream, profile, point.key) for point in of)
        told = [msgspec.convert(_decode(point.extra)["statistics"], dict[str, float]) for point in of]
        number = [one.get("count", float(point.value)) for one, point in zip(told, of, strict=True)]
        return Counts(np.array([point.time for point in of], np.int64), place, np.array(number, np.float64))

    def as_told(self, offer: Offer, released: Mapping[str, Sequence[Point]]) -> Counts:
        """The same of what was released already, by stream."""
        feeds = compile_plan(Snapshot(0, offers={offer.id: offer})).by_stream
        each = [self.counts(offer.profile, released[stream], feed.datastream) for stream, feed in feeds.items()]
        time, place, number = (np.concatenate(column) for column in zip(*each, strict=True))
        return Counts(time, place, number)

    def told(self, offer: Offer, found: Found | None = None) -> Counts:
        """What an offer with windows shows of the points, or of some of them."""
        feeds = compile_plan(Snapshot(0, offers={offer.id: offer})).by_stream.values()
        parts = self.found if found is None else found
        each = [self._of_feed(feed, parts) for feed in feeds]
        time, place, number = (np.concatenate(column) for column in zip(*each, strict=True))
        return Counts(time, place, number)

    def _of_feed(self, feed: Feed, parts: Found) -> Counts:
        own = [(source, points) for source, points in parts if source in feed.sources]
        windows = exact_windows(feed, own).points
        if feed.profile.noise is not None:
            windows = noised(feed, windows, self._draw)
        return self.counts(feed.profile, finished(feed, windows), feed.datastream)


def noised(feed: Feed, exact: Iterable[Point], draw: Draw) -> list[Point]:
    """Windows with noise, each drawn once. `exact`: by time."""
    operator, noise, bounds = feed.profile.aggregate, feed.profile.noise, feed.profile.find(Clip)
    assert operator is not None
    assert noise is not None
    windows = groupby(exact, key=lambda point: point.time)
    return [point for _, window in windows for point in noisy(list(window), operator, noise, bounds, draw)]


def without_k(offer: Offer) -> Offer:
    """The same offer if groups were told of however few."""
    operators = tuple(replace(op, k=None) if op is offer.profile.aggregate else op for op in offer.profile.operators)
    return replace(offer, profile=replace(offer.profile, operators=operators))


def _marked(point: Point, number: int) -> Point:
    head = point.extra[:-1] + "," if len(point.extra) > len("{}") else "{"
    return Point(point.time, point.value, point.key, f'{head}"{_NUMBER}":{number}}}')


def _place(datastream: Datastream, profile: Profile, read_point: str) -> str:
    """Which of the places that the profile tells a visit is at."""
    hidden, windows = profile.find(Suppress), profile.aggregate
    if windows is not None:
        district = next((one.name for one in windows.districts if read_point in one.read_points), "")
        return _group(datastream, profile, {"read_point": read_point, "district": district}.get(windows.by, ""))
    return f"{datastream.id}|{'' if hidden and 'read_point' in hidden.fields else read_point}"


def _group(datastream: Datastream, profile: Profile, key: str) -> str:
    if profile.by_cell:
        return key or cell_of(datastream, profile) or ""
    return f"{datastream.id}|{key}"
